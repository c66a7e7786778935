package sim

import (
	"time"

	"github.com/tikvx/tikvx/ports"
)

// SafePointMonitor is a [Monitor] that also wants to know when PD has moved a safe point, or was asked to and left it.
type SafePointMonitor interface {
	// SafePointMoved shows the GC state of a keyspace, without its barriers, as it is now.
	SafePointMoved(state ports.GCState)
}

// safePointMoved tells who watches, and lets stores drop garbage some time later: TiKV asks PD for the GC safe point
// now and then, and filters what it compacts (src/server/gc_worker/gc_manager.rs, compaction_filter.rs).
func (w *World) safePointMoved(s *gcState) {
	if m, ok := w.monitor.(SafePointMonitor); ok {
		m.SafePointMoved(ports.GCState{Keyspace: s.keyspace, TxnSafePoint: s.txn, GCSafePoint: s.gc})
	}
	if s.gc == 0 || w.pd.compacting {
		return
	}
	w.pd.compacting = true
	w.After(w.now+compactTime*ports.Instant(1+w.choose(SiteDelay, 16)), func() {
		w.pd.compacting = false
		for _, r := range w.regions.ordered {
			if depth := w.choose(SiteCompaction, 3); depth > 0 {
				w.compact(r, depth == 2)
			}
		}
	})
}

// compactTime is the unit of the time until garbage is dropped.
const compactTime = ports.Instant(10 * time.Millisecond)

// Compact lets the stores drop all garbage at once, deletions included, as after a compaction of everything.
func (w *World) Compact() {
	for _, r := range w.regions.ordered {
		w.compact(r, true)
	}
}

// compact drops the garbage of a region. TiKV knows one safe point for all of its data, that of the null keyspace
// (src/server/gc_worker/gc_manager.rs: poll_safe_point); keyspaces with a GC of their own are nothing to it.
func (w *World) compact(r *region, deletions bool) {
	dropped := w.engine.Collect(r.extent(), w.pd.gcState(ports.NullKeyspace).gc, deletions)
	w.note(noteCompact, uint64(r.ID), uint64(dropped), 0)
}

// collectLater plans the next round of whoever collects garbage.
func (w *World) collectLater() {
	if w.config.GCLife > 0 && !w.healed {
		w.After(w.now.Add(w.config.GCLife/2), w.collect)
	}
}

// collect is one round: the txn safe point moves as far as it may, the GC safe point as far as locks let it, which a
// GC worker resolves first (tidb: store/gcworker; here it leaves that to others, and waits).
func (w *World) collect() {
	if w.healed {
		return
	}
	defer w.collectLater()
	target := ports.ComposeTimestamp(max(w.wallClock().Add(-w.config.GCLife).UnixMilli(), 0), 0)
	s := w.pd.gcState(ports.NullKeyspace)
	if target <= s.txn {
		return
	}
	w.administer(&ports.AdminRequest{Kind: ports.AdminAdvanceTxnSafePoint, Keyspace: ports.NullKeyspace, TS: target})
	free := s.txn
	for _, l := range w.Locks() {
		if len(l.Shared) == 0 {
			free = min(free, l.StartTS-1)
		}
		for i := range l.Shared {
			free = min(free, l.Shared[i].StartTS-1)
		}
	}
	if free > s.gc {
		w.administer(&ports.AdminRequest{Kind: ports.AdminAdvanceGCSafePoint, Keyspace: ports.NullKeyspace, TS: free})
	}
}
