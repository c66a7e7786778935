package sim

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// The methods below do to the cluster what faults do, for tests and for people at a command line. They work whether or
// not faults are allowed, and are counted like faults.

// Split cuts the region that holds the key; the key, in PD's key space, begins the upper part. False: it is a bound
// already.
func (w *World) Split(key []byte) bool { return w.split(key) }

// Transfer makes the peer on a store lead a region. False: there is no such peer, it leads already, it cannot lead, or
// its store is down.
func (w *World) Transfer(id ports.RegionID, to ports.StoreID) bool {
	r := w.regions.byID[id]
	if r == nil || r.inFlashback {
		return false
	}
	p, ok := w.successor(r, to)
	if !ok {
		return false
	}
	w.count(FaultTransfer)
	w.forgetLocks(r, true)
	w.lead(r, p)
	return true
}

// successor returns the peer on a store if leadership can be transferred to it.
func (w *World) successor(r *region, to ports.StoreID) (ports.PeerID, bool) {
	p, ok := r.PeerOn(to)
	if s := w.store(to); !ok || p.ID == r.Leader || !s.up || s.hung || s.overloaded || !r.eligible(p) {
		return 0, false
	}
	leader, ok := w.serving(r)
	return p.ID, ok && w.reach(leader.Store, to)
}

// Crash stops a store: what is in flight is gone, and what is not applied is lost.
func (w *World) Crash(id ports.StoreID) {
	s := w.store(id)
	if !s.up {
		return
	}
	w.count(FaultCrash)
	w.note(noteCrash, uint64(id), 0, 0)
	s.up, s.hung, s.overloaded = false, false, false
	s.incarnation++
	s.maxTS, s.memory = 0, nil
	s.statuses = statusCache{}
	for i := range s.backlog {
		h := &s.backlog[i]
		if h.kind == happenInProcess {
			continue
		}
		h.call.underway = h.call.underway && (h.duplicate || h.kind == happenDuplicate)
		w.leave(h.call)
	}
	s.backlog = nil
	w.loseWaits(s)
	for _, c := range w.clients {
		for _, l := range c.links {
			if l.address == s.address {
				w.reset(l, false, ports.CauseConnection)
			}
		}
	}
	for _, r := range w.regions.ordered {
		if leader, ok := r.leader(); ok && leader.Store == id {
			r.Leader, r.recovering = 0, false
			r.term++
			w.cutOff(r, 0)
			w.elect(r)
		}
	}
	w.rearrange()
}

// Restart starts a crashed store again, on the given address, or on its old one when address is empty.
func (w *World) Restart(id ports.StoreID, address string) {
	s := w.store(id)
	if s.up {
		return
	}
	if address != "" && address != s.address {
		if !slices.Contains(w.abandoned, s.address) {
			w.abandoned = append(w.abandoned, s.address)
		}
		s.address = address
	}
	s.up = true
	w.note(noteRestart, uint64(id), 0, 0)
	// A store registers with PD before it serves (components/server: init and run node).
	w.learn()
	w.rearrange()
}

// Hang stops a store with its connections open; requests pile up until [World.Resume] or [World.Crash].
func (w *World) Hang(id ports.StoreID) {
	s := w.store(id)
	if !s.up || s.hung {
		return
	}
	w.count(FaultHang)
	w.note(noteHang, uint64(id), 0, 0)
	s.hung = true
	for _, l := range s.waits.list {
		if !l.call.answered() {
			w.silence(l.call)
		}
	}
	for _, r := range w.regions.ordered {
		if leader, ok := r.leader(); ok && leader.Store == id {
			w.elect(r)
		}
	}
	w.rearrange()
}

// Resume lets a hanging store go on, with what has piled up.
func (w *World) Resume(id ports.StoreID) {
	s := w.store(id)
	if !s.hung {
		return
	}
	w.note(noteResume, uint64(id), 0, 0)
	s.hung = false
	backlog := s.backlog
	s.backlog = nil
	for i := range backlog {
		at := w.now
		if backlog[i].kind != happenInProcess {
			at += executeTime * ports.Instant(1+w.choose(SiteExecute, 8))
		}
		*w.agenda.add(at) = backlog[i]
	}
	w.rearrange()
}

// SilencePD lets PD answer nothing for a time, or, when it is [ports.Forever], until [World.ResumePD].
func (w *World) SilencePD(d time.Duration) {
	w.count(FaultSilentPD)
	w.pd.silent = true
	w.endPDOutage(d)
}

// RestartPD lets PD refuse everything for a time, or, when it is [ports.Forever], until [World.ResumePD].
func (w *World) RestartPD(d time.Duration) {
	w.count(FaultRestartPD)
	w.pd.refusing = true
	w.endPDOutage(d)
}

func (w *World) endPDOutage(d time.Duration) {
	w.pd.outage++
	outage := w.pd.outage
	if d == ports.Forever {
		return
	}
	w.After(w.now.Add(d), func() {
		if w.pd.outage == outage {
			w.ResumePD()
		}
	})
}

// ResumePD ends an outage of PD.
func (w *World) ResumePD() { w.pd.silent, w.pd.refusing, w.pd.lagging = false, false, nil }

// Heal ends all faults: stores and PD are up, connections can be made, and nothing goes wrong any more. Messages that
// are on their way, late duplicates included, still arrive.
func (w *World) Heal() {
	w.healed = true
	w.rules = nil
	w.note(noteHeal, 0, 0, 0)
	w.ResumePD()
	for _, s := range w.stores {
		w.Rejoin(s.id)
		w.SetDisk(s.id, DiskNormal)
		if s.hung {
			w.Resume(s.id)
		}
		w.Relieve(s.id)
		if !s.up {
			w.Restart(s.id, "")
		}
	}
	for _, r := range w.regions.ordered {
		for i := len(r.late) - 1; i >= 0; i-- {
			if r.late[i].stage == lateBehind {
				w.onTime(r, r.late[i].peer)
			}
		}
	}
	w.learn()
}

// Healed reports whether Heal was called.
func (w *World) Healed() bool { return w.healed }
