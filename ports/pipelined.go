package ports

// FlushRequest locks the keys of one batch of a pipelined transaction while it still
// grows. A key can be flushed again by a later Generation, which counts from 1;
// earlier ones that arrive late are ignored. TTL is in milliseconds after StartTS. TiKV
// takes StartTS + 1 for MinCommitTS, whatever it is.
type FlushRequest struct {
	Mutations      []Mutation
	Primary        []byte
	StartTS        Timestamp
	MinCommitTS    Timestamp
	Generation     uint64
	TTL            uint64
	AssertionLevel AssertionLevel
}

// FlushReply answers [FlushRequest]; keys that no error names are locked, unless the
// error is none of a lock: then no key is.
type FlushReply struct {
	ReplyHeader
	Errors []KeyError
}

// BufferBatchGetRequest reads what a pipelined transaction has flushed itself.
type BufferBatchGetRequest struct {
	Keys    [][]byte
	StartTS Timestamp
}

// BufferBatchGetReply answers [BufferBatchGetRequest] in key order. Keys that are not
// flushed have no pair; a deleted one has an empty value. Err is a response-level
// error: no pair can be used then.
type BufferBatchGetReply struct {
	ReplyHeader
	Pairs []Pair
	Err   *KeyError
}

// TxnStatus is what is known of a transaction: committed when CommitTS is set, else
// rolled back or, if that is not set either, alive.
type TxnStatus struct {
	StartTS, MinCommitTS, CommitTS Timestamp
	RolledBack                     bool
	// Completed: no key of it is locked any more.
	Completed bool
}

// BroadcastTxnStatusRequest tells a store of transactions. It belongs to no region;
// of the header only the peer's store counts.
type BroadcastTxnStatusRequest struct {
	Statuses []TxnStatus
}

// BroadcastTxnStatusReply answers [BroadcastTxnStatusRequest]. It never fails.
type BroadcastTxnStatusReply struct {
	ReplyHeader
}

// Verb implements [Reply].
func (*FlushReply) Verb() Verb              { return VerbFlush }
func (*BufferBatchGetReply) Verb() Verb     { return VerbBufferBatchGet }     // Verb implements [Reply].
func (*BroadcastTxnStatusReply) Verb() Verb { return VerbBroadcastTxnStatus } // Verb implements [Reply].
