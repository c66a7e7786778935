package ports

// Epoch is a region's version in Raft: ConfVer counts changes of its peers,
// Version counts splits and merges (TiKV: metapb.RegionEpoch).
type Epoch struct {
	ConfVer, Version uint64
}

// Newer reports whether e is ahead of o in at least one part and behind in none.
func (e Epoch) Newer(o Epoch) bool {
	return e != o && e.ConfVer >= o.ConfVer && e.Version >= o.Version
}

// RegionVersion names a region as it was at one epoch.
type RegionVersion struct {
	ID    RegionID
	Epoch Epoch
}

// PeerRole is the part that a peer plays in its Raft group.
type PeerRole uint8

// The roles that route leader requests.
const (
	RoleVoter PeerRole = iota
	RoleLearner
	RoleIncomingVoter
	RoleDemotingVoter
)

// Peer is one replica of a region.
type Peer struct {
	ID      PeerID
	Store   StoreID
	Role    PeerRole
	Witness bool
}

// Region describes a region in PD's key space: Range holds the bounds as PD and
// TiKV keep them, encoded where the client's codec encodes. A Region is immutable
// once it has been posted in an event.
type Region struct {
	RegionVersion
	Range KeyRange
	Peers []Peer
	// Leader is the leading peer as far as the source knows, 0 when unknown.
	Leader PeerID
	// Down lists peers that PD believes to be down.
	Down []PeerID
}

// Buckets divide a region for whoever works on it in parallel (TiKV: metapb.Buckets). Leaders work them out now and
// then and report them apart from the region itself, so that both ends may lie inside or outside the region's range
// after a split or a merge. Immutable once posted.
type Buckets struct {
	// Version grows whenever the bounds change, and with every leader.
	Version uint64
	// Keys are the bounds in PD's key space, ascending, two at least: the first and the last are those of the region as it
	// was then, and one that is empty stands for no bound.
	Keys [][]byte
}

// Peer returns the peer with the given id, false when the region has none.
func (r *Region) Peer(id PeerID) (Peer, bool) {
	for _, p := range r.Peers {
		if p.ID == id {
			return p, true
		}
	}
	return Peer{}, false
}

// PeerOn returns the peer on the given store, false when the region has none.
func (r *Region) PeerOn(store StoreID) (Peer, bool) {
	for _, p := range r.Peers {
		if p.Store == store {
			return p, true
		}
	}
	return Peer{}, false
}

// StoreState is PD's view of a store.
type StoreState uint8

// The states of a store. A tombstone never comes back.
const (
	StoreUp StoreState = iota
	StoreOffline
	StoreTombstone
)

// Label is one of a store's location labels.
type Label struct {
	Key, Value string
}

// Store describes a TiKV store. Immutable once posted.
type Store struct {
	ID      StoreID
	Address string
	State   StoreState
	Labels  []Label
}

// Endpoint is where a request goes: the store and the address at which it was
// last known.
type Endpoint struct {
	Store   StoreID
	Address string
}
