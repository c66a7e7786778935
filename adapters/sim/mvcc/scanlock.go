package mvcc

import "github.com/tikvx/tikvx/ports"

// ScanLock lists locks of every kind in a range, of transactions that began at MaxTS or earlier
// (src/storage/mod.rs: scan_lock; mvcc/reader/reader.rs: scan_locks_from_storage).
func (e *Engine) ScanLock(req *ports.ScanLockRequest, x Extent, reply *ports.ScanLockReply) {
	scanUp(&e.keys, req.Range, x.Contains, x.txnStart, func(at *entry[columns]) bool {
		if at.value.locked && at.value.lock.StartTS <= req.MaxTS {
			reply.Locks = append(reply.Locks, at.value.lock.Info(at.key))
		}
		return req.Limit == 0 || len(reply.Locks) < int(req.Limit)
	})
}
