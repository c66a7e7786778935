package ts

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Clock is the hosted machine that keeps the client's low-resolution timestamp:
// the greatest one that any operation has seen, at most about
// [sm.Knobs].ClockInterval old. The zero value is ready. Not safe for concurrent
// use; its views are values.
type Clock struct {
	view sm.Clock
}

// Step moves the clock by one event: EventStart begins its ticking, EventLearn
// brings timestamps that operations were given.
func (c *Clock) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// View returns the newest timestamp and the instant of its arrival.
func (c *Clock) View() sm.Clock { return c.view }

// Changed reports whether the clock differs from what View returned last.
func (c *Clock) Changed() bool { return false }

// Done implements [sm.Machine]: the clock never ends.
func (c *Clock) Done() bool { return false }

// CloneInto implements [sm.Cloneable].
func (c *Clock) CloneInto(dst *Clock) { *dst = *c }

// Fingerprint implements [sm.Machine].
func (c *Clock) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (c *Clock) String() string { return "ts.Clock" }
