package sim

import "github.com/tikvx/tikvx/ports"

// Overload lets a store answer every request with ServerIsBusy, before it looks at who leads (src/read_pool.rs:
// check_busy_threshold; src/storage/txn/scheduler.rs: too_busy), until [World.Relieve]. It goes on in Raft all the
// same: who leads there hands over (PD: pkg/schedule/schedulers/evict_slow_store.go), and nobody is told.
func (w *World) Overload(id ports.StoreID) {
	s := w.store(id)
	if !s.up || s.overloaded {
		return
	}
	w.count(FaultOverload)
	w.note(noteOverload, uint64(id), 0, 0)
	s.overloaded = true
	for _, r := range w.regions.ordered {
		if leader, ok := r.leader(); ok && leader.Store == id {
			w.handOver(r)
		}
	}
}

// handOver lets the first peer lead that can.
func (w *World) handOver(r *region) {
	for _, p := range r.Peers {
		if next, ok := w.successor(r, p.Store); ok {
			w.lead(r, next)
			return
		}
	}
}

// Relieve ends what [World.Overload] began.
func (w *World) Relieve(id ports.StoreID) {
	s := w.store(id)
	if s.overloaded {
		s.overloaded = false
		w.note(noteRelief, uint64(id), 0, 0)
	}
}
