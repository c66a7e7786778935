package sim

import "github.com/tikvx/tikvx/ports"

// notLeader is the answer of a peer that does not lead. It names the leader if it knows one. A witness has nothing to
// read, and says so to whoever reads first, unless the epoch is another (store/worker/read.rs:
// pre_propose_raft_command, which comes before store/fsm/peer.rs: pre_propose_raft_command).
func (w *World) notLeader(r *region, own ports.Peer, hdr *ports.Header, req ports.Request, f *ports.RegionFault) {
	if own.Witness && !proposesBlindly(req) && hdr.Region.Epoch.Version == r.Epoch.Version {
		*f = ports.RegionFault{Kind: ports.FaultIsWitness}
		return
	}
	*f = ports.RegionFault{Kind: ports.FaultNotLeader}
	if leader, ok := r.leader(); ok && !r.empty(own.ID) && w.choose(SiteHint, 2) == 0 {
		f.Leader = leader
	}
}
