// Package porttest is the contract of the driven interfaces in ports, as tests. Every adapter runs them: the real
// transport against a loopback server, the simulator on its own time, and the simulator behind real gRPC.
//
// An adapter hands over a rig: the port, what is behind it, and the levers that the contract needs (make the store
// hang, let PD fall silent, close). Rigs are opened anew for every test and are closed by [testing.TB.Cleanup].
package porttest

import (
	"testing"

	"github.com/tikvx/tikvx/ports"
)

// Host is what the adapter under test runs on.
type Host struct {
	// Clock is the clock by which the adapter judges deadlines.
	Clock ports.Timers
	// Step, when set, lets a simulated world do its next thing and reports false when there is nothing left to do.
	// The suite then runs on one goroutine. Nil means that the world moves by itself.
	Step func() bool
}

// NetworkRig is a [ports.Network] with two stores' addresses behind it.
type NetworkRig struct {
	Host
	Network ports.Network
	// Endpoint is a store that serves raw requests; nobody listens at Nowhere.
	Endpoint, Nowhere ports.Endpoint
	// Header addresses a region on Endpoint that holds every key that begins with "porttest/".
	Header ports.Header
	// Hang makes the store at Endpoint take requests and give no answers, probes included; Continue ends that, and
	// what was taken may be answered late.
	Hang, Continue func()
	// Close closes the adapter; nil where the adapter has no end of its own.
	Close func()
}

// OracleRig is a [ports.Oracle] with a PD behind it.
type OracleRig struct {
	Host
	Oracle ports.Oracle
	// Silence makes PD take requests and give no answers until Continue.
	Silence, Continue func()
	// Close closes the adapter; nil where the adapter has no end of its own.
	Close func()
}

// PlacementRig is a [ports.Placement] with a PD behind it that knows exactly Regions and Stores.
type PlacementRig struct {
	Host
	Placement ports.Placement
	// Regions are all regions in key order, two at least; their bounds touch and cover every key.
	Regions []ports.Region
	// Buckets are those of Regions, one for one; one region at least has several.
	Buckets []*ports.Buckets
	// PlainScans: PD has no batch scans, and tells no buckets of consecutive regions.
	PlainScans bool
	// Stores are all stores, in the order of their ids; none is a tombstone.
	Stores []ports.Store
	// Silence makes PD take requests and give no answers until Continue.
	Silence, Continue func()
	// Close closes the adapter; nil where the adapter has no end of its own.
	Close func()
}

// Network runs the contract of [ports.Network].
func Network(t *testing.T, open func(t *testing.T) *NetworkRig) {
	t.Helper()
	for _, c := range networkContract {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

// Oracle runs the contract of [ports.Oracle].
func Oracle(t *testing.T, open func(t *testing.T) *OracleRig) {
	t.Helper()
	for _, c := range oracleContract {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

// Placement runs the contract of [ports.Placement].
func Placement(t *testing.T, open func(t *testing.T) *PlacementRig) {
	t.Helper()
	for _, c := range placementContract {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

// Timers runs the contract of [ports.Timers].
func Timers(t *testing.T, open func(t *testing.T) Host) {
	t.Helper()
	for _, c := range timersContract {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t)) })
	}
}

// clause is one clause of a contract.
type clause[R any] struct {
	name  string
	check func(t *testing.T, rig R)
}
