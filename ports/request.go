package ports

import "time"

// Verb names a request of TiKV.
type Verb uint8

// The verbs in use, each with one request and one reply struct.
const (
	VerbNone Verb = iota
	VerbGet
	VerbBatchGet
	VerbScan
	VerbPrewrite
	VerbCommit
	VerbBatchRollback
	VerbCheckTxnStatus
	VerbResolveLock
	VerbTxnHeartBeat
	VerbPessimisticRollback
	VerbRawGet
	VerbRawBatchGet
	VerbRawPut
	VerbRawBatchPut
	VerbRawDelete
	VerbRawBatchDelete
	VerbRawDeleteRange
	VerbRawScan
	VerbRawGetKeyTTL
	VerbRawCompareAndSwap
	VerbCheckSecondaryLocks
	VerbPessimisticLock
	VerbScanLock
	VerbRawChecksum
	VerbDeleteRange
	VerbUnsafeDestroyRange
	VerbPrepareFlashbackToVersion
	VerbFlashbackToVersion
	VerbSplitRegion
	VerbFlush
	VerbBufferBatchGet
	VerbBroadcastTxnStatus
	VerbMvccGetByKey
	VerbMvccGetByStartTS
	VerbRawBatchScan
	VerbLockWaitInfo
	VerbStoreSafeTS
	verbs
)

// Verbs is the number of verbs, for tables indexed by verb.
const Verbs = int(verbs)

// Raw reports whether a verb reads or writes raw data.
func (v Verb) Raw() bool {
	return v >= VerbRawGet && v <= VerbRawCompareAndSwap || v == VerbRawChecksum || v == VerbRawBatchScan
}

// Request is one of the request structs of this package, passed by pointer. It
// is borrowed: whoever receives it reads it before returning and keeps nothing.
type Request interface{ Verb() Verb }

// Priority is the scheduling class of a request at the store.
type Priority uint8

// The priorities; normal is the default.
const (
	PriorityNormal Priority = iota
	PriorityLow
	PriorityHigh
)

// Isolation is what a read takes notice of (kvrpcpb.IsolationLevel).
type Isolation uint8

// The isolation levels: a snapshot, the default; whatever is committed, locks
// aside; the same, where anything newer than the timestamp is an error.
const (
	IsolationSI Isolation = iota
	IsolationRC
	IsolationRCCheckTS
)

// Header is what travels with every request (TiKV: kvrpcpb.Context). The cluster's id is filled in by the adapter.
type Header struct {
	// Region and Peer are the region that the request is about, at the version that its sender knows, and the peer that
	// is asked.
	Region RegionVersion
	Peer   Peer
	// Priority is the scheduling class, normal by default.
	Priority Priority
	// Isolation is the level of a read.
	Isolation Isolation
	// MaxExecution bounds the execution at the store; 0 sends none.
	MaxExecution time.Duration
	// IsRetry marks a request that may have reached a store before (TiKV uses it
	// to tell a late duplicate from a fresh prewrite).
	IsRetry bool
	// NotFillCache keeps the read out of the store's block cache.
	NotFillCache bool
	// ReplicaRead lets a follower answer after a read index.
	ReplicaRead bool
	// StaleRead lets any peer answer from what it has applied, without asking its leader, if nothing can be committed at
	// the read's timestamp any more; else it answers DataIsNotReady. It wins over ReplicaRead.
	StaleRead bool
	// ResolvedLocks are transactions whose locks the read may ignore;
	// CommittedLocks are those whose locked value it may return.
	ResolvedLocks, CommittedLocks []Timestamp
	// AllowedOnAlmostFull lets a write be done by a store that has hardly any space left (kvrpcpb.DiskFullOpt).
	AllowedOnAlmostFull bool
	// RequestSource is the label under which TiKV accounts the request.
	RequestSource string
}

// GetRequest reads one key at a timestamp.
type GetRequest struct {
	Key []byte
	TS  Timestamp
}

// BatchGetRequest reads keys of one region at a timestamp.
type BatchGetRequest struct {
	Keys [][]byte
	TS   Timestamp
}

// ScanRequest reads at most Limit pairs of one region at a timestamp. Range is
// [Start, End) in both directions; Reverse yields descending keys.
type ScanRequest struct {
	Range   KeyRange
	Limit   uint32
	TS      Timestamp
	KeyOnly bool
	Reverse bool
}

// Mutation is one key of a prewrite.
type Mutation struct {
	Kind  LockKind
	Key   []byte
	Value []byte
	// Assertion says what the caller believes of the key's last version. In a
	// [PessimisticLockRequest], AssertNotExist demands that there is no value.
	Assertion Assertion
}

// Assertion is what a mutation believes of its key (kvrpcpb.Assertion).
type Assertion uint8

// The assertions of a mutation.
const (
	AssertNothing Assertion = iota
	AssertExist
	AssertNotExist
)

// AssertionLevel says which assertions a store checks (kvrpcpb.AssertionLevel):
// none, those that cost no further read, or all.
type AssertionLevel uint8

// The levels of assertions.
const (
	AssertionsOff AssertionLevel = iota
	AssertionsFast
	AssertionsStrict
)

// PessimisticAction says what the prewrite of a pessimistic transaction demands of
// a key (kvrpcpb.PrewriteRequest.PessimisticAction).
type PessimisticAction uint8

// The pessimistic actions: the key was not locked; it was locked and must still
// be; its checks were put off until prewrite.
const (
	SkipPessimisticCheck PessimisticAction = iota
	DoPessimisticCheck
	DoConstraintCheck
)

// ForUpdateTSConstraint demands that the pessimistic lock of the mutation at Index
// has exactly this for_update_ts.
type ForUpdateTSConstraint struct {
	Index       uint32
	ForUpdateTS Timestamp
}

// PrewriteRequest locks the keys of one batch (Percolator's first phase).
type PrewriteRequest struct {
	Mutations []Mutation
	Primary   []byte
	StartTS   Timestamp
	// TTL is the life of the locks in milliseconds after StartTS, TxnSize the number of keys that the transaction locks
	// in the region.
	TTL, TxnSize uint64
	// MinCommitTS is the least timestamp at which the locks may be committed.
	MinCommitTS Timestamp
	// SkipConstraintCheck spares an optimistic prewrite the look at newer versions.
	SkipConstraintCheck bool
	// ForUpdateTS is 0 for optimistic transactions. Actions belong to the mutations
	// of pessimistic ones, by index; Constraints to some of them.
	ForUpdateTS Timestamp
	Actions     []PessimisticAction
	Constraints []ForUpdateTSConstraint
	// UseAsyncCommit lets the locks decide the commit timestamp; the primary's lock
	// then lists Secondaries, all other keys of the transaction.
	UseAsyncCommit bool
	Secondaries    [][]byte
	// TryOnePC commits the batch, which is the whole transaction, at once.
	TryOnePC bool
	// MaxCommitTS bounds what the store may choose, 0 being no bound; beyond it, the
	// store falls back to plain locks.
	MaxCommitTS    Timestamp
	AssertionLevel AssertionLevel
}

// PessimisticLockRequest locks keys of one batch before they are written.
type PessimisticLockRequest struct {
	Mutations []Mutation
	Primary   []byte
	StartTS   Timestamp
	// TTL is the life of the locks in milliseconds after StartTS.
	TTL uint64
	// ForUpdateTS is the timestamp that the statement reads at: a newer version is a conflict.
	ForUpdateTS Timestamp
	// IsFirstLock: the transaction holds no lock yet, so that it cannot be part of a deadlock.
	IsFirstLock bool
	// WaitTimeout is how long to wait for a lock, in ms: 0 as long as the store is
	// configured to, below 0 not at all.
	WaitTimeout int64
	// ReturnValues wants the values that the keys have, CheckExistence only whether they have any.
	ReturnValues   bool
	MinCommitTS    Timestamp
	CheckExistence bool
	// LockOnlyIfExists leaves keys without a value unlocked; it needs ReturnValues.
	LockOnlyIfExists bool
	// ForceLock takes the lock in spite of a newer version, and lets a waiting
	// request go on when it is woken (kvrpcpb: WakeUpModeForceLock).
	ForceLock bool
}

// ScanLockRequest asks for the locks in a range of transactions that began at MaxTS
// or earlier, at most Limit, 0 being no bound.
type ScanLockRequest struct {
	Range KeyRange
	MaxTS Timestamp
	Limit uint32
}

// CheckSecondaryLocksRequest asks what became of secondaries of an async-commit
// transaction, and rolls back those that are not locked.
type CheckSecondaryLocksRequest struct {
	Keys    [][]byte
	StartTS Timestamp
}

// CommitRequest commits the keys of one batch.
type CommitRequest struct {
	Keys      [][]byte
	Primary   []byte
	StartTS   Timestamp
	CommitTS  Timestamp
	IsPrimary bool
}

// BatchRollbackRequest rolls back the keys of one batch.
type BatchRollbackRequest struct {
	Keys    [][]byte
	StartTS Timestamp
}

// CheckTxnStatusRequest asks the primary what became of a transaction, and rolls it back if its lock has expired.
type CheckTxnStatusRequest struct {
	Primary []byte
	// LockTS is the start of the transaction that is asked for.
	LockTS Timestamp
	// CallerStartTS is the start of the transaction that asks, above which min_commit_ts is pushed; 0 and
	// [MaxTimestamp] push nothing.
	CallerStartTS Timestamp
	// CurrentTS is what the life of the lock is held against.
	CurrentTS Timestamp
	// RollbackIfNotExist rolls back a transaction of which nothing is there; otherwise that is TxnNotFound.
	RollbackIfNotExist bool
	// ForceSyncCommit treats a lock with async commit as one without.
	ForceSyncCommit bool
	// ResolvingPessimisticLock says that the lock that was met is pessimistic.
	ResolvingPessimisticLock bool
	// VerifyIsPrimary makes a lock on the key that names another primary an error.
	VerifyIsPrimary bool
	IsTxnFile       bool
}

// ResolveLockRequest commits (CommitTS > 0) or rolls back a transaction's locks:
// the given keys, or, with no keys, every lock of it in the region. With StartTS 0 it
// is about every lock of all Txns in the region, and has no keys.
type ResolveLockRequest struct {
	StartTS   Timestamp
	CommitTS  Timestamp
	Keys      [][]byte
	Txns      []TxnInfo
	IsTxnFile bool
}

// TxnInfo is a transaction that is committed, or, with CommitTS 0, rolled back.
type TxnInfo struct {
	StartTS, CommitTS Timestamp
	IsTxnFile         bool
}

// TxnHeartBeatRequest prolongs the life of a primary lock to AdviseLockTTL, in
// milliseconds after StartTS; it is never shortened. MinCommitTS raises the
// min_commit_ts of a flushed lock, 0 leaving it alone.
type TxnHeartBeatRequest struct {
	Primary       []byte
	StartTS       Timestamp
	AdviseLockTTL uint64
	MinCommitTS   Timestamp
}

// PessimisticRollbackRequest removes pessimistic locks whose for_update_ts is at most
// ForUpdateTS: the given keys, or, with no keys, all of the transaction in the region.
type PessimisticRollbackRequest struct {
	Keys        [][]byte
	StartTS     Timestamp
	ForUpdateTS Timestamp
}

// RawGetRequest reads one raw key.
type RawGetRequest struct {
	Key []byte
	CF  string
}

// RawBatchGetRequest reads raw keys of one region.
type RawBatchGetRequest struct {
	Keys [][]byte
	CF   string
}

// RawPutRequest writes one raw key. ForCAS takes the latch that
// compare-and-swap takes. TTL is in seconds, 0 meaning for ever.
type RawPutRequest struct {
	Key, Value []byte
	TTL        uint64
	CF         string
	ForCAS     bool
}

// RawBatchPutRequest writes raw pairs of one region, each with its own TTL.
type RawBatchPutRequest struct {
	Pairs  []KV
	CF     string
	ForCAS bool
}

// RawDeleteRequest deletes one raw key.
type RawDeleteRequest struct {
	Key    []byte
	CF     string
	ForCAS bool
}

// RawBatchDeleteRequest deletes raw keys of one region.
type RawBatchDeleteRequest struct {
	Keys   [][]byte
	CF     string
	ForCAS bool
}

// RawDeleteRangeRequest deletes a raw range inside one region.
type RawDeleteRangeRequest struct {
	Range KeyRange
	CF    string
}

// RawScanRequest reads at most Limit raw pairs of one region. Range is
// [Start, End) in both directions.
type RawScanRequest struct {
	Range   KeyRange
	Limit   uint32
	KeyOnly bool
	Reverse bool
	CF      string
}

// RawGetKeyTTLRequest asks for the remaining life of a raw key.
type RawGetKeyTTLRequest struct {
	Key []byte
	CF  string
}

// RawCompareAndSwapRequest writes Value, or deletes the key, if the current value
// is Previous (or the key is absent, when PreviousAbsent). TTL is in seconds, 0 meaning
// for ever.
type RawCompareAndSwapRequest struct {
	Key, Value     []byte
	Previous       []byte
	PreviousAbsent bool
	TTL            uint64
	CF             string
	Delete         bool
}

// Verb implements [Request].
func (*GetRequest) Verb() Verb                 { return VerbGet }
func (*BatchGetRequest) Verb() Verb            { return VerbBatchGet }            // Verb implements [Request].
func (*ScanRequest) Verb() Verb                { return VerbScan }                // Verb implements [Request].
func (*PrewriteRequest) Verb() Verb            { return VerbPrewrite }            // Verb implements [Request].
func (*CommitRequest) Verb() Verb              { return VerbCommit }              // Verb implements [Request].
func (*BatchRollbackRequest) Verb() Verb       { return VerbBatchRollback }       // Verb implements [Request].
func (*CheckTxnStatusRequest) Verb() Verb      { return VerbCheckTxnStatus }      // Verb implements [Request].
func (*ResolveLockRequest) Verb() Verb         { return VerbResolveLock }         // Verb implements [Request].
func (*TxnHeartBeatRequest) Verb() Verb        { return VerbTxnHeartBeat }        // Verb implements [Request].
func (*PessimisticRollbackRequest) Verb() Verb { return VerbPessimisticRollback } // Verb implements [Request].
func (*RawGetRequest) Verb() Verb              { return VerbRawGet }              // Verb implements [Request].
func (*RawBatchGetRequest) Verb() Verb         { return VerbRawBatchGet }         // Verb implements [Request].
func (*RawPutRequest) Verb() Verb              { return VerbRawPut }              // Verb implements [Request].
func (*RawBatchPutRequest) Verb() Verb         { return VerbRawBatchPut }         // Verb implements [Request].
func (*RawDeleteRequest) Verb() Verb           { return VerbRawDelete }           // Verb implements [Request].
func (*RawBatchDeleteRequest) Verb() Verb      { return VerbRawBatchDelete }      // Verb implements [Request].
func (*RawDeleteRangeRequest) Verb() Verb      { return VerbRawDeleteRange }      // Verb implements [Request].
func (*RawScanRequest) Verb() Verb             { return VerbRawScan }             // Verb implements [Request].
func (*RawGetKeyTTLRequest) Verb() Verb        { return VerbRawGetKeyTTL }        // Verb implements [Request].
func (*RawCompareAndSwapRequest) Verb() Verb   { return VerbRawCompareAndSwap }   // Verb implements [Request].
func (*CheckSecondaryLocksRequest) Verb() Verb { return VerbCheckSecondaryLocks } // Verb implements [Request].
func (*PessimisticLockRequest) Verb() Verb     { return VerbPessimisticLock }     // Verb implements [Request].
func (*ScanLockRequest) Verb() Verb            { return VerbScanLock }            // Verb implements [Request].
func (*FlushRequest) Verb() Verb               { return VerbFlush }               // Verb implements [Request].
func (*BufferBatchGetRequest) Verb() Verb      { return VerbBufferBatchGet }      // Verb implements [Request].
func (*BroadcastTxnStatusRequest) Verb() Verb  { return VerbBroadcastTxnStatus }  // Verb implements [Request].
func (*MvccGetByKeyRequest) Verb() Verb        { return VerbMvccGetByKey }        // Verb implements [Request].
func (*MvccGetByStartTSRequest) Verb() Verb    { return VerbMvccGetByStartTS }    // Verb implements [Request].
