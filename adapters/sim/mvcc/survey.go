package mvcc

import "github.com/tikvx/tikvx/ports"

// Pessimistic reports whether a key of the extent has a pessimistic lock.
func (e *Engine) Pessimistic(x Extent) bool {
	for at := e.keys.seekFunc(x.txnStart); ; at = e.keys.next(at) {
		entry := e.keys.at(at)
		if entry == nil || x.txnEnd(entry.key) {
			return false
		}
		if entry.value.lock != nil && entry.value.lock.pessimistic() {
			return true
		}
	}
}

// Oldest returns the start of the oldest transaction that has locked data of the extent, [ports.MaxTimestamp] when
// there is none. Pessimistic locks and those that lock only do not count (components/resolved_ts/src/cmd.rs:
// decode_lock). For a transaction whose locks were flushed, large tells from which timestamp on it may be committed,
// and whether it still may (resolver.rs: oldest_transaction).
func (e *Engine) Oldest(x Extent, large func(start ports.Timestamp) (ports.Timestamp, bool)) ports.Timestamp {
	oldest := ports.MaxTimestamp
	for at := e.keys.seekFunc(x.txnStart); ; at = e.keys.next(at) {
		entry := e.keys.at(at)
		if entry == nil || x.txnEnd(entry.key) {
			return oldest
		}
		l := entry.value.lock
		switch {
		case l == nil || l.Kind != ports.KindPut && l.Kind != ports.KindDelete:
		case l.generation == 0:
			oldest = min(oldest, l.StartTS)
		default:
			if ts, running := large(l.StartTS); running {
				oldest = min(oldest, ts-1)
			}
		}
	}
}
