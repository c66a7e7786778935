package mvcc

import (
	"fmt"

	"github.com/tikvx/tikvx/ports"
)

// PrepareFlashback rolls back every lock in the range and in the extent but the flashback's own, and then locks the
// first key that has a newer version than the one to go back to, with the value that it shall have. The lock keeps the
// resolved timestamp of the region from advancing (txn/actions/flashback_to_version.rs: rollback_locks,
// prewrite_flashback_key; txn/commands/flashback_to_version_read_phase.rs).
func (e *Engine) PrepareFlashback(q *ports.PrepareFlashbackToVersionRequest, x Extent) {
	b := e.begin()
	e.locked(x, func(at *entry[columns]) {
		if !q.Range.Contains(at.key) {
			return
		}
		l := at.value.lock
		if l.shared == nil && l.StartTS != q.StartTS {
			rollbackLock(b, at, l)
		}
		for i := range l.Shared() {
			rollbackLock(b, at, &l.Shared()[i])
		}
	})
	e.apply(b)
	first := e.firstChanged(q.Range, x, q.Version)
	if first == nil || first.value.lock != nil {
		return
	}
	l := Lock{Kind: ports.KindDelete, Primary: first.key, StartTS: q.StartTS, TxnSize: 1}
	if w := first.value.visible(q.Version); w != nil {
		l.Kind, l.Value = ports.KindPut, w.Value
	}
	b = e.begin()
	b.putLock(first, l)
	e.apply(b)
}

// Flashback writes, for every key that has changed since a version, what it was then, and commits the lock of the
// preparation. It answers with an error text, or with false when there was no preparation: neither is its lock there,
// nor its commit, or the region is not in the state that it brings (flashback_to_version_write, commit_flashback_key,
// check_flashback_commit). Once it is finished, it may be asked for again.
func (e *Engine) Flashback(
	q *ports.FlashbackToVersionRequest, x Extent, inFlashback bool,
) (text string, prepared bool) {
	if q.CommitTS <= q.StartTS {
		return fmt.Sprintf("Invalid transaction tso with start_ts:%d, commit_ts:%d", q.StartTS, q.CommitTS), true
	}
	first := e.firstChanged(q.Range, x, q.Version)
	if first == nil {
		return "", true
	}
	if first.value.lock == nil {
		return "", first.value.holds(q.StartTS, q.CommitTS)
	}
	l := first.value.lock
	if l.shared != nil || l.StartTS != q.StartTS || !inFlashback {
		return "", false
	}
	b := e.begin()
	e.changed(q.Range, x, q.Version, func(at *entry[columns]) bool {
		if at == first || at.value.changed() >= q.CommitTS {
			return true
		}
		w := Write{CommitTS: q.CommitTS, StartTS: q.StartTS, Kind: ports.KindDelete}
		if old := at.value.visible(q.Version); old != nil {
			w.Kind, w.Value = ports.KindPut, old.Value
		}
		b.putWrite(at, w)
		return true
	})
	b.putWrite(first, Write{CommitTS: q.CommitTS, StartTS: q.StartTS, Kind: l.Kind, Value: l.Value})
	b.unlock(first, q.StartTS, q.CommitTS)
	e.apply(b)
	return "", true
}

// holds reports whether there is a record of a transaction at a commit timestamp.
func (c *columns) holds(start, commit ports.Timestamp) bool {
	i := c.newest(commit)
	return i >= 0 && c.writes[i].CommitTS == commit && c.writes[i].StartTS == start
}

// changed is when the data of a key changed last, 0 if it never did.
func (c *columns) changed() ports.Timestamp {
	for i := len(c.writes) - 1; i >= 0; i-- {
		if c.writes[i].data() {
			return c.writes[i].CommitTS
		}
	}
	return 0
}

// changed walks the keys whose data has changed since a version, until f returns false (mvcc/reader/reader.rs:
// scan_latest_user_keys).
func (e *Engine) changed(r ports.KeyRange, x Extent, since ports.Timestamp, f func(*entry[columns]) bool) {
	scanUp(&e.keys, r, x.Contains, x.txnStart, func(at *entry[columns]) bool {
		return at.value.changed() <= since || f(at)
	})
}

// firstChanged returns the first of them, nil when there is none (get_first_user_key).
func (e *Engine) firstChanged(r ports.KeyRange, x Extent, since ports.Timestamp) (first *entry[columns]) {
	e.changed(r, x, since, func(at *entry[columns]) bool {
		first = at
		return false
	})
	return first
}

// DeleteRange removes all locks and records of the keys that lie in the range and in the extent, without a trace
// (src/storage/mod.rs: delete_range; raftstore: store/fsm/apply.rs: handle_delete_range). Locks that are in the memory
// of a leader only stay.
func (e *Engine) DeleteRange(r ports.KeyRange, x Extent) {
	at, _ := e.keys.seek(r.Start)
	for {
		entry := e.keys.at(at)
		if entry == nil || !r.Contains(entry.key) {
			return
		}
		switch l := entry.value.lock; {
		case !x.Contains(entry.key):
			at = e.keys.next(at)
		case l != nil && l.memory:
			entry.value.writes = nil
			at = e.keys.next(at)
		default:
			at = e.keys.remove(at)
		}
	}
}
