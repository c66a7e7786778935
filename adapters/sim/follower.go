package sim

import (
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// readIndexGap is how much a follower may have to apply before it gives a read up (follower-read-max-log-gap;
// raftstore: store/config.rs).
const readIndexGap = 100

// replicaReads reports whether a request may be served by a peer that does not lead.
func replicaReads(hdr *ports.Header, req ports.Request) bool {
	return (hdr.ReplicaRead || hdr.StaleRead) && !writes(req.Verb())
}

// notLeader is the answer of a peer that does not lead. It names the leader if it knows one. A witness has nothing to
// read, and says so to whoever reads first, unless the epoch is another (store/worker/read.rs:
// pre_propose_raft_command, which comes before store/fsm/peer.rs: pre_propose_raft_command).
func (w *World) notLeader(r *region, own ports.Peer, hdr *ports.Header, req ports.Request, f *ports.RegionFault) {
	if own.Witness && !proposesBlindly(req) && hdr.Region.Epoch.Version == r.Epoch.Version {
		*f = ports.RegionFault{Kind: ports.FaultIsWitness}
		return
	}
	*f = ports.RegionFault{Kind: ports.FaultNotLeader}
	if leader, ok := w.known(r, own); ok && w.choose(SiteHint, 2) == 0 {
		f.Leader = leader
	}
}

// known returns the leader that a peer knows of. One that hears of nobody forgets whom it has lost when it would stand
// for election.
func (w *World) known(r *region, own ports.Peer) (ports.Peer, bool) {
	l := r.lateness(own.ID)
	switch {
	case l == nil || l.stage == lateBehind && !l.cut:
		return r.leader()
	case l.cut && l.since > 0 && w.now < l.since+electionTime:
		return l.seen.Peer(l.seen.Leader)
	}
	return ports.Peer{}, false
}

// admitReplica says what is wrong with a read that any peer may serve. The order is that of store/fsm/peer.rs:
// pre_propose_raft_command.
func (w *World) admitReplica(
	r *region, own ports.Peer, hdr *ports.Header, req ports.Request, f *ports.RegionFault,
) bool {
	l := r.lateness(own.ID)
	seen := r
	switch {
	case own.Witness:
		*f = ports.RegionFault{Kind: ports.FaultIsWitness}
		return false
	case l == nil:
	case l.stage == lateEmpty:
		*f = ports.RegionFault{Kind: ports.FaultRegionNotInitialized}
		return false
	case l.stage == lateSnapshot:
		*f = ports.RegionFault{Kind: ports.FaultOther, Text: "peer is applying snapshot"}
		return false
	default:
		seen = &region{Region: l.seen}
	}
	if hdr.Region.Epoch.Version != seen.Epoch.Version {
		// A follower that has not heard of a split or a merge names the region as it was.
		*f = ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: []ports.Region{seen.Region}}
		if l == nil {
			f.Regions = w.siblings(r, hdr.Region.Epoch.Version)
		}
		return false
	}
	if hdr.StaleRead {
		if !w.admitStale(r, own, req, f) {
			return false
		}
	} else if !w.admitReadIndex(r, own, f) {
		return false
	}
	if !w.inRegion(seen, req) {
		*f = ports.RegionFault{Kind: ports.FaultKeyNotInRegion}
		return false
	}
	return true
}

// admitReadIndex says why a follower cannot learn from its leader how far it has to apply (store/peer.rs: read_index,
// pre_read_index, apply_reads).
func (w *World) admitReadIndex(r *region, own ports.Peer, f *ports.RegionFault) bool {
	l := r.lateness(own.ID)
	_, known := w.known(r, own)
	switch {
	case r.merging != nil && r.merging.prepared:
		*f = ports.RegionFault{Kind: ports.FaultReadIndexNotReady, Text: "can not read index due to merge"}
	case w.store(own.Store).disk != DiskNormal:
		*f = ports.RegionFault{Kind: ports.FaultDiskFull, Store: own.Store}
	case !known:
		*f = ports.RegionFault{Kind: ports.FaultNotLeader}
	case l != nil && !l.cut && l.missed >= readIndexGap:
		*f = ports.RegionFault{
			Kind: ports.FaultReadIndexNotReady, Text: "applied index fail behind read index too long",
		}
	default:
		return true
	}
	return false
}

// waits lets a replica read wait until its peer has applied what its leader had committed, and reports whether it does.
// A leader whose store hangs does not say what that is.
func (w *World) waits(h *happening) bool {
	hdr := &h.call.hdr
	r := w.regions.byID[hdr.Region.ID]
	if r == nil || hdr.StaleRead || hdr.Peer.ID == r.Leader || hdr.Peer.Store != h.store.id ||
		!replicaReads(hdr, h.call.req) {
		return false
	}
	var f ports.RegionFault
	own, there := r.Peer(hdr.Peer.ID)
	if !there || r.absent(own.ID) || !w.admitReplica(r, own, hdr, h.call.req, &f) {
		return false
	}
	if l := r.lateness(own.ID); l != nil {
		h.call.uses++
		l.waiting = append(l.waiting, *h)
		w.limit(h.call)
		return true
	}
	if _, led := w.serving(r); !led {
		later := *h
		*w.plan(h.call, w.now+heartbeatTime, happenExecute) = later
		w.limit(h.call)
		return true
	}
	return false
}

// sees returns the part of the data that a read is served from, and its keys: what is there, or, for a stale read of a
// peer that is behind, what it has applied.
func (r *region) sees(w *World, hdr *ports.Header) (mvcc.Extent, *mvcc.Engine) {
	if hdr.StaleRead {
		if l := r.lateness(hdr.Peer.ID); l != nil {
			return mvcc.Extent{Start: l.seen.Range.Start, End: l.seen.Range.End}, l.view
		}
	}
	return r.extent(), &w.engine
}

// indexed lets a leader remember the timestamp of a read that one of its followers serves, so that nothing is committed
// below it any more, and answers a read that meets a lock in the leader's memory, whatever it knows of the transaction;
// it reports whether it does (src/server/raftkv/mod.rs: ReplicaReadLockChecker). Only reads that mind locks say their
// timestamp (src/storage/mod.rs: need_check_locks_in_replica_read).
func (w *World) indexed(r *region, hdr *ports.Header, req ports.Request, b *replyBuffer) bool {
	leader, ok := r.leader()
	ts := readsAt(req)
	if !ok || hdr.StaleRead || hdr.Isolation != ports.IsolationSI {
		return false
	}
	s := w.store(leader.Store)
	if ts != ports.MaxTimestamp {
		s.maxTS = max(s.maxTS, ts)
	}
	return s.memory.meets(&ports.Header{}, req, b)
}
