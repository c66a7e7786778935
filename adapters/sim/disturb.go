package sim

import (
	"fmt"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// disturbances are the classes of faults that happen to the cluster and not to a message.
const disturbances FaultSet = 1<<FaultSplit | 1<<FaultTransfer | 1<<FaultCrash | 1<<FaultMove | 1<<FaultHang |
	1<<FaultSilentPD | 1<<FaultRestartPD | 1<<FaultMerge | 1<<FaultMovePeer |
	1<<FaultLag | 1<<FaultPartition | 1<<FaultDisconnect | 1<<FaultFreeze | 1<<FaultDiskFull | 1<<FaultOverload |
	1<<FaultLagPD

// disturbLater plans the next disturbance.
func (w *World) disturbLater() {
	if w.healed || w.config.Faults&disturbances == 0 {
		return
	}
	pause := ports.Instant(w.config.Disturbance) / 4 * ports.Instant(1+w.choose(SiteOutage, 7))
	w.agenda.add(w.now + pause).kind = happenDisturb
}

// disturb lets one of the allowed things happen to the cluster.
func (w *World) disturb() {
	if w.healed {
		return
	}
	defer w.disturbLater()
	var allowed [numFaults]Fault
	n := 0
	for f := range numFaults {
		if disturbances.Has(f) && w.config.Faults.Has(f) {
			allowed[n] = f
			n++
		}
	}
	i := w.choice(SiteDisturb, n+1)
	if i == 0 {
		return
	}
	switch allowed[i-1] {
	case FaultSplit:
		w.splitSomewhere()
	case FaultTransfer:
		r := w.regions.ordered[w.choose(SiteVictim, len(w.regions.ordered))]
		w.Transfer(r.ID, r.Peers[w.choose(SiteCandidate, len(r.Peers))].Store)
	case FaultMerge:
		w.mergeSomewhere()
	case FaultLag:
		w.lagSomewhere()
	case FaultMovePeer:
		w.movePeerSomewhere()
	case FaultDiskFull:
		w.fillSomewhere()
	case FaultDisconnect, FaultFreeze:
		w.blockSomewhere(allowed[i-1])
	case FaultCrash, FaultMove, FaultHang, FaultPartition, FaultOverload:
		w.strike(allowed[i-1])
	case FaultSilentPD:
		w.SilencePD(w.outage())
	case FaultRestartPD:
		w.RestartPD(w.outage())
	case FaultLagPD:
		w.LagPD(longer * w.outage())
	default:
	}
}

// longer is how much longer lasts what only makes its clients slow, if they wait for it to end.
const longer = 4

// outageTime is how long what a fault takes away is away at least.
const outageTime = 250 * time.Millisecond

func (w *World) outage() time.Duration { return outageTime * time.Duration(1+w.choose(SiteOutage, 8)) }

// maxRegions bounds how far a run is split.
const maxRegions = 64

// splitSomewhere cuts a region at a key that it holds.
func (w *World) splitSomewhere() {
	if len(w.regions.ordered) >= maxRegions {
		return
	}
	if n := w.engine.Len(); n > 0 && !w.config.RawKeys {
		w.split(w.bound(w.engine.KeyAt(w.choose(SiteSplit, n))))
	} else if n := w.engine.RawLen(); n > 0 && w.config.RawKeys {
		w.split(w.engine.RawKeyAt(w.choose(SiteSplit, n)))
	}
}

// strike takes a store out for a while, if all are well: a region needs a majority of its peers.
func (w *World) strike(f Fault) {
	for _, s := range w.stores {
		if !s.up || s.hung || s.severed != 0 || s.overloaded {
			return
		}
	}
	s := w.stores[w.choose(SiteVictim, len(w.stores))]
	h := happening{kind: happenRestart, store: s}
	lasts := w.outage()
	switch f {
	case FaultPartition:
		w.Isolate(s.id)
		w.After(w.now.Add(w.outage()), func() { w.Rejoin(s.id) })
		return
	case FaultHang:
		w.Hang(s.id)
		h.kind = happenResume
	case FaultOverload:
		w.Overload(s.id)
		h.kind = happenResume
		lasts *= longer
	case FaultMove:
		w.count(FaultMove)
		w.Crash(s.id)
		h.moves = true
	default:
		w.Crash(s.id)
	}
	h.incarnation = s.incarnation
	*w.agenda.add(w.now.Add(lasts)) = h
}

// endOutage ends what strike began, unless it ended otherwise.
func (w *World) endOutage(h *happening) {
	s := h.store
	switch {
	case s.incarnation != h.incarnation:
	case h.kind == happenResume:
		w.Resume(s.id)
		w.Relieve(s.id)
	case h.moves:
		w.Restart(s.id, w.newAddress(s))
	default:
		w.Restart(s.id, s.address)
	}
}

// newAddress returns an address for a store that moves: one where another store once was, if the chooser wants that.
func (w *World) newAddress(s *store) string {
	var vacant []string
	for _, a := range w.abandoned {
		if a != s.address && w.listener(a) == nil {
			vacant = append(vacant, a)
		}
	}
	if i := w.choose(SiteVictim, len(vacant)+1); i > 0 {
		return vacant[i-1]
	}
	return fmt.Sprintf("store-%d:%d", s.id, 20160+s.incarnation)
}
