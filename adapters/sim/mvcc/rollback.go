package mvcc

import (
	"fmt"

	"github.com/tikvx/tikvx/ports"
)

// BatchRollback rolls keys back, all or none (txn/commands/rollback.rs). Where there is nothing to roll back it leaves
// a record, so that a late prewrite of the transaction fails; a key that is committed is an error.
func (e *Engine) BatchRollback(req *ports.BatchRollbackRequest, reply *ports.BatchRollbackReply) {
	b := e.begin()
	for _, key := range req.Keys {
		if err := cleanup(b, e.entry(key), req.StartTS); err != nil {
			reply.Err = err
			return
		}
	}
	e.apply(b)
}

// cleanup rolls one key back whatever its lock's life (txn/actions/cleanup.rs with current_ts 0, unprotected).
func cleanup(b *batch, at *entry[columns], start ports.Timestamp) *ports.KeyError {
	if l := own(at, start); l != nil {
		rollbackLock(b, at, l)
		return nil
	}
	fate := at.value.fate(start)
	switch {
	case fate.committed():
		return committed(start, fate.own.CommitTS)
	case fate.own != nil || fate.rolledBack:
		return nil
	}
	rollbackMissing(b, at, start, fate.overlapped, false)
	return nil
}

// rollbackLock replaces a transaction's own lock by a rollback record, which is protected on the primary and on flushed
// keys (txn/actions/check_txn_status.rs: rollback_lock).
func rollbackLock(b *batch, at *entry[columns], l *Lock) {
	fate := at.value.fate(l.StartTS)
	if fate.committed() {
		panic(fmt.Sprintf("mvcc: transaction %d is committed at %d and still holds a lock", l.StartTS, fate.own.CommitTS))
	}
	if fate.own == nil && !fate.rolledBack {
		// No shared lock is a primary (rollback_shared_lock).
		primary := !at.value.lock.isShared() && string(at.key) == string(l.Primary)
		// A flushed lock may come again, and be held against what others have written meanwhile.
		writeRollback(b, at, l.StartTS, primary || l.generation > 0, fate.overlapped)
		collapse(b, at, l.StartTS)
	}
	b.unlock(at, l.StartTS, 0)
}

// rollbackMissing leaves a rollback record on a key that the transaction has not locked
// (check_txn_status.rs: check_txn_status_missing_lock).
func rollbackMissing(b *batch, at *entry[columns], start ports.Timestamp, overlapped *Write, protected bool) {
	if !protected {
		collapse(b, at, start)
	}
	if at.value.lock != nil && overlapped == nil && protected {
		markRollback(b, at, start)
	}
	writeRollback(b, at, start, protected, overlapped)
}

// writeRollback writes a rollback record; in the place of another transaction's record it becomes a mark of that
// record, if it has to be kept at all (check_txn_status.rs: make_rollback).
func writeRollback(b *batch, at *entry[columns], start ports.Timestamp, protected bool, overlapped *Write) {
	if overlapped == nil {
		b.putWrite(at, Write{CommitTS: start, StartTS: start, Kind: ports.KindRollback, Protected: protected})
		return
	}
	if protected {
		w := *overlapped
		w.OverlappedRollback, w.fenced, w.fence = true, true, at.value.after(start)
		b.putWrite(at, w)
	}
}

// collapse removes the rollback record before start, unless it is protected
// (check_txn_status.rs: collapse_prev_rollback).
func collapse(b *batch, at *entry[columns], start ports.Timestamp) {
	i := at.value.newest(start)
	if i < 0 {
		return
	}
	if w := &at.value.writes[i]; w.Kind == ports.KindRollback && !w.Protected {
		b.deleteWrite(at, w.CommitTS)
	}
}

// markRollback notes a protected rollback in the async-commit lock of another transaction, whose calculated commit
// timestamp could overwrite it (mvcc/txn.rs: mark_rollback_on_mismatching_lock).
func markRollback(b *batch, at *entry[columns], start ports.Timestamp) {
	l := *at.value.lock
	if start < l.MinCommitTS || !l.AsyncCommit {
		return
	}
	l.rollbacks = append(l.rollbacks[:len(l.rollbacks):len(l.rollbacks)], start)
	b.putLock(at, l)
}

// PessimisticRollback releases pessimistic locks of a transaction that are not newer than ForUpdateTS: those of the
// given keys, or, with no keys, all in the extent (txn/commands/pessimistic_rollback.rs and its read phase).
func (e *Engine) PessimisticRollback(
	req *ports.PessimisticRollbackRequest, x Extent, _ *ports.PessimisticRollbackReply,
) {
	b := e.begin()
	release := func(at *entry[columns]) {
		if l := own(at, req.StartTS); l != nil && l.pessimistic() && l.ForUpdateTS <= req.ForUpdateTS {
			b.unlock(at, req.StartTS, 0)
		}
	}
	if len(req.Keys) == 0 {
		e.locked(x, release)
	}
	for _, key := range req.Keys {
		release(e.entry(key))
	}
	e.apply(b)
}
