package txn

import (
	"bytes"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// failureOf says what a key error means to the transaction that met it, when it is
// not one that the machines handle themselves.
func failureOf(e *ports.KeyError) sm.Failure {
	f := sm.Failure{KeyError: e.Clone()}
	switch e.Kind {
	case ports.KeyWriteConflict:
		f.Code = sm.FailConflict
		if e.Reason == ports.ConflictSelfRolledBack {
			f.Code = sm.FailTxnAborted
		}
	case ports.KeyAlreadyExists:
		f.Code = sm.FailKeyExists
	case ports.KeyRetryable, ports.KeyDeadlock, ports.KeyTxnLockNotFound:
		// TiKV gave this transaction up; another run may succeed.
		f.Code = sm.FailTxnAborted
	case ports.KeyErrorOther, ports.KeyAbort:
		f.Code, f.Text = sm.FailRejected, "TiKV aborted the request"
	case ports.KeyAssertionFailed:
		f.Code, f.Text = sm.FailRejected, "an assertion failed"
	case ports.KeyErrorNone, ports.KeyLocked, ports.KeyCommitTSExpired, ports.KeyTxnNotFound,
		ports.KeyCommitTSTooLarge, ports.KeyPrimaryMismatch:
		f.Code, f.Text = sm.FailProtocol, "a key error that does not belong to the request"
	default:
		f.Code, f.Text = sm.FailProtocol, "an unknown key error"
	}
	return f
}

// lockedByLater describes the lock of a transaction that began after this one as
// the conflict that it becomes when that one commits.
func lockedByLater(start ports.Timestamp, l *ports.Lock, holder ports.Timestamp) sm.Failure {
	return sm.Failure{Code: sm.FailConflict, KeyError: &ports.KeyError{
		Kind: ports.KeyWriteConflict, Key: bytes.Clone(l.Key), Primary: bytes.Clone(l.Primary),
		StartTS: start, ConflictTS: holder, Reason: ports.ConflictOptimistic,
	}}
}

// malformed describes a reply of the wrong kind.
func malformed() sm.Failure {
	return sm.Failure{Code: sm.FailProtocol, Text: "reply of another verb"}
}
