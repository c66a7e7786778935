package mvcc

import "github.com/tikvx/tikvx/ports"

// ResolveLock commits (CommitTS > 0) or rolls back the locks of a transaction: the given keys, or, with no keys, all in
// the extent (txn/commands/resolve_lock_lite.rs; resolve_lock_readphase.rs and resolve_lock.rs).
func (e *Engine) ResolveLock(req *ports.ResolveLockRequest, x Extent, reply *ports.ResolveLockReply) {
	b := e.begin()
	if len(req.Keys) > 0 {
		for _, key := range req.Keys {
			if reply.Err = resolveKey(b, e.entry(key), req); reply.Err != nil {
				return
			}
		}
		e.apply(b)
		return
	}
	e.locked(x, func(at *entry[columns]) {
		l := own(at, req.StartTS)
		if l == nil || l.memory || reply.Err != nil {
			// What is only in memory is not looked for (resolve_lock_readphase.rs: scan_locks_from_storage).
			return
		}
		if req.CommitTS != 0 && req.CommitTS <= req.StartTS {
			reply.Err = invalidTxnTSO(req.StartTS, req.CommitTS)
			return
		}
		reply.Err = resolveKey(b, at, req)
	})
	if reply.Err == nil {
		e.apply(b)
	}
}

func resolveKey(b *batch, at *entry[columns], req *ports.ResolveLockRequest) *ports.KeyError {
	if req.CommitTS != 0 {
		return commitKey(b, at, req.StartTS, req.CommitTS)
	}
	return cleanup(b, at, req.StartTS)
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
