package sim

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// late is a peer that does not have what its leader has. A region without any has an empty list, so that others pay
// nothing for it.
//
// Data is one engine, and what a leader has executed is there at once. A peer that falls behind keeps a copy of it
// instead: the log is not simulated, only its end.
type late struct {
	peer  ports.PeerID
	stage lateStage
	// view, seen and safe are the data, the region and the safe timestamp at which a peer that is behind has stopped;
	// missed counts what it has not applied.
	view   *mvcc.Engine
	seen   ports.Region
	safe   ports.Timestamp
	missed int
	// cut: it does not hear of its leader; since is when it has last heard of one, 0 when it never has.
	cut   bool
	since ports.Instant
	// after is the peer whose log still has to bring the split from which this one comes.
	after ports.PeerID
	// waiting are reads that wait for the peer to apply what was committed when they came.
	waiting []happening
}

// lateStage says what a peer lacks.
type lateStage uint8

const (
	// lateAbsent: its store has not heard of it.
	lateAbsent lateStage = iota
	// lateEmpty: it waits for a snapshot; lateSnapshot: it applies one.
	lateEmpty
	lateSnapshot
	// lateBehind: it does not apply what its leader has committed.
	lateBehind
)

// awaken lets a new peer come to be: its store hears of it, it waits for a snapshot, it applies it. The store has to be
// there for each step.
func (w *World) awaken(r *region, peer ports.PeerID, stage lateStage) {
	r.late = append(r.late, late{peer: peer, stage: stage})
	w.catchUpLater(r, peer)
}

func (w *World) catchUpLater(r *region, peer ports.PeerID) {
	w.After(w.now+heartbeatTime/2*ports.Instant(1+w.choose(SiteCatchUp, 16)), func() { w.catchUp(r, peer) })
}

func (w *World) catchUp(r *region, peer ports.PeerID) {
	l := r.lateness(peer)
	if l == nil {
		return
	}
	p, _ := r.Peer(peer)
	s := w.store(p.Store)
	leader, led := w.serving(r)
	switch {
	case !s.up || s.hung || !led || !w.reach(leader.Store, p.Store):
	case l.stage == lateSnapshot:
		w.onTime(r, peer)
		return
	default:
		l.stage++
	}
	w.catchUpLater(r, peer)
}

// fallBehind lets a peer apply nothing any more. False: it leads, or is late already.
func (w *World) fallBehind(r *region, peer ports.PeerID, view *mvcc.Engine) bool {
	if peer == r.Leader || r.lateness(peer) != nil {
		return false
	}
	r.late = append(r.late, late{peer: peer, stage: lateBehind, view: view, seen: r.Region, safe: r.safe.ts})
	w.note(noteBehind, uint64(r.ID), uint64(peer), 0)
	return true
}

// onTime lets a peer have everything that its leader has, and with it those that were split from it.
func (w *World) onTime(r *region, peer ports.PeerID) {
	i := slices.IndexFunc(r.late, func(l late) bool { return l.peer == peer })
	if i < 0 {
		return
	}
	l := r.late[i]
	r.late = slices.Delete(r.late, i, i+1)
	w.note(noteReady, uint64(r.ID), uint64(peer), 0)
	w.release(&l)
}

// release lets go what depends on a peer that is late no more: reads go on, whatever they find.
func (w *World) release(l *late) {
	for i := range l.waiting {
		h := w.agenda.add(w.now + executeTime*ports.Instant(1+w.choose(SiteExecute, 8)))
		*h = l.waiting[i]
	}
	if l.stage != lateBehind {
		return
	}
	for _, r := range w.regions.ordered {
		for i := len(r.late) - 1; i >= 0; i-- {
			if r.late[i].after == l.peer {
				w.onTime(r, r.late[i].peer)
			}
		}
	}
}

// dismiss releases the late peers that are members no more.
func (w *World) dismiss(r *region) {
	for i := len(r.late) - 1; i >= 0; i-- {
		if _, there := r.Peer(r.late[i].peer); !there {
			w.onTime(r, r.late[i].peer)
		}
	}
}

// miss counts a write that peers which are behind do not apply.
func (r *region) miss() {
	for i := range r.late {
		r.late[i].missed++
	}
}

// lateness returns what a peer lacks, nil when it is up to date.
func (r *region) lateness(peer ports.PeerID) *late {
	for i := range r.late {
		if r.late[i].peer == peer {
			return &r.late[i]
		}
	}
	return nil
}

// absent reports whether the store of a peer has not heard of it.
func (r *region) absent(peer ports.PeerID) bool {
	l := r.lateness(peer)
	return l != nil && l.stage == lateAbsent
}

// empty reports whether a peer has no data yet.
func (r *region) empty(peer ports.PeerID) bool {
	l := r.lateness(peer)
	return l != nil && l.stage != lateBehind
}

// eligible reports whether a peer can be made leader: it votes, has data, and lacks none
// (store/peer.rs: ready_to_transfer_leader).
func (r *region) eligible(p ports.Peer) bool {
	return p.Role != ports.RoleLearner && !p.Witness && r.lateness(p.ID) == nil
}

// inherit lets the peers of the new region of a split be as late as those that they were split from, and be moved with
// them.
func (w *World) inherit(lower, old *region, i int) {
	was, is := old.Peers[i].ID, lower.Peers[i].ID
	switch l := old.lateness(was); {
	case l == nil:
	case l.stage == lateBehind:
		lower.late = append(lower.late, late{peer: is, stage: lateAbsent, after: was})
	case l.after != 0:
		lower.late = append(lower.late, late{peer: is, stage: lateAbsent, after: l.after})
	default:
		w.awaken(lower, is, l.stage)
	}
	if m := old.moving; m != nil && m.old == was {
		lower.moving = &mover{old: is, to: m.to, same: m.same}
		w.moveLater(lower)
	}
}

// lagSomewhere lets a follower fall behind for a while.
func (w *World) lagSomewhere() {
	r := w.regions.ordered[w.choose(SiteVictim, len(w.regions.ordered))]
	p := r.Peers[w.choose(SiteCandidate, len(r.Peers))]
	w.Lag(r.ID, p.Store, w.outage())
}

// Lag lets the peer on a store apply nothing for a time: it knows what its leader has committed, and serves stale reads
// from what it has. False: there is no such peer, it leads, or is late already.
func (w *World) Lag(id ports.RegionID, on ports.StoreID, d time.Duration) bool {
	r := w.regions.byID[id]
	if r == nil {
		return false
	}
	p, ok := r.PeerOn(on)
	if !ok || p.Witness || !w.fallBehind(r, p.ID, w.engine.Clone()) {
		return false
	}
	w.count(FaultLag)
	w.After(w.now.Add(d), func() { w.endLag(r, p) })
	return true
}

// endLag lets a peer catch up, unless it does not hear of its leader now.
func (w *World) endLag(r *region, p ports.Peer) {
	leader, ok := r.leader()
	l := r.lateness(p.ID)
	if l != nil && ok && !w.reach(leader.Store, p.Store) {
		l.cut = true
		return
	}
	w.onTime(r, p.ID)
}
