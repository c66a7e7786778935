package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// mover is what PD does to bring a peer to another store, or to replace it on its own: one step after the other, each
// looking at what the region has become by then (PD: pkg/schedule/operator/builder.go: buildStepsWithJointConsensus).
//
//	another store: add learner ─▶ promote it and demote the old one ─▶ leave joint consensus ─▶ remove the old one
//	the same:      remove ─▶ add learner ─▶ promote it
//
// Who shall lose its vote does not lead by then: leadership is transferred before, or in joint consensus.
type mover struct {
	old  ports.PeerID
	to   ports.StoreID
	same bool
}

// MovePeer brings a region's peer from one store to another, or, when they are the same, replaces it by a new one.
// False: there is no such peer, there is one already, or the region is busy with another change.
func (w *World) MovePeer(id ports.RegionID, from, to ports.StoreID) bool {
	r := w.regions.byID[id]
	if r == nil || to == 0 || int(to) > len(w.stores) || r.moving != nil || r.merging != nil {
		return false
	}
	old, ok := r.PeerOn(from)
	if _, taken := r.PeerOn(to); !ok || old.Role != ports.RoleVoter || taken != (from == to) {
		return false
	}
	r.moving = &mover{old: old.ID, to: to, same: from == to}
	w.moveLater(r)
	return true
}

func (w *World) moveLater(r *region) {
	w.After(w.now+operatorTime/4*ports.Instant(1+w.choose(SiteMovePeer, 16)), func() { w.move(r) })
}

// move takes the next step of a move, until there is none. A region that merges has other worries, one that is gone
// has none.
func (w *World) move(r *region) {
	if w.regions.byID[r.ID] != r {
		return
	}
	if !w.moved(r, r.moving) {
		w.moveLater(r)
		return
	}
	r.moving = nil
}

// moved takes a step, and reports whether everything is done.
func (w *World) moved(r *region, m *mover) bool {
	old, before := r.Peer(m.old)
	fresh, there := r.PeerOn(m.to)
	there = there && fresh.ID != m.old
	switch {
	case r.joint():
		if !w.ChangePeers(r.ID) {
			w.relieve(r)
		}
	case m.same && before:
		if r.Leader == old.ID {
			w.relieve(r)
		} else {
			w.ChangePeers(r.ID, PeerChange{Store: old.Store, Kind: ChangeToNothing})
		}
	case !there:
		w.ChangePeers(r.ID, PeerChange{Store: m.to, Kind: ChangeToLearner})
	case r.lateness(fresh.ID) != nil:
	case fresh.Role == ports.RoleLearner && before:
		if r.Leader == old.ID && w.choose(SiteMovePeer, 2) == 0 {
			w.relieve(r)
			return false
		}
		w.ChangePeers(r.ID, PeerChange{Store: m.to, Kind: ChangeToVoter}, PeerChange{Store: old.Store, Kind: ChangeToLearner})
	case fresh.Role == ports.RoleLearner:
		w.ChangePeers(r.ID, PeerChange{Store: m.to, Kind: ChangeToVoter})
	case before:
		w.ChangePeers(r.ID, PeerChange{Store: old.Store, Kind: ChangeToNothing})
	default:
		return true
	}
	return false
}

// relieve lets another peer lead a region, one that will vote on.
func (w *World) relieve(r *region) {
	able := slices.DeleteFunc(w.candidates(r, r.Peers), func(p ports.Peer) bool {
		_, can := w.successor(r, p.Store)
		return !can || p.ID == r.moving.old
	})
	if len(able) > 0 {
		w.forgetLocks(r, true)
		w.lead(r, able[w.choose(SiteCandidate, len(able))].ID)
	}
}

// movePeerSomewhere moves or replaces a peer of some region.
func (w *World) movePeerSomewhere() {
	r := w.regions.ordered[w.choose(SiteVictim, len(w.regions.ordered))]
	from := r.Peers[w.choose(SiteCandidate, len(r.Peers))].Store
	stores := w.vacant(r, from)
	w.MovePeer(r.ID, from, stores[w.choose(SiteMovePeer, len(stores))])
}

// vacant returns the stores to which a region's peer on a store can be moved; the last one is its own.
func (w *World) vacant(r *region, from ports.StoreID) []ports.StoreID {
	var list []ports.StoreID
	for _, s := range w.stores {
		if _, taken := r.PeerOn(s.id); !taken {
			list = append(list, s.id)
		}
	}
	return append(list, from)
}
