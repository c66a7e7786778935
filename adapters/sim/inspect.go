package sim

import (
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// The methods below tell the truth about the cluster, against which checkers hold what clients were told. Looking
// changes nothing.

// Stores returns the stores as they are.
func (w *World) Stores() []ports.Store {
	list := make([]ports.Store, 0, len(w.stores))
	for _, s := range w.stores {
		list = append(list, ports.Store{ID: s.id, Address: s.address})
	}
	return list
}

// Regions returns the regions as they are, in key order, with their leaders.
func (w *World) Regions() []ports.Region {
	list := make([]ports.Region, 0, len(w.regions.ordered))
	for _, r := range w.regions.ordered {
		list = append(list, r.Region)
	}
	return list
}

// Region returns a region as it is; false when there is none. Its slices must not be changed.
func (w *World) Region(id ports.RegionID) (ports.Region, bool) {
	r := w.regions.byID[id]
	if r == nil {
		return ports.Region{}, false
	}
	return r.Region, true
}

// MaxTS returns the greatest timestamp that was read on a store since it started.
func (w *World) MaxTS(id ports.StoreID) ports.Timestamp { return w.store(id).maxTS }

// Version is one committed version of a transactional key. Value must not be changed.
type Version struct {
	StartTS, CommitTS ports.Timestamp
	// Deleted: the version is a deletion.
	Deleted bool
	Value   []byte
}

// Versions returns the committed versions of a transactional key, the newest first; records that change no data are
// left out.
func (w *World) Versions(key []byte) []Version {
	var list []Version
	writes := w.engine.Writes(key)
	for i := len(writes) - 1; i >= 0; i-- {
		r := &writes[i]
		if r.Kind != ports.KindPut && r.Kind != ports.KindDelete {
			continue
		}
		list = append(list, Version{
			StartTS: r.StartTS, CommitTS: r.CommitTS, Deleted: r.Kind == ports.KindDelete, Value: r.Value,
		})
	}
	return list
}

// Locks returns all locks, in key order.
func (w *World) Locks() []ports.Lock {
	var list []ports.Lock
	w.engine.Walk(func(key []byte, lock *mvcc.Lock, _ []mvcc.Write) bool {
		if lock != nil {
			list = append(list, lock.Info(key))
		}
		return true
	})
	return list
}

// Ambiguous reports whether a request that could decide the commit of a transaction was answered with Lost, or with a
// fault after which it may be applied.
func (w *World) Ambiguous(start ports.Timestamp) bool { return w.doubts[start] }

// Engine returns the data itself, for tests that look closer, or plant what a client cannot write.
func (w *World) Engine() *mvcc.Engine { return &w.engine }
