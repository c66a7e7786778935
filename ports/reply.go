package ports

// Reply is one of the reply structs of this package, passed by pointer. It is
// lent to the machine for the duration of one Step; what is to be kept is copied.
type Reply interface {
	Verb() Verb
	// Region returns the region error, nil when the region served the request.
	// With a region error the other fields are without meaning.
	Region() *RegionFault
}

// ReplyHeader is the part that every reply shares.
type ReplyHeader struct {
	Fault *RegionFault
}

// Region implements [Reply].
func (h *ReplyHeader) Region() *RegionFault { return h.Fault }

// Pair is one key of a batch get or scan, with its own error.
type Pair struct {
	Key, Value []byte
	Err        *KeyError
}

// GetReply answers [GetRequest]. An empty Value of a found key is not nil.
type GetReply struct {
	ReplyHeader
	Value    []byte
	NotFound bool
	Err      *KeyError
}

// BatchGetReply answers [BatchGetRequest]; absent keys have no pair. Err is a
// response-level error: no pair can be used then.
type BatchGetReply struct {
	ReplyHeader
	Pairs []Pair
	Err   *KeyError
}

// ScanReply answers [ScanRequest] with pairs in the order of the scan. Err is a
// response-level error: no pair can be used then.
type ScanReply struct {
	ReplyHeader
	Pairs []Pair
	Err   *KeyError
}

// PrewriteReply answers [PrewriteRequest]; no errors means that every key is locked.
// MinCommitTS is 0 unless the locks are async-commit locks, OnePCCommitTS unless
// the transaction is committed.
type PrewriteReply struct {
	ReplyHeader
	Errors        []KeyError
	MinCommitTS   Timestamp
	OnePCCommitTS Timestamp
}

// LockResultKind says how a key was locked (kvrpcpb.PessimisticLockKeyResultType).
type LockResultKind uint8

// The results of locking a key in force-lock mode.
const (
	LockResultNormal LockResultKind = iota
	LockResultWithConflict
	LockResultFailed
)

// LockResult is what became of one key of a force-lock request. ConflictTS is the
// commit timestamp of the version in spite of which the key is locked.
type LockResult struct {
	Kind              LockResultKind
	Value             []byte
	Existence         bool
	ConflictTS        Timestamp
	SkipResolvingLock bool
}

// PessimisticLockReply answers [PessimisticLockRequest]: with Values and NotFounds
// as the request wanted them, or, in force-lock mode, with Results.
type PessimisticLockReply struct {
	ReplyHeader
	Errors    []KeyError
	Values    [][]byte
	NotFounds []bool
	Results   []LockResult
}

// ScanLockReply answers [ScanLockRequest] with locks in key order.
type ScanLockReply struct {
	ReplyHeader
	Err   *KeyError
	Locks []Lock
}

// CheckSecondaryLocksReply answers [CheckSecondaryLocksRequest]: the locks if every
// key is locked, else the commit timestamp, which is 0 of what is rolled back.
type CheckSecondaryLocksReply struct {
	ReplyHeader
	Err      *KeyError
	Locks    []Lock
	CommitTS Timestamp
}

// CommitReply answers [CommitRequest]. Without an error the keys are committed,
// though not necessarily at the requested timestamp.
type CommitReply struct {
	ReplyHeader
	Err      *KeyError
	CommitTS Timestamp
}

// BatchRollbackReply answers [BatchRollbackRequest].
type BatchRollbackReply struct {
	ReplyHeader
	Err *KeyError
}

// TxnAction says what CheckTxnStatus did (kvrpcpb.Action).
type TxnAction uint8

// The actions of CheckTxnStatus.
const (
	ActionNone TxnAction = iota
	ActionTTLExpireRollback
	ActionLockNotExistRollback
	ActionMinCommitTSPushed
	ActionTTLExpirePessimisticRollback
	ActionLockNotExistDoNothing
)

// CheckTxnStatusReply answers [CheckTxnStatusRequest]. Lock is the primary's lock
// while it lives, nil otherwise, TTL its life in milliseconds.
type CheckTxnStatusReply struct {
	ReplyHeader
	Err      *KeyError
	TTL      uint64
	CommitTS Timestamp
	Action   TxnAction
	Lock     *Lock
}

// ResolveLockReply answers [ResolveLockRequest].
type ResolveLockReply struct {
	ReplyHeader
	Err *KeyError
}

// TxnHeartBeatReply answers [TxnHeartBeatRequest] with the lock's life in ms.
type TxnHeartBeatReply struct {
	ReplyHeader
	Err *KeyError
	TTL uint64
}

// PessimisticRollbackReply answers [PessimisticRollbackRequest].
type PessimisticRollbackReply struct {
	ReplyHeader
	Errors []KeyError
}

// RawGetReply answers [RawGetRequest]. Text is TiKV's error, empty when none.
type RawGetReply struct {
	ReplyHeader
	Text     string
	Value    []byte
	NotFound bool
}

// RawBatchGetReply answers [RawBatchGetRequest]; absent keys have no pair.
type RawBatchGetReply struct {
	ReplyHeader
	Pairs []Pair
}

// RawWriteReply answers every raw write but compare-and-swap. Text is TiKV's
// error, empty when none. Of is the verb that it answers.
type RawWriteReply struct {
	ReplyHeader
	Of   Verb
	Text string
}

// RawScanReply answers [RawScanRequest] with pairs in the order of the scan.
type RawScanReply struct {
	ReplyHeader
	Pairs []Pair
}

// RawGetKeyTTLReply answers [RawGetKeyTTLRequest]: seconds left, 0 for ever.
type RawGetKeyTTLReply struct {
	ReplyHeader
	Text     string
	TTL      uint64
	NotFound bool
}

// RawCompareAndSwapReply answers [RawCompareAndSwapRequest] with the value found.
type RawCompareAndSwapReply struct {
	ReplyHeader
	Text           string
	Succeeded      bool
	Previous       []byte
	PreviousAbsent bool
}

// Verb implements [Reply].
func (*GetReply) Verb() Verb                 { return VerbGet }
func (*BatchGetReply) Verb() Verb            { return VerbBatchGet }            // Verb implements [Reply].
func (*ScanReply) Verb() Verb                { return VerbScan }                // Verb implements [Reply].
func (*PrewriteReply) Verb() Verb            { return VerbPrewrite }            // Verb implements [Reply].
func (*CommitReply) Verb() Verb              { return VerbCommit }              // Verb implements [Reply].
func (*BatchRollbackReply) Verb() Verb       { return VerbBatchRollback }       // Verb implements [Reply].
func (*CheckTxnStatusReply) Verb() Verb      { return VerbCheckTxnStatus }      // Verb implements [Reply].
func (*ResolveLockReply) Verb() Verb         { return VerbResolveLock }         // Verb implements [Reply].
func (*TxnHeartBeatReply) Verb() Verb        { return VerbTxnHeartBeat }        // Verb implements [Reply].
func (*PessimisticRollbackReply) Verb() Verb { return VerbPessimisticRollback } // Verb implements [Reply].
func (*RawGetReply) Verb() Verb              { return VerbRawGet }              // Verb implements [Reply].
func (*RawBatchGetReply) Verb() Verb         { return VerbRawBatchGet }         // Verb implements [Reply].
func (r *RawWriteReply) Verb() Verb          { return r.Of }                    // Verb implements [Reply].
func (*RawScanReply) Verb() Verb             { return VerbRawScan }             // Verb implements [Reply].
func (*RawGetKeyTTLReply) Verb() Verb        { return VerbRawGetKeyTTL }        // Verb implements [Reply].
func (*RawCompareAndSwapReply) Verb() Verb   { return VerbRawCompareAndSwap }   // Verb implements [Reply].
func (*CheckSecondaryLocksReply) Verb() Verb { return VerbCheckSecondaryLocks } // Verb implements [Reply].
func (*PessimisticLockReply) Verb() Verb     { return VerbPessimisticLock }     // Verb implements [Reply].
func (*ScanLockReply) Verb() Verb            { return VerbScanLock }            // Verb implements [Reply].
