package sm

import "github.com/tikvx/tikvx/ports"

// Region is a region table's entry. Immutable: the table replaces entries.
type Region struct {
	ports.Region
	// Leading is the index in Peers of the peer believed to lead.
	Leading int
	// FailEpoch is the fail epoch of that peer's store when the entry was made or the
	// peer was last found to lead. If the store has a newer one, it has failed since,
	// and the peer may lead no more.
	FailEpoch uint32
	// Slot is the entry's bit in the access marks of a sweep.
	Slot uint32
	// Expiry is the instant after which the entry must be loaded anew.
	Expiry ports.Instant
}

// RegionView is an immutable snapshot of the region table. Keys are in PD's key
// space.
type RegionView interface {
	// Find returns the entry that holds key; nil when it is missing, expired or
	// to be loaded anew.
	Find(key []byte, now ports.Instant) *Region
	// FindByEnd returns the entry whose keys lie just below end (the last region
	// when end is empty); nil as above.
	FindByEnd(end []byte, now ports.Instant) *Region
}

// Liveness is what probes say about a store.
type Liveness uint8

// The states of liveness. A store is reachable until proven otherwise.
const (
	Reachable Liveness = iota
	// Suspect: a request failed and no probe has answered since.
	Suspect
	Unreachable
)

// Store is a store table's entry. Immutable: the table replaces entries.
type Store struct {
	ports.Store
	// FailEpoch counts the failures of the store; regions compare it.
	FailEpoch uint32
	Liveness  Liveness
	// BusyUntil is the instant until which the store estimated to be busy.
	BusyUntil ports.Instant
}

// StoreView is an immutable snapshot of the store table.
type StoreView interface {
	// Store returns the entry, nil when the table must be asked.
	Store(id ports.StoreID) *Store
}

// TxnStatus is the final status of a transaction: committed at CommitTS, or
// rolled back when CommitTS is 0.
type TxnStatus struct {
	CommitTS ports.Timestamp
}

// TxnView is an immutable snapshot of the cache of final transaction statuses.
type TxnView interface {
	Status(start ports.Timestamp) (TxnStatus, bool)
}
