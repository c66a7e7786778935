package ports

import "time"

// FaultKind names a region error of TiKV (errorpb.Error). Such an answer proves
// that this attempt was not applied, with the exceptions that
// [RegionFault.MayBeApplied] lists.
type FaultKind uint8

// Every region error that TiKV can answer with.
const (
	FaultNone FaultKind = iota
	// FaultOther is a region error without a known variant; Text says more.
	FaultOther
	FaultNotLeader
	FaultRegionNotFound
	FaultKeyNotInRegion
	FaultEpochNotMatch
	FaultServerIsBusy
	FaultStaleCommand
	FaultStoreNotMatch
	FaultRaftEntryTooLarge
	FaultMaxTimestampNotSynced
	FaultReadIndexNotReady
	FaultProposalInMergingMode
	FaultDataIsNotReady
	FaultRegionNotInitialized
	FaultDiskFull
	FaultRecoveryInProgress
	FaultFlashbackInProgress
	FaultFlashbackNotPrepared
	FaultIsWitness
	FaultMismatchPeerID
	FaultBucketVersionNotMatch
	FaultUndeterminedResult
	faultKinds
)

// FaultKinds is the number of fault kinds, for tables indexed by kind.
const FaultKinds = int(faultKinds)

// RegionFault is a region error. Only the fields that its kind names are set.
type RegionFault struct {
	Kind FaultKind
	// Text is TiKV's message. It may contain keys: never show it unredacted.
	Text string
	// Leader is the hint of NotLeader; zero when the answering peer knows none.
	Leader Peer
	// Regions are the current regions of EpochNotMatch, in PD's key space.
	Regions []Region
	// Wait is ServerIsBusy's estimated wait, 0 when the store gave none.
	Wait time.Duration
	// Backoff is ServerIsBusy's demanded pause, 0 when the store gave none.
	Backoff time.Duration
	// Deadline is set on ServerIsBusy and FaultOther when the store gave up
	// because the request's own execution deadline had passed.
	Deadline bool
	// Store is the store that StoreNotMatch or DiskFull names.
	Store StoreID
	// SafeTS is the timestamp up to which a peer that answers DataIsNotReady could have served a stale read.
	SafeTS Timestamp
	// BucketVersion and BucketKeys belong to BucketVersionNotMatch.
	BucketVersion uint64
	BucketKeys    [][]byte
}

// MayBeApplied reports whether a write that was answered with the fault may
// nevertheless take effect: TiKV answers StaleCommand for proposals that a peer
// stopped tracking, and a server-side deadline can pass after the proposal.
func (f *RegionFault) MayBeApplied() bool {
	switch f.Kind {
	case FaultUndeterminedResult, FaultStaleCommand:
		return true
	case FaultServerIsBusy, FaultOther:
		return f.Deadline
	case FaultNone, FaultNotLeader, FaultRegionNotFound, FaultKeyNotInRegion, FaultEpochNotMatch,
		FaultStoreNotMatch, FaultRaftEntryTooLarge, FaultMaxTimestampNotSynced, FaultReadIndexNotReady,
		FaultProposalInMergingMode, FaultDataIsNotReady, FaultRegionNotInitialized, FaultDiskFull,
		FaultRecoveryInProgress, FaultFlashbackInProgress, FaultFlashbackNotPrepared, FaultIsWitness,
		FaultMismatchPeerID, FaultBucketVersionNotMatch, faultKinds:
		return false
	}
	return false
}

// KeyErrorKind names an error of a single key (kvrpcpb.KeyError).
type KeyErrorKind uint8

// The errors that TiKV reports for a key.
const (
	KeyErrorNone KeyErrorKind = iota
	// KeyErrorOther is an error without a known variant; Text says more.
	KeyErrorOther
	KeyLocked
	KeyWriteConflict
	KeyAlreadyExists
	// KeyRetryable asks for a retry of the whole transaction; Text says why.
	KeyRetryable
	// KeyAbort is TiKV's free-text abort of the transaction.
	KeyAbort
	KeyDeadlock
	KeyCommitTSExpired
	KeyTxnNotFound
	KeyCommitTSTooLarge
	KeyAssertionFailed
	KeyPrimaryMismatch
	KeyTxnLockNotFound
)

// ConflictReason says which check found a write conflict (kvrpcpb.WriteConflict.Reason).
type ConflictReason uint8

// The reasons of a write conflict.
const (
	ConflictUnknown ConflictReason = iota
	ConflictOptimistic
	ConflictPessimisticRetry
	ConflictSelfRolledBack
	ConflictRCCheckTS
	ConflictLazyUniquenessCheck
	ConflictNotLockedKeyConflict
)

// KeyError is an error of one key. Only the fields that its kind names are set.
type KeyError struct {
	Kind KeyErrorKind
	// Text is TiKV's message. It may contain keys: never show it unredacted.
	Text string
	// Lock belongs to Locked and PrimaryMismatch.
	Lock Lock
	// Key belongs to WriteConflict, AlreadyExists, CommitTSExpired,
	// AssertionFailed and TxnLockNotFound; Primary to WriteConflict and TxnNotFound.
	Key, Primary []byte
	// StartTS is the transaction that met the error.
	StartTS Timestamp
	// ConflictTS and ConflictCommitTS are start and commit of the transaction
	// that a WriteConflict met; Reason is the check that found it.
	ConflictTS, ConflictCommitTS Timestamp
	Reason                       ConflictReason
	// Assertion belongs to AssertionFailed, whose ConflictTS and ConflictCommitTS
	// are start and commit of the version that exists.
	Assertion Assertion
	// AttemptedCommitTS and MinCommitTS belong to CommitTSExpired, MinCommitTS also
	// to CommitTSTooLarge.
	AttemptedCommitTS, MinCommitTS Timestamp
	// LockTS, DeadlockKeyHash and WaitChain belong to Deadlock, as does Key, the
	// key that was to be locked.
	LockTS          Timestamp
	DeadlockKeyHash uint64
	WaitChain       []WaitFor
}

// WaitFor is one transaction that waits for the lock of another one on Key
// (deadlock.WaitForEntry).
type WaitFor struct {
	Txn, WaitForTxn Timestamp
	KeyHash         uint64
	Key             []byte
}

// CauseKind says why an effect was not answered by its server.
type CauseKind uint8

// The causes of Lost, Unsent and Refused.
const (
	CauseNone CauseKind = iota
	// CauseTimeout: the effect's deadline passed first.
	CauseTimeout
	// CauseConnection: the connection could not be made or broke.
	CauseConnection
	// CauseClosed: the adapter was closed.
	CauseClosed
	// CauseMalformed: the answer could not be decoded.
	CauseMalformed
	// CauseRejected: the server refused the call as such (authentication,
	// unimplemented, another cluster).
	CauseRejected
	// CauseNotFound: PD knows no such store or region.
	CauseNotFound
	// CauseHung: the connection made no progress and a probe failed.
	CauseHung
)

// Cause is the reason of a transport or PD failure. Text is short and free of keys.
type Cause struct {
	Kind CauseKind
	Text string
}
