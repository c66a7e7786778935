package sim

import (
	"time"

	"github.com/tikvx/tikvx/ports"
)

// The methods below do to the cluster what faults do, for tests and for people at a command line. They work whether or
// not faults are allowed, and are counted like faults.

// Stores returns the stores as PD knows them.
func (w *World) Stores() []ports.Store { return nil }

// Regions returns the regions as they are, in key order, with their leaders.
func (w *World) Regions() []ports.Region { return nil }

// Split cuts the region that holds the key; the key, in PD's key space, begins the new region. False: it is a bound
// already.
func (w *World) Split(key []byte) bool { return false }

// Transfer makes the peer on a store lead a region. False: there is no such peer, or its store is down.
func (w *World) Transfer(region ports.RegionID, to ports.StoreID) bool { return false }

// Crash stops a store: what is in flight is gone, and what is not applied is lost.
func (w *World) Crash(id ports.StoreID) {}

// Restart starts a crashed store again, on the given address, or on its old one when address is empty.
func (w *World) Restart(id ports.StoreID, address string) {}

// Hang stops a store with its connections open; requests pile up until [World.Resume] or [World.Crash].
func (w *World) Hang(id ports.StoreID) {}

// Resume lets a hanging store go on.
func (w *World) Resume(id ports.StoreID) {}

// SilencePD lets PD answer nothing for a time.
func (w *World) SilencePD(d time.Duration) {}

// RestartPD lets PD refuse everything for a time.
func (w *World) RestartPD(d time.Duration) {}
