package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// ScanLock lists locks of every kind in a range, of transactions that began at MaxTS or earlier
// (src/storage/mod.rs: scan_lock; mvcc/reader/reader.rs: scan_locks_from_storage). Of shared locks each counts, and
// only those that were asked for are listed.
func (e *Engine) ScanLock(req *ports.ScanLockRequest, x Extent, reply *ports.ScanLockReply) {
	count := 0
	scanUp(&e.keys, req.Range, x.Contains, x.txnStart, func(at *entry[columns]) bool {
		if at.value.lock == nil {
			return true
		}
		info := at.value.lock.Info(at.key)
		members := 1
		if info.Kind == ports.KindSharedLock {
			info.Shared = slices.DeleteFunc(info.Shared, func(l ports.Lock) bool { return l.StartTS > req.MaxTS })
			if members = len(info.Shared); req.Limit != 0 {
				members = min(members, int(req.Limit)-count)
			}
			info.Shared = info.Shared[:members]
		} else if info.StartTS > req.MaxTS {
			members = 0
		}
		if members > 0 {
			reply.Locks = append(reply.Locks, info)
		}
		count += members
		return req.Limit == 0 || count < int(req.Limit)
	})
}
