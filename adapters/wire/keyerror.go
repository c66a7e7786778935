package wire

import (
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// maxSharedDepth bounds how deep sets of shared locks nest: TiKV's do not nest at all.
const maxSharedDepth = 2

// keyErrorFromProto returns an error of one key. Its memory is shared with e.
func keyErrorFromProto(e *kvrpcpb.KeyError) ports.KeyError {
	switch {
	case e.Locked != nil:
		return ports.KeyError{Kind: ports.KeyLocked, Lock: lockFromProto(e.Locked, 0)}
	case e.Conflict != nil:
		c := e.Conflict
		return ports.KeyError{
			Kind: ports.KeyWriteConflict, Key: c.GetKey(), Primary: c.GetPrimary(),
			StartTS: ports.Timestamp(c.GetStartTs()), ConflictTS: ports.Timestamp(c.GetConflictTs()),
			ConflictCommitTS: ports.Timestamp(c.GetConflictCommitTs()), Reason: reasonFromProto(c.GetReason()),
		}
	case e.AlreadyExist != nil:
		return ports.KeyError{Kind: ports.KeyAlreadyExists, Key: e.AlreadyExist.GetKey()}
	case e.Deadlock != nil:
		return deadlockFromProto(e.Deadlock)
	case e.CommitTsExpired != nil:
		x := e.CommitTsExpired
		return ports.KeyError{
			Kind: ports.KeyCommitTSExpired, Key: x.GetKey(), StartTS: ports.Timestamp(x.GetStartTs()),
			AttemptedCommitTS: ports.Timestamp(x.GetAttemptedCommitTs()), MinCommitTS: ports.Timestamp(x.GetMinCommitTs()),
		}
	}
	return keyErrorRare(e)
}

func keyErrorRare(e *kvrpcpb.KeyError) ports.KeyError {
	switch {
	case e.TxnNotFound != nil:
		return ports.KeyError{
			Kind: ports.KeyTxnNotFound, StartTS: ports.Timestamp(e.TxnNotFound.GetStartTs()),
			Primary: e.TxnNotFound.GetPrimaryKey(),
		}
	case e.CommitTsTooLarge != nil:
		return ports.KeyError{
			Kind: ports.KeyCommitTSTooLarge, MinCommitTS: ports.Timestamp(e.CommitTsTooLarge.GetCommitTs()),
		}
	case e.AssertionFailed != nil:
		x := e.AssertionFailed
		return ports.KeyError{
			Kind: ports.KeyAssertionFailed, Key: x.GetKey(), StartTS: ports.Timestamp(x.GetStartTs()),
			Assertion: ports.Assertion(x.GetAssertion()), ConflictTS: ports.Timestamp(x.GetExistingStartTs()),
			ConflictCommitTS: ports.Timestamp(x.GetExistingCommitTs()),
		}
	case e.PrimaryMismatch != nil:
		k := ports.KeyError{Kind: ports.KeyPrimaryMismatch}
		if lock := e.PrimaryMismatch.GetLockInfo(); lock != nil {
			k.Lock = lockFromProto(lock, 0)
		}
		return k
	case e.TxnLockNotFound != nil:
		return ports.KeyError{Kind: ports.KeyTxnLockNotFound, Key: e.TxnLockNotFound.GetKey()}
	case e.Retryable != "":
		return ports.KeyError{Kind: ports.KeyRetryable, Text: e.Retryable}
	case e.Abort != "":
		return ports.KeyError{Kind: ports.KeyAbort, Text: e.Abort}
	}
	return ports.KeyError{Kind: ports.KeyErrorOther, Text: "key error of a kind that this client does not know"}
}

func lockFromProto(l *kvrpcpb.LockInfo, depth int) ports.Lock {
	lock := ports.Lock{
		Key: l.GetKey(), Primary: l.GetPrimaryLock(), StartTS: ports.Timestamp(l.GetLockVersion()), TTL: l.GetLockTtl(),
		TxnSize: l.GetTxnSize(), Kind: kindFromProto(l.GetLockType()), ForUpdateTS: ports.Timestamp(l.GetLockForUpdateTs()),
		UseAsyncCommit: l.GetUseAsyncCommit(), MinCommitTS: ports.Timestamp(l.GetMinCommitTs()),
		Secondaries: l.GetSecondaries(), DurationToLastUpdate: l.GetDurationToLastUpdateMs(), IsTxnFile: l.GetIsTxnFile(),
	}
	if depth < maxSharedDepth {
		for _, s := range l.GetSharedLockInfos() {
			lock.Shared = append(lock.Shared, lockFromProto(s, depth+1))
		}
	}
	return lock
}

// kindFromProto takes a kind that it does not know for a plain lock.
func kindFromProto(op kvrpcpb.Op) ports.LockKind {
	if op < kvrpcpb.Op_Put || op > kvrpcpb.Op_SharedPessimisticLock {
		return ports.KindLock
	}
	return ports.LockKind(op)
}

func reasonFromProto(r kvrpcpb.WriteConflict_Reason) ports.ConflictReason {
	if r < kvrpcpb.WriteConflict_Unknown || r > kvrpcpb.WriteConflict_NotLockedKeyConflict {
		return ports.ConflictUnknown
	}
	return ports.ConflictReason(r)
}

func keyErrorToProto(k *ports.KeyError) *kvrpcpb.KeyError {
	e := &kvrpcpb.KeyError{}
	switch k.Kind {
	case ports.KeyLocked:
		e.Locked = lockToProto(&k.Lock)
	case ports.KeyWriteConflict:
		e.Conflict = &kvrpcpb.WriteConflict{
			StartTs: uint64(k.StartTS), ConflictTs: uint64(k.ConflictTS), ConflictCommitTs: uint64(k.ConflictCommitTS),
			Key: k.Key, Primary: k.Primary, Reason: kvrpcpb.WriteConflict_Reason(k.Reason),
		}
	case ports.KeyAlreadyExists:
		e.AlreadyExist = &kvrpcpb.AlreadyExist{Key: k.Key}
	case ports.KeyDeadlock:
		e.Deadlock = deadlockToProto(k)
	case ports.KeyCommitTSExpired:
		e.CommitTsExpired = &kvrpcpb.CommitTsExpired{
			StartTs: uint64(k.StartTS), AttemptedCommitTs: uint64(k.AttemptedCommitTS), Key: k.Key,
			MinCommitTs: uint64(k.MinCommitTS),
		}
	case ports.KeyTxnNotFound:
		e.TxnNotFound = &kvrpcpb.TxnNotFound{StartTs: uint64(k.StartTS), PrimaryKey: k.Primary}
	case ports.KeyCommitTSTooLarge:
		e.CommitTsTooLarge = &kvrpcpb.CommitTsTooLarge{CommitTs: uint64(k.MinCommitTS)}
	case ports.KeyAssertionFailed:
		e.AssertionFailed = &kvrpcpb.AssertionFailed{
			StartTs: uint64(k.StartTS), Key: k.Key, Assertion: kvrpcpb.Assertion(k.Assertion),
			ExistingStartTs: uint64(k.ConflictTS), ExistingCommitTs: uint64(k.ConflictCommitTS),
		}
	case ports.KeyPrimaryMismatch:
		e.PrimaryMismatch = &kvrpcpb.PrimaryMismatch{LockInfo: lockToProto(&k.Lock)}
	case ports.KeyTxnLockNotFound:
		e.TxnLockNotFound = &kvrpcpb.TxnLockNotFound{Key: k.Key}
	case ports.KeyRetryable:
		e.Retryable = k.Text
	case ports.KeyAbort:
		e.Abort = k.Text
	case ports.KeyErrorOther, ports.KeyErrorNone:
	}
	return e
}

func lockToProto(l *ports.Lock) *kvrpcpb.LockInfo {
	m := &kvrpcpb.LockInfo{
		Key: l.Key, PrimaryLock: l.Primary, LockVersion: uint64(l.StartTS), LockTtl: l.TTL, TxnSize: l.TxnSize,
		LockType: kvrpcpb.Op(l.Kind), LockForUpdateTs: uint64(l.ForUpdateTS), UseAsyncCommit: l.UseAsyncCommit,
		MinCommitTs: uint64(l.MinCommitTS), Secondaries: l.Secondaries,
		DurationToLastUpdateMs: l.DurationToLastUpdate, IsTxnFile: l.IsTxnFile,
	}
	for i := range l.Shared {
		m.SharedLockInfos = append(m.SharedLockInfos, lockToProto(&l.Shared[i]))
	}
	return m
}
