package read

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Timestamp obtains one timestamp from the oracle. Machines that need one on their
// way have a core/ts.Fetch as a child instead.
type Timestamp struct {
	ts      ports.Timestamp
	failure sm.Failure
}

// Init prepares a question to the oracle.
func (m *Timestamp) Init(deadline ports.Instant) { *m = Timestamp{} }

// TS returns the timestamp; 0 after a failure.
func (m *Timestamp) TS() ports.Timestamp { return m.ts }

// Failure returns why it failed; the zero failure if it did not.
func (m *Timestamp) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *Timestamp) Done() bool { return false }

// Step implements [sm.Machine].
func (m *Timestamp) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// CloneInto implements [sm.Cloneable].
func (m *Timestamp) CloneInto(dst *Timestamp) { *dst = *m }

// Fingerprint implements [sm.Machine].
func (m *Timestamp) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (m *Timestamp) String() string { return "read.Timestamp" }
