package mvcc

import "github.com/tikvx/tikvx/ports"

// MemoryLock is the lock of a prewrite that has chosen its commit timestamp and is not applied yet. It stands in the
// memory of the leader's store, where reads look before they look at the data (components/concurrency_manager).
type MemoryLock struct {
	Key []byte
	// StartTS is the transaction of the lock.
	StartTS ports.Timestamp
	lock    Lock
	// onePC: the key will never be locked in the data.
	onePC bool
}

// Prepare returns the locks that a prewrite with async commit or 1PC keeps in memory until [Engine.PrewriteOn] with the
// same terms applies it: none when it is refused, or has fallen back. Nothing is changed.
func (e *Engine) Prepare(t Terms, req *ports.PrewriteRequest) []MemoryLock {
	p := e.prepare(t, req, &ports.PrewriteReply{})
	if p == nil || p.committed {
		return nil
	}
	var list []MemoryLock
	for i := range p.batch.changes {
		if c := &p.batch.changes[i]; c.kind == putLock && (c.lock.AsyncCommit || p.onePC) {
			list = append(list, MemoryLock{Key: c.at.key, StartTS: c.lock.StartTS, lock: c.lock, onePC: p.onePC})
		}
	}
	return list
}

// Info is the lock as TiKV reports it.
func (m *MemoryLock) Info() ports.Lock { return m.lock.Info(m.Key) }

// Meets returns the error of a read that a lock in memory is in the way of, nil when it is not. That the reader knows
// the transaction to be committed does not help it (src/storage/mod.rs: prepare_snap_ctx; components/txn_types/src/
// lock.rs: check_ts_conflict).
func (s *Snapshot) Meets(m *MemoryLock) *ports.KeyError {
	switch s.Isolation {
	case ports.IsolationRC:
		return nil
	case ports.IsolationRCCheckTS:
		return s.lockedAnew(m.Key, &m.lock)
	case ports.IsolationSI:
	}
	l, plain := m.lock, *s
	// A read of the newest version may pass by a primary that is not committed, but this one may be at once.
	l.AsyncCommit, plain.Committed = l.AsyncCommit || m.onePC, nil
	if plain.conflict(m.Key, &l) == ignoreLock {
		return nil
	}
	return keyIsLocked(m.Key, &m.lock)
}
