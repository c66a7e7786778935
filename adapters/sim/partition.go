package sim

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// leaseTime is how long a leader reads by itself after it has last heard of a majority; a new one is elected later than
// that (raftstore: store/config.rs: raft-store-max-leader-lease < raft-election-timeout-ticks).
const leaseTime = electionTime * 9 / 10

// Sever lets two stores hear nothing of each other until [World.Mend]; clients and PD reach both. A leader that reaches
// no majority goes on reading for the rest of its lease, then answers nothing, and stops leading when another would be
// elected; whoever does not hear of a leader that has one falls behind.
func (w *World) Sever(a, b ports.StoreID) {
	w.connect(a, b, false)
	w.rearrange()
}

// Mend lets two stores hear each other again.
func (w *World) Mend(a, b ports.StoreID) {
	w.connect(a, b, true)
	w.rearrange()
}

// Isolate severs a store from all others.
func (w *World) Isolate(id ports.StoreID) {
	w.count(FaultPartition)
	for _, s := range w.stores {
		w.connect(id, s.id, false)
	}
	w.rearrange()
}

// Rejoin mends what [World.Isolate] or [World.Sever] did to a store.
func (w *World) Rejoin(id ports.StoreID) {
	for _, s := range w.stores {
		w.connect(id, s.id, true)
	}
	w.rearrange()
}

// connect decides whether two stores hear each other.
func (w *World) connect(a, b ports.StoreID, hear bool) {
	switch {
	case a == b || w.reach(a, b) == hear:
		return
	case hear:
		w.severed--
		w.note(noteMended, uint64(a), uint64(b), 0)
	default:
		w.severed++
		w.note(noteSevered, uint64(a), uint64(b), 0)
	}
	w.store(a).severed ^= 1 << (b - 1)
	w.store(b).severed ^= 1 << (a - 1)
}

// reach reports whether two stores hear each other.
func (w *World) reach(a, b ports.StoreID) bool { return w.store(a).severed&(1<<(b-1)) == 0 }

// rearrange lets all regions notice who reaches whom.
func (w *World) rearrange() {
	var view *mvcc.Engine
	for _, r := range w.regions.ordered {
		w.separate(r, &view, w.now)
	}
}

// separate lets a region notice whether its leader has a majority. Those whom a leader that has one does not reach fall
// behind, with a copy of the data that view keeps for the next; since is when they have last heard of a leader, 0 when
// they never have. Those who hear of it again catch up.
func (w *World) separate(r *region, view **mvcc.Engine, since ports.Instant) {
	leader, ok := r.leader()
	if !ok || w.store(leader.Store).hung || r.recovering {
		return // whoever is elected sees to it
	}
	switch alone := !w.elects(r, r.Peers, leader); {
	case alone && r.cut == 0:
		w.cutOff(r, w.now)
		w.elect(r)
		return
	case alone:
		return
	case r.cut != 0:
		w.cutOff(r, 0)
	}
	for _, p := range r.Peers {
		reached := w.reach(leader.Store, p.Store)
		switch l := r.lateness(p.ID); {
		case !reached && l == nil && !p.Witness:
			if *view == nil {
				*view = w.engine.Clone()
			}
			if w.fallBehind(r, p.ID, *view) {
				l = r.lateness(p.ID)
				l.cut, l.since = true, since
			}
		case reached && l != nil && l.cut:
			w.After(w.now+heartbeatTime*ports.Instant(1+w.choose(SiteCatchUp, 16)), func() { w.hearAgain(r, p) })
		}
	}
}

// hearAgain lets a peer that was cut off have what it has missed, unless it is cut off again.
func (w *World) hearAgain(r *region, p ports.Peer) {
	leader, ok := r.leader()
	if l := r.lateness(p.ID); ok && l != nil && l.cut && w.reach(leader.Store, p.Store) {
		w.onTime(r, p.ID)
	}
}

// elects reports whether a peer is elected, or goes on to lead, by those whom it reaches.
func (w *World) elects(r *region, peers []ports.Peer, candidate ports.Peer) bool {
	return majority(peers, func(p ports.Peer) bool { return w.runs(r, p) && w.reach(candidate.Store, p.Store) })
}

// majority reports whether the peers for which something holds are a majority: of those that voted before a change of
// peers, and of those that will after it.
func majority(peers []ports.Peer, holds func(ports.Peer) bool) bool {
	var votes, voters [2]int // before, after
	for _, p := range peers {
		if p.Role == ports.RoleLearner {
			continue
		}
		for side, leaves := range [...]ports.PeerRole{ports.RoleIncomingVoter, ports.RoleDemotingVoter} {
			if p.Role != leaves {
				voters[side]++
				if holds(p) {
					votes[side]++
				}
			}
		}
	}
	return votes[0] > voters[0]/2 && votes[1] > voters[1]/2
}

// runs reports whether a peer takes part in its region.
func (w *World) runs(r *region, p ports.Peer) bool {
	s := w.store(p.Store)
	return s.up && !s.hung && !r.empty(p.ID)
}

// stalls lets a request wait at a leader that has lost its majority: what it proposes is not committed, and it does not
// know any more whether it may read once its lease is over.
func (w *World) stalls(h *happening) bool {
	hdr := &h.call.hdr
	r := w.regions.byID[hdr.Region.ID]
	if r == nil || r.cut == 0 || hdr.Peer.ID != r.Leader || hdr.Peer.Store != h.store.id ||
		hdr.Region.Epoch.Version != r.Epoch.Version {
		return false
	}
	if reads := !writes(h.call.req.Verb()); reads && (hdr.StaleRead || w.now < r.cut+leaseTime) {
		return false
	}
	h.call.uses++
	r.stalled = append(r.stalled, *h)
	w.limit(h.call)
	return true
}

// unstall lets requests go on that have waited for a majority: they are executed, or their proposer is no leader any
// more and drops them (store/peer.rs: on_role_changed).
func (w *World) unstall(r *region) {
	stalled := r.stalled
	r.stalled = nil
	for i := range stalled {
		h := w.agenda.add(w.now + executeTime*ports.Instant(1+w.choose(SiteExecute, 8)))
		*h = stalled[i]
		h.stalled = true
	}
}

// stepDown ends a leadership that nobody supports, without another one (raft-rs: check_quorum).
func (w *World) stepDown(r *region) {
	r.Leader = 0
	r.term++
	w.note(noteLeader, uint64(r.ID), 0, r.term)
	w.cutOff(r, 0)
}

// cutOff notes since when the leader of a region has no majority, 0 when it has one, or there is no such leader any
// more; then who waits for it goes on.
func (w *World) cutOff(r *region, since ports.Instant) {
	if (r.cut == 0) != (since == 0) {
		if since == 0 {
			w.cut--
		} else {
			w.cut++
		}
	}
	r.cut = since
	if since == 0 {
		w.unstall(r)
	}
}

// Way is a direction of messages.
type Way uint8

// The ways of a message.
const (
	BothWays Way = iota
	ToStore
	ToClient
	ways
)

// Freeze lets nothing move on a client's connection to a store for a time; what is sent arrives afterwards. Other
// connections work, so that the store seems to live.
func (w *World) Freeze(c *Client, id ports.StoreID, way Way, d time.Duration) {
	w.count(FaultFreeze)
	c.link(w.store(id).address).freeze(way, w.now.Add(d))
}

// Disconnect is Freeze for all connections of a client to a store, also those that are made meanwhile: the client hears
// nothing, and gives the store up when it has heard nothing for too long.
func (w *World) Disconnect(c *Client, id ports.StoreID, way Way, d time.Duration) {
	w.count(FaultDisconnect)
	l := c.link(w.store(id).address)
	l.freeze(way, w.now.Add(d))
	l.blocked = max(l.blocked, w.now.Add(d))
	for _, waiting := range slices.Clone(l.calls) {
		if waiting.sent {
			w.silence(waiting)
		}
	}
}

func (l *link) freeze(way Way, until ports.Instant) {
	if way != ToClient {
		l.there = max(l.there, until)
	}
	if way != ToStore {
		l.back = max(l.back, until)
	}
}

// blockSomewhere stops what some client and some store say to each other for a while.
func (w *World) blockSomewhere(f Fault) {
	if len(w.clients) == 0 {
		return
	}
	c := w.clients[w.choose(SiteVictim, len(w.clients))]
	id := w.stores[w.choose(SiteVictim, len(w.stores))].id
	way := Way(w.choose(SiteCandidate, int(ways)))
	if f == FaultFreeze {
		w.Freeze(c, id, way, w.outage())
	} else {
		w.Disconnect(c, id, way, w.outage())
	}
}
