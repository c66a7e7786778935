package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// StoreRecord is what PD keeps of a store beside its address. The zero record is that of a store that serves.
type StoreRecord struct {
	State  ports.StoreState
	Labels []ports.Label
	// NoAddress: PD answers without one, as it does for a store that has not started yet.
	NoAddress bool
}

// SetStoreRecord changes what PD keeps of a store; the process itself goes on as before. PD tells it at once, except
// in an old answer. A tombstone is left out of the list of all stores (PD: server/grpc_service.go: GetAllStores).
func (w *World) SetStoreRecord(id ports.StoreID, record StoreRecord) {
	s := w.store(id)
	s.record = record
	s.record.Labels = slices.Clone(record.Labels)
	w.learn()
}

// registered returns the stores as PD has them on record.
func (w *World) registered() []ports.Store {
	list := w.Stores()
	for i, s := range w.stores {
		list[i].State, list[i].Labels = s.record.State, s.record.Labels
		if s.record.NoAddress {
			list[i].Address = ""
		}
	}
	return list
}

// living returns the stores that are no tombstones.
func living(stores []ports.Store) []ports.Store {
	buried := func(s ports.Store) bool { return s.State == ports.StoreTombstone }
	if !slices.ContainsFunc(stores, buried) {
		return stores
	}
	return slices.DeleteFunc(slices.Clone(stores), buried)
}
