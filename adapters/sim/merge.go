package sim

import (
	"bytes"

	"github.com/tikvx/tikvx/ports"
)

// merger is how far a region has come that is to become part of its neighbour.
//
//	fenced ──▶ prepared ──▶ gone: the neighbour has taken its range
//	                 └────▶ back: the neighbour has changed meanwhile
//
// A region is fenced only if it has pessimistic locks, until all that was proposed before is applied
// (raftstore: store/peer.rs: pre_propose_prepare_merge).
type merger struct {
	target *region
	// epoch is the neighbour's as the merge was proposed. A neighbour that has another one by then does not take the
	// region (store/fsm/peer.rs: validate_merge_peer).
	epoch    ports.Epoch
	prepared bool
}

// Merge lets a region become part of its neighbour, in two steps and some time. False: they are no neighbours, have not
// the same stores, or one of them is busy with another change (store/fsm/peer.rs: check_merge_proposal).
func (w *World) Merge(source, target ports.RegionID) bool {
	s, t := w.regions.byID[source], w.regions.byID[target]
	if s == nil || t == nil || !w.mergeable(s, t) {
		return false
	}
	w.count(FaultMerge)
	s.merging = &merger{target: t, epoch: t.Epoch}
	if w.engine.Pessimistic(s.extent()) {
		w.mergeLater(s)
		return true
	}
	w.prepareMerge(s)
	return true
}

func (w *World) mergeable(s, t *region) bool {
	_, led := w.serving(s)
	return led && s.merging == nil && t.merging == nil && !s.inFlashback && !t.inFlashback &&
		len(s.late)+len(t.late) == 0 && !s.joint() && s.besides(t) && sameStores(s.Peers, t.Peers)
}

// besides reports whether a bound of one region is the other's (store/util.rs: is_sibling_regions).
func (r *region) besides(o *region) bool {
	return len(r.Range.Start) > 0 && bytes.Equal(r.Range.Start, o.Range.End) ||
		len(r.Range.End) > 0 && bytes.Equal(r.Range.End, o.Range.Start)
}

// sameStores reports whether two regions have peers of the same kind on the same stores
// (store/util.rs: region_on_same_stores).
func sameStores(a, b []ports.Peer) bool {
	if len(a) != len(b) {
		return false
	}
	for _, p := range a {
		same := false
		for _, o := range b {
			same = same || p.Store == o.Store && p.Role == o.Role && p.Witness == o.Witness
		}
		if !same {
			return false
		}
	}
	return true
}

// mergeLater plans the next step of a merge.
func (w *World) mergeLater(s *region) {
	m := s.merging
	w.After(w.now+mergeTime<<w.choose(SiteMerge, 9), func() {
		if s.merging == m {
			w.continueMerge(s)
		}
	})
}

// continueMerge takes the next step of a merge, if there are leaders to take it.
func (w *World) continueMerge(s *region) {
	m := s.merging
	_, led := w.serving(s)
	switch {
	case !m.prepared && led:
		w.prepareMerge(s)
	case !m.prepared:
		w.mergeLater(s)
	case w.regions.byID[m.target.ID] != m.target || m.target.Epoch != m.epoch:
		if !led {
			w.mergeLater(s)
			return
		}
		w.rollbackMerge(s)
	case !w.takes(m.target) || len(s.late)+len(m.target.late) > 0:
		// The neighbour's peers wait for what those of the region have yet to apply.
		w.mergeLater(s)
	default:
		w.commitMerge(s)
	}
}

// takes reports whether a region can be given a neighbour's range now: the command is proposed like any other.
func (w *World) takes(t *region) bool {
	_, led := w.serving(t)
	return led && t.merging == nil
}

// prepareMerge lets a region do nothing any more but merge, under a new epoch: neither data nor peers shall change
// (store/fsm/apply.rs: exec_prepare_merge).
func (w *World) prepareMerge(s *region) {
	s.merging.prepared = true
	w.engine.ReplicateLocks(s.extent())
	s.Epoch.Version++
	s.Epoch.ConfVer++
	w.note(noteMerging, uint64(s.ID), uint64(s.merging.target.ID), 0)
	w.heartbeat()
	w.mergeLater(s)
}

// commitMerge gives a region's range to its neighbour, whose version is then above both
// (store/fsm/apply.rs: exec_commit_merge). Reads of the region may have been served elsewhere, so that the neighbour's
// leader needs a new max_ts, and stale reads are safe where both were (store/fsm/peer.rs: on_ready_commit_merge).
func (w *World) commitMerge(s *region) {
	t := s.merging.target
	t.Epoch.Version = max(s.Epoch.Version, t.Epoch.Version) + 1
	i := w.regions.at(s.Range.Start)
	if bytes.Equal(t.Range.End, s.Range.Start) && len(s.Range.Start) > 0 {
		t.Range.End = s.Range.End
	} else {
		t.Range.Start = s.Range.Start
	}
	w.regions.remove(i)
	w.cutOff(s, 0)
	w.syncMaxTS(t)
	t.safe.ts = min(t.safe.ts, s.safe.ts)
	t.forgetBuckets()
	w.note(noteMerged, uint64(s.ID), uint64(t.ID), 0)
	w.heartbeat()
}

// rollbackMerge lets a region be what it was, under a new version (store/fsm/apply.rs: exec_rollback_merge).
func (w *World) rollbackMerge(s *region) {
	s.merging = nil
	s.Epoch.Version++
	w.note(noteMergedBack, uint64(s.ID), 0, 0)
	w.heartbeat()
}

// refusesMerging says whether a region that merges refuses a request. A fenced one proposes nothing. A prepared one
// does not read either, since it cannot know what its neighbour has taken already: its lease is suspect, and a read
// index is not given out (store/peer.rs: propose_normal, on_leader_commit_idx_changed, pre_read_index). Transactional
// writes begin with a read (storage/txn/scheduler.rs), plain raw ones do not (storage/mod.rs: raw_put).
func (w *World) refusesMerging(r *region, req ports.Request, f *ports.RegionFault) bool {
	switch {
	case !r.merging.prepared && !writes(req.Verb()):
		return false
	case !r.merging.prepared || proposesBlindly(req):
		*f = ports.RegionFault{Kind: ports.FaultProposalInMergingMode}
	default:
		*f = ports.RegionFault{Kind: ports.FaultReadIndexNotReady, Text: "can not read index due to merge"}
	}
	return true
}

// proposesBlindly reports whether a write does not read first: raw ones that need no latch.
func proposesBlindly(req ports.Request) bool {
	switch q := req.(type) {
	case *ports.RawPutRequest:
		return !q.ForCAS
	case *ports.RawBatchPutRequest:
		return !q.ForCAS
	case *ports.RawDeleteRequest:
		return !q.ForCAS
	case *ports.RawBatchDeleteRequest:
		return !q.ForCAS
	case *ports.RawDeleteRangeRequest:
		return true
	}
	return false
}

// mergeSomewhere merges a region with one of its neighbours.
func (w *World) mergeSomewhere() {
	w.mergeAt(w.choose(SiteVictim, len(w.regions.ordered)), w.choose(SiteCandidate, 2) == 1)
}

// mergeAt merges the region at an index with the next one, or, if it is the last or below is set, with the one before.
// Those that lie on other stores are moved there first.
func (w *World) mergeAt(i int, below bool) {
	neighbour := i + 1
	if neighbour == len(w.regions.ordered) || below && i > 0 {
		neighbour = i - 1
	}
	if neighbour < 0 {
		return
	}
	if s, t := w.regions.ordered[i], w.regions.ordered[neighbour]; !w.Merge(s.ID, t.ID) {
		w.align(s, t)
	}
}

// align moves a peer to where the neighbour has one and the region does not, so that they can merge some day
// (PD: pkg/schedule/operator/create_operator.go: CreateMergeRegionOperator).
func (w *World) align(s, t *region) {
	for _, from := range s.Peers {
		if _, both := t.PeerOn(from.Store); both {
			continue
		}
		for _, to := range t.Peers {
			if w.MovePeer(s.ID, from.Store, to.Store) {
				return
			}
		}
	}
}
