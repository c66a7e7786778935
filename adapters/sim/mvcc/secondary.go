package mvcc

import "github.com/tikvx/tikvx/ports"

// CheckSecondaryLocks says what became of secondaries of an async-commit transaction: all locked, or committed, or
// rolled back, which a key that is not locked is from then on (txn/commands/check_secondary_locks.rs). It stops at the
// first key that is not locked.
//
// The store's max_ts has to be raised to StartTS, so that no calculated commit timestamp meets the rollback.
func (e *Engine) CheckSecondaryLocks(req *ports.CheckSecondaryLocksRequest, reply *ports.CheckSecondaryLocksReply) {
	b := e.begin()
	for _, key := range req.Keys {
		at := e.entry(key)
		if l := alone(at, req.StartTS); l != nil && !l.pessimistic() {
			reply.Locks = append(reply.Locks, l.Info(at.key))
			continue
		}
		reply.Locks = nil
		reply.CommitTS = secondary(b, at, req.StartTS)
		break
	}
	e.apply(b)
}

// alone returns the lock that a transaction holds alone. Transactions with shared locks do not commit asynchronously: a
// shared lock counts for nothing here (check_secondary_locks.rs: process_write).
func alone(at *entry[columns], start ports.Timestamp) *Lock {
	if at.value.lock.isShared() {
		return nil
	}
	return own(at, start)
}

// secondary decides a key that is not prewritten, and returns the commit timestamp of one that is committed
// (check_secondary_locks.rs: check_status_from_lock, check_determined_txn_status).
func secondary(b *batch, at *entry[columns], start ports.Timestamp) ports.Timestamp {
	if alone(at, start) != nil {
		b.unlock(at, start, 0) // a pessimistic lock, of a transaction that is decided or decided now
	} else if fate := at.value.fate(start); at.value.lock != nil && fate.own == nil && !fate.rolledBack {
		markRollback(b, at, start)
	}
	fate := at.value.fate(start)
	switch {
	case fate.committed():
		return fate.own.CommitTS
	case fate.own == nil && !fate.rolledBack:
		// Protected, lest a late pessimistic lock and its prewrite succeed after all.
		writeRollback(b, at, start, true, fate.overlapped)
		collapse(b, at, start)
	}
	return 0
}
