package read

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Get reads one key at a timestamp; ports.MaxTimestamp reads its newest version.
type Get struct {
	value   []byte
	found   bool
	failure sm.Failure
}

// Init prepares a read of key, which is borrowed until the answer.
func (m *Get) Init(key []byte, ts ports.Timestamp, opt Options, deadline ports.Instant) { *m = Get{} }

// Value returns the value, false when the key is absent. The caller owns it.
func (m *Get) Value() ([]byte, bool) { return m.value, m.found }

// Failure returns why it failed; the zero failure if it did not.
func (m *Get) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *Get) Done() bool { return false }

// Step implements [sm.Machine].
func (m *Get) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// CloneInto implements [sm.Cloneable].
func (m *Get) CloneInto(dst *Get) { *dst = *m }

// Fingerprint implements [sm.Machine].
func (m *Get) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (m *Get) String() string { return "read.Get" }
