package sim

import "github.com/tikvx/tikvx/adapters/sim/mvcc"

// keeps decides what becomes of the pessimistic locks of a request.
func (w *World) keeps() mvcc.Keep {
	keep := mvcc.Keep(w.choice(SiteKeep, 3))
	if keep == mvcc.KeepNothing {
		w.count(FaultLostLock)
	}
	return keep
}

// forgetLocks lets a region's new leader know nothing of the locks that were in the memory of the last. One that hands
// over in peace has written them down before, unless it was asked for more in between
// (components/raftstore/src/store/fsm/peer.rs: propose_locks_before_transfer_leader).
func (w *World) forgetLocks(r *region, handedOver bool) {
	x := r.extent()
	if handedOver && (!w.engine.InMemory(x) || w.choice(SiteHandOver, 2) == 0) {
		w.engine.ReplicateLocks(x)
		return
	}
	if w.engine.LoseLocks(x) > 0 {
		w.count(FaultLostLock)
	}
}
