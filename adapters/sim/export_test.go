package sim

import "github.com/tikvx/tikvx/ports"

// RegionOf returns the region of a transactional key.
func (w *World) RegionOf(key []byte) ports.Region {
	return w.regions.ordered[w.regions.at(w.bound(key))].Region
}

// AddressOf returns the address of a store.
func (w *World) AddressOf(id ports.StoreID) string { return w.store(id).address }
