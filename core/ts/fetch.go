package ts

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Fetch is a child machine that obtains one timestamp from the oracle and asks
// again, by the curve of PD's pauses, until the deadline. Every timestamp is
// learnt by the shared clock. Not safe for concurrent use.
type Fetch struct {
	ts      ports.Timestamp
	failure sm.Failure
}

// Start asks the oracle.
func (f *Fetch) Start(env *sm.Env, now, deadline ports.Instant, out *sm.Effects) { *f = Fetch{} }

// Step moves the machine by one event.
func (f *Fetch) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// Done reports that there is a timestamp, or that Failure says why not.
func (f *Fetch) Done() bool { return false }

// TS returns the timestamp; 0 after a failure.
func (f *Fetch) TS() ports.Timestamp { return f.ts }

// Failure returns why there is no timestamp; the zero failure if there is one.
func (f *Fetch) Failure() *sm.Failure { return &f.failure }

// CloneInto implements [sm.Cloneable].
func (f *Fetch) CloneInto(dst *Fetch) { *dst = *f }

// Fingerprint implements [sm.Machine].
func (f *Fetch) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (f *Fetch) String() string { return "ts.Fetch" }
