package mvcc

import (
	"fmt"

	"github.com/tikvx/tikvx/ports"
)

// The errors below are filled in as errors.rs: extract_key_error does. What it does not know, it reports as an abort
// with a text.

func keyIsLocked(key []byte, l *Lock) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyLocked, Lock: l.Info(key)}
}

func writeConflict(
	key, primary []byte, start ports.Timestamp, w *Write, reason ports.ConflictReason,
) *ports.KeyError {
	return &ports.KeyError{
		Kind: ports.KeyWriteConflict, Key: key, Primary: primary, StartTS: start,
		ConflictTS: w.StartTS, ConflictCommitTS: w.CommitTS, Reason: reason,
	}
}

func alreadyExists(key []byte) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyAlreadyExists, Key: key}
}

func txnLockNotFound(key []byte) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyTxnLockNotFound, Key: key, Text: "Txn(Mvcc(TxnLockNotFound))"}
}

func txnNotFound(primary []byte, start ports.Timestamp) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyTxnNotFound, Primary: primary, StartTS: start}
}

func commitTSExpired(key []byte, start, commit, minCommit ports.Timestamp) *ports.KeyError {
	return &ports.KeyError{
		Kind: ports.KeyCommitTSExpired, Key: key, StartTS: start, AttemptedCommitTS: commit, MinCommitTS: minCommit,
	}
}

func primaryMismatch(key []byte, l *Lock) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyPrimaryMismatch, Lock: l.Info(key)}
}

func abort(format string, args ...any) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyAbort, Text: fmt.Sprintf(format, args...)}
}

func committed(start, commit ports.Timestamp) *ports.KeyError {
	return abort("Txn(Mvcc(Committed { start_ts: %d, commit_ts: %d }))", start, commit)
}

func invalidTxnTSO(start, commit ports.Timestamp) *ports.KeyError {
	return abort("Txn(InvalidTxnTso { start_ts: %d, commit_ts: %d })", start, commit)
}
