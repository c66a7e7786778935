package sim

import (
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// detection is the deadlock detector of the cluster: that of the store which leads the region of the empty key. Others
// send it what they know (src/server/lock_manager/deadlock.rs: Detector, LEADER_KEY).
type detection struct {
	table mvcc.Detector
	// epoch and term are the region's, leader and incarnation those of the store, when the table was last used: with any
	// change of them it is lost.
	region            ports.RegionVersion
	term, incarnation uint64
	leader            ports.StoreID
}

// detector returns the store whose detector counts, nil when there is none, with an empty table if it has just begun.
func (w *World) detector() *store {
	r := w.regions.ordered[0]
	leader, ok := r.leader()
	if !ok {
		return nil
	}
	s := w.store(leader.Store)
	now := detection{region: r.RegionVersion, term: r.term, incarnation: s.incarnation, leader: s.id}
	if d := &w.deadlocks; d.region != now.region || d.term != now.term || d.incarnation != now.incarnation ||
		d.leader != now.leader {
		*d = now
	}
	return s
}

// tellDetector brings something to the detector. It is lost when there is none, when it is not reached, or when there
// is another by the time that it is there: the wait then just ends with its time (Detector::handle_detect).
func (w *World) tellDetector(s *store, f func(to *store)) {
	to := w.detector()
	if to == nil || !w.reach(s.id, to.id) {
		return
	}
	at := w.now
	if to != s {
		at += w.travel()
	}
	s.waits.told = max(s.waits.told, at)
	w.inProcess(to, s.waits.told, func() {
		if w.detector() == to {
			f(to)
		}
	})
}

// detect tells the detector that a request waits (Detector::handle_detect_locally, handle_detect_rpc).
func (w *World) detect(s *store, l *lockWait) {
	waits := l.waits()
	w.tellDetector(s, func(to *store) {
		for _, wait := range waits {
			chain := w.deadlocks.table.Detect(w.now, wait)
			switch {
			case chain == nil:
				continue
			case !w.reach(to.id, s.id):
				return
			}
			at := w.now
			if to != s {
				at += w.travel()
			}
			w.inProcess(s, at, func() { w.onDeadlock(s, chain) })
			return
		}
	})
}

// forget tells the detector that a wait is over.
func (w *World) forget(s *store, l *lockWait) {
	waits := l.waits()
	w.tellDetector(s, func(*store) {
		for _, wait := range waits {
			w.deadlocks.table.Forget(wait)
		}
	})
}

// onDeadlock ends the wait that has closed a cycle: of the same transaction and key, the last that has begun
// (waiter_manager.rs: handle_deadlock, WaitTable).
func (w *World) onDeadlock(s *store, chain []ports.WaitFor) {
	closing := &chain[len(chain)-1]
	for _, l := range slices.Backward(s.waits.list) {
		if l.waiter.StartTS == closing.Txn && ports.KeyHash(l.waiter.Key) == closing.KeyHash {
			w.failWait(s, l, mvcc.Deadlock(chain))
			return
		}
	}
}
