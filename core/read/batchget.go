package read

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// BatchGet reads many keys at a timestamp.
type BatchGet struct {
	pairs   []ports.KV
	failure sm.Failure
}

// Init prepares a read of keys, which are sorted, distinct, and borrowed until the
// answer.
func (m *BatchGet) Init(keys [][]byte, ts ports.Timestamp, opt Options, deadline ports.Instant) {
	*m = BatchGet{}
}

// Pairs returns what was found, in the order of the keys; absent keys have no pair.
// The keys are those that Init was given, the values belong to the caller.
func (m *BatchGet) Pairs() []ports.KV { return m.pairs }

// Failure returns why it failed; the zero failure if it did not.
func (m *BatchGet) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *BatchGet) Done() bool { return false }

// Step implements [sm.Machine].
func (m *BatchGet) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// CloneInto implements [sm.Cloneable].
func (m *BatchGet) CloneInto(dst *BatchGet) { *dst = *m }

// Fingerprint implements [sm.Machine].
func (m *BatchGet) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (m *BatchGet) String() string { return "read.BatchGet" }
