package read

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// ScanPage reads the next pairs of a range at a timestamp, region by region, until
// there is at least one or the range ends.
type ScanPage struct {
	pairs   []ports.KV
	rest    ports.KeyRange
	more    bool
	failure sm.Failure
}

// Init prepares a page of at most limit pairs (at least 1) of [Start, End),
// descending when reverse is set. The range is borrowed until the answer, and what
// Next returns may share its memory.
func (m *ScanPage) Init(rng ports.KeyRange, ts ports.Timestamp, limit int, reverse, keysOnly bool, opt Options,
	deadline ports.Instant) {
	*m = ScanPage{}
}

// Pairs returns the pairs in the order of the scan. The caller owns them.
func (m *ScanPage) Pairs() []ports.KV { return m.pairs }

// Next returns what is left of the range after this page, false when nothing is.
func (m *ScanPage) Next() (ports.KeyRange, bool) { return m.rest, m.more }

// Failure returns why it failed; the zero failure if it did not.
func (m *ScanPage) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *ScanPage) Done() bool { return false }

// Step implements [sm.Machine].
func (m *ScanPage) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// CloneInto implements [sm.Cloneable].
func (m *ScanPage) CloneInto(dst *ScanPage) { *dst = *m }

// Fingerprint implements [sm.Machine].
func (m *ScanPage) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (m *ScanPage) String() string { return "read.ScanPage" }
