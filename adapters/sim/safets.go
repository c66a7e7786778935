package sim

import (
	"time"

	"github.com/tikvx/tikvx/ports"
)

// safePoint is up to where a region's stale reads are safe: nothing is committed at or below ts any more. It is worked
// out when somebody asks, as if the leader had done so at the last tick, so that nobody else pays for it.
type safePoint struct {
	ts ports.Timestamp
	at ports.Instant
	// hurried: a read was refused, and the leader is about to work it out anew.
	hurried bool
}

// impatience is how much newer than the safe timestamp a stale read must be to make the leader hurry, in milliseconds
// (raftstore: store/worker/read.rs: check_stale_read_safe).
const impatience = 200

// admitStale says whether a peer knows that it has everything up to the timestamp of a stale read. A request without
// one is served from whatever is there (src/server/raftkv/mod.rs: async_snapshot).
func (w *World) admitStale(r *region, own ports.Peer, req ports.Request, f *ports.RegionFault) bool {
	ts, safe := readsAt(req), w.safeTS(r, own.ID)
	if ts <= safe {
		return true
	}
	*f = ports.RegionFault{Kind: ports.FaultDataIsNotReady, SafeTS: safe}
	if ts.Physical() > safe.Physical()+impatience && !r.safe.hurried {
		r.safe.hurried = true
		w.After(w.now+4*travelTime, func() {
			r.safe.hurried = false
			w.resolve(r)
		})
	}
	return false
}

// readsAt returns the timestamp at which a request reads, 0 when it has none.
func readsAt(req ports.Request) ports.Timestamp {
	switch q := req.(type) {
	case *ports.GetRequest:
		return q.TS
	case *ports.BatchGetRequest:
		return q.TS
	case *ports.ScanRequest:
		return q.TS
	}
	return 0
}

// safeTS returns a peer's safe timestamp. A peer that is behind keeps the one that it had, since the next one comes
// with an index that it has to apply first.
func (w *World) safeTS(r *region, peer ports.PeerID) ports.Timestamp {
	if l := r.lateness(peer); l != nil {
		return l.safe
	}
	interval := ports.Instant(w.config.SafeTSInterval / time.Nanosecond)
	if r.safe.at < w.now-w.now%interval {
		w.resolve(r)
	}
	return r.safe.ts
}

// resolve lets a leader work out the safe timestamp of its region: a fresh one, or the oldest transaction that may
// still commit (components/resolved_ts/src/resolver.rs: resolve, advance.rs: advance_ts_for_regions). What reads above
// max_ts do not see is not committed below it. A region that merges stays where it is (store/util.rs: discard).
func (w *World) resolve(r *region) {
	leader, led := w.serving(r)
	if !led || r.merging != nil && r.merging.prepared {
		return
	}
	r.safe.at = w.now
	fresh := w.allocate()
	s := w.store(leader.Store)
	s.maxTS = max(s.maxTS, fresh)
	r.safe.ts = max(r.safe.ts, min(fresh, s.memory.oldest(), w.engine.Oldest(r.extent(), s.statuses.least)))
}

// safeTSOn returns the least safe timestamp of the peers on a store, of regions that touch a range of PD's key space;
// those that have none yet do not count (raftstore: store/worker/check_leader.rs: get_range_safe_ts).
func (w *World) safeTSOn(s *store, keys ports.KeyRange) ports.Timestamp {
	least := ports.MaxTimestamp
	for _, r := range w.regions.ordered {
		own, ok := r.PeerOn(s.id)
		if !ok || !r.Range.Overlaps(keys) {
			continue
		}
		if ts := w.safeTS(r, own.ID); ts != 0 {
			least = min(least, ts)
		}
	}
	if least == ports.MaxTimestamp {
		return 0
	}
	return least
}
