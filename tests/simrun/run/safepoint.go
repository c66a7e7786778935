package run

import "github.com/tikvx/tikvx/ports"

// SafePointMoved implements [sim.SafePointMonitor].
func (o *observer) SafePointMoved(state ports.GCState) {
	o.invariants.SafePointMoved(state, o.world.Locks())
}
