package ports

// MvccGetByKeyRequest asks for everything that a store keeps for a key.
type MvccGetByKeyRequest struct {
	Key []byte
}

// MvccGetByKeyReply answers [MvccGetByKeyRequest]. Text is TiKV's error, empty when
// none.
type MvccGetByKeyReply struct {
	ReplyHeader
	Text string
	Info MvccInfo
}

// MvccGetByStartTSRequest asks for a key of the region that the transaction has
// locked or written.
type MvccGetByStartTSRequest struct {
	StartTS Timestamp
}

// MvccGetByStartTSReply answers [MvccGetByStartTSRequest] with one key and what is
// kept for it; without one, Key and Info are empty. Text is TiKV's error, empty when
// none.
type MvccGetByStartTSReply struct {
	ReplyHeader
	Text string
	Key  []byte
	Info MvccInfo
}

// MvccInfo is what a store keeps for a key (kvrpcpb.MvccInfo): its lock, nil when
// there is none, its records, the newest first, and those values that are too long
// to lie in a lock or record, the newest first.
type MvccInfo struct {
	Lock   *MvccLock
	Writes []MvccWrite
	Values []MvccValue
}

// MvccLock is a lock as it is kept (kvrpcpb.MvccLock).
type MvccLock struct {
	Kind           LockKind
	StartTS        Timestamp
	Primary        []byte
	ShortValue     []byte
	TTL            uint64
	ForUpdateTS    Timestamp
	TxnSize        uint64
	UseAsyncCommit bool
	Secondaries    [][]byte
	// Rollbacks are protected rollbacks that committing the lock might overwrite.
	Rollbacks            []Timestamp
	LastChangeTS         Timestamp
	VersionsToLastChange uint64
}

// MvccWrite is a version of a key, or a rollback (kvrpcpb.MvccWrite). GCFence is
// there if HasGCFence is set.
type MvccWrite struct {
	Kind                  LockKind
	StartTS, CommitTS     Timestamp
	ShortValue            []byte
	HasOverlappedRollback bool
	HasGCFence            bool
	GCFence               Timestamp
	LastChangeTS          Timestamp
	VersionsToLastChange  uint64
}

// MvccValue is a long value and the transaction that wrote it.
type MvccValue struct {
	StartTS Timestamp
	Value   []byte
}

// Verb implements [Reply].
func (*MvccGetByKeyReply) Verb() Verb     { return VerbMvccGetByKey }
func (*MvccGetByStartTSReply) Verb() Verb { return VerbMvccGetByStartTS } // Verb implements [Reply].
