package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// late is a peer that does not have what its leader has. A region without any has an empty list, so that others pay
// nothing for it.
type late struct {
	peer  ports.PeerID
	stage lateStage
}

// lateStage says what a peer lacks.
type lateStage uint8

const (
	// lateAbsent: its store has not heard of it.
	lateAbsent lateStage = iota
	// lateEmpty: it waits for a snapshot; lateSnapshot: it applies one.
	lateEmpty
	lateSnapshot
)

// awaken lets a peer be late, and be no more when it has caught up, which its store has to be there for.
func (w *World) awaken(r *region, peer ports.PeerID, stage lateStage) {
	r.late = append(r.late, late{peer: peer, stage: stage})
	w.catchUpLater(r, peer)
}

func (w *World) catchUpLater(r *region, peer ports.PeerID) {
	w.After(w.now+heartbeatTime/2*ports.Instant(1+w.choose(SiteCatchUp, 16)), func() { w.catchUp(r, peer) })
}

func (w *World) catchUp(r *region, peer ports.PeerID) {
	i := slices.IndexFunc(r.late, func(l late) bool { return l.peer == peer })
	if i < 0 {
		return
	}
	p, _ := r.Peer(peer)
	s := w.store(p.Store)
	l := &r.late[i]
	_, led := w.serving(r)
	switch {
	case !s.up || s.hung || !led:
	case l.stage == lateSnapshot:
		r.late = slices.Delete(r.late, i, i+1)
		w.note(noteReady, uint64(r.ID), uint64(peer), 0)
		return
	default:
		l.stage++
	}
	w.catchUpLater(r, peer)
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

// eligible reports whether a peer can be made leader: it votes, has data, and lacks none
// (store/peer.rs: ready_to_transfer_leader).
func (r *region) eligible(p ports.Peer) bool {
	return p.Role != ports.RoleLearner && !p.Witness && r.lateness(p.ID) == nil
}

// absent reports whether the store of a peer has not heard of it.
func (r *region) absent(peer ports.PeerID) bool {
	l := r.lateness(peer)
	return l != nil && l.stage == lateAbsent
}

// empty reports whether a peer has no data yet.
func (r *region) empty(peer ports.PeerID) bool {
	l := r.lateness(peer)
	return l != nil && l.stage <= lateSnapshot
}

// inherit lets the peers of the new region of a split be as late as those that they were split from, and be moved with
// them.
func (w *World) inherit(lower, old *region, i int) {
	was, is := old.Peers[i].ID, lower.Peers[i].ID
	if l := old.lateness(was); l != nil {
		w.awaken(lower, is, l.stage)
	}
	if m := old.moving; m != nil && m.old == was {
		lower.moving = &mover{old: is, to: m.to, same: m.same}
		w.moveLater(lower)
	}
}
