package mvcc

import "github.com/tikvx/tikvx/ports"

// ResolveLock commits (CommitTS > 0) or rolls back the locks of a transaction: the given keys, or, with no keys, all in
// the extent, also those of several transactions (txn/commands/resolve_lock_lite.rs; resolve_lock_readphase.rs and
// resolve_lock.rs).
func (e *Engine) ResolveLock(req *ports.ResolveLockRequest, x Extent, reply *ports.ResolveLockReply) {
	b := e.begin()
	if len(req.Keys) > 0 {
		for _, key := range req.Keys {
			if reply.Err = resolveKey(b, e.entry(key), req.StartTS, req.CommitTS); reply.Err != nil {
				return
			}
		}
		e.apply(b)
		return
	}
	resolve := func(at *entry[columns], l *Lock) {
		start := l.StartTS
		commit, concerned := decision(req, start)
		switch {
		case !concerned || l.memory || reply.Err != nil:
			// What is only in memory is not looked for (resolve_lock_readphase.rs: scan_locks_from_storage).
		case commit != 0 && commit <= start:
			reply.Err = invalidTxnTSO(start, commit)
		default:
			reply.Err = resolveKey(b, at, start, commit)
		}
	}
	e.locked(x, func(at *entry[columns]) {
		if at.value.lock.shared == nil {
			resolve(at, at.value.lock)
			return
		}
		for i := range at.value.lock.shared.members {
			resolve(at, &at.value.lock.shared.members[i])
		}
	})
	if reply.Err == nil {
		e.apply(b)
	}
}

// decision is what a request says of a transaction, if anything; of two answers it takes the last
// (txn/commands/mod.rs: From<ResolveLockRequest>).
func decision(req *ports.ResolveLockRequest, start ports.Timestamp) (commit ports.Timestamp, concerned bool) {
	if req.StartTS != 0 {
		return req.CommitTS, start == req.StartTS
	}
	for i := len(req.Txns) - 1; i >= 0; i-- {
		if req.Txns[i].StartTS == start {
			return req.Txns[i].CommitTS, true
		}
	}
	return 0, false
}

func resolveKey(b *batch, at *entry[columns], start, commit ports.Timestamp) *ports.KeyError {
	if commit != 0 {
		return commitKey(b, at, start, commit)
	}
	return cleanup(b, at, start)
}

// locked calls f for every locked key of an extent, in key order. f must not change the order of keys.
func (e *Engine) locked(x Extent, f func(at *entry[columns])) {
	at := e.keys.seekFunc(func(key []byte) bool { return compareEncoded(key, x.Start) >= 0 })
	for ; ; at = e.keys.next(at) {
		entry := e.keys.at(at)
		if entry == nil || !x.Contains(entry.key) {
			return
		}
		if entry.value.lock != nil {
			f(entry)
		}
	}
}
