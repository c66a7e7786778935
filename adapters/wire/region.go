package wire

import (
	"github.com/pingcap/kvproto/pkg/metapb"

	"github.com/tikvx/tikvx/ports"
)

// Region returns a region as PD or TiKV describe it, without its leader. The bounds are shared with m.
func Region(m *metapb.Region) ports.Region {
	region := ports.Region{
		RegionVersion: ports.RegionVersion{
			ID:    ports.RegionID(m.GetId()),
			Epoch: ports.Epoch{ConfVer: m.GetRegionEpoch().GetConfVer(), Version: m.GetRegionEpoch().GetVersion()},
		},
		Range: ports.KeyRange{Start: m.GetStartKey(), End: m.GetEndKey()},
		Peers: make([]ports.Peer, 0, len(m.GetPeers())),
	}
	for _, p := range m.GetPeers() {
		region.Peers = append(region.Peers, peerFromProto(p))
	}
	return region
}

// RegionMeta is the opposite of [Region].
func RegionMeta(r *ports.Region) *metapb.Region {
	m := &metapb.Region{
		Id: uint64(r.ID), StartKey: r.Range.Start, EndKey: r.Range.End,
		RegionEpoch: &metapb.RegionEpoch{ConfVer: r.Epoch.ConfVer, Version: r.Epoch.Version},
	}
	for _, p := range r.Peers {
		m.Peers = append(m.Peers, PeerMeta(p))
	}
	return m
}

// PeerMeta returns a peer as PD and TiKV describe it.
func PeerMeta(p ports.Peer) *metapb.Peer {
	m := peerToProto(p)
	return &m
}

func peerToProto(p ports.Peer) metapb.Peer {
	return metapb.Peer{Id: uint64(p.ID), StoreId: uint64(p.Store), Role: metapb.PeerRole(p.Role), IsWitness: p.Witness}
}

func peerFromProto(p *metapb.Peer) ports.Peer {
	return ports.Peer{
		ID: ports.PeerID(p.GetId()), Store: ports.StoreID(p.GetStoreId()),
		Role: roleFromProto(p.GetRole()), Witness: p.GetIsWitness(),
	}
}

// roleFromProto takes a role that it does not know for one that does not lead.
func roleFromProto(role metapb.PeerRole) ports.PeerRole {
	switch role {
	case metapb.PeerRole_Voter:
		return ports.RoleVoter
	case metapb.PeerRole_Learner:
		return ports.RoleLearner
	case metapb.PeerRole_IncomingVoter:
		return ports.RoleIncomingVoter
	case metapb.PeerRole_DemotingVoter:
		return ports.RoleDemotingVoter
	}
	return ports.RoleLearner
}

// Store returns a store as PD describes it.
func Store(m *metapb.Store) ports.Store {
	store := ports.Store{ID: ports.StoreID(m.GetId()), Address: m.GetAddress()}
	switch m.GetState() {
	case metapb.StoreState_Up:
		store.State = ports.StoreUp
	case metapb.StoreState_Offline:
		store.State = ports.StoreOffline
	case metapb.StoreState_Tombstone:
		store.State = ports.StoreTombstone
	}
	for _, l := range m.GetLabels() {
		store.Labels = append(store.Labels, ports.Label{Key: l.GetKey(), Value: l.GetValue()})
	}
	return store
}

// StoreMeta is the opposite of [Store].
func StoreMeta(s *ports.Store) *metapb.Store {
	m := &metapb.Store{Id: uint64(s.ID), Address: s.Address, State: metapb.StoreState(s.State)}
	for _, l := range s.Labels {
		m.Labels = append(m.Labels, &metapb.StoreLabel{Key: l.Key, Value: l.Value})
	}
	return m
}
