package route

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Group is a run of sorted keys that lie in one region: keys[From:To].
type Group struct {
	Region   ports.RegionVersion
	From, To int
}

// Groups splits sorted user keys by region. Not safe for concurrent use.
type Groups struct {
	list    []Group
	failure sm.Failure
	done    bool
}

// Start begins to split keys, which are borrowed until the next Start. stale,
// when set, is the region version that failed: keys are grouped by something
// newer. Afterwards the machine may be Done at once.
func (g *Groups) Start(env *sm.Env, now ports.Instant, keys [][]byte, stale ports.RegionVersion,
	deadline ports.Instant, out *sm.Effects) {
	*g = Groups{}
}

// Step moves the machine by one event.
func (g *Groups) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// Done reports that the keys are split, or that Failure says why not.
func (g *Groups) Done() bool { return g.done }

// Failure returns why the keys could not be split; its zero value if they were.
func (g *Groups) Failure() *sm.Failure { return &g.failure }

// List returns the groups in key order, valid until the next Start.
func (g *Groups) List() []Group { return g.list }

// CloneInto implements [sm.Cloneable].
func (g *Groups) CloneInto(dst *Groups) { *dst = *g }

// Fingerprint implements [sm.Machine].
func (g *Groups) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (g *Groups) String() string { return "route.Groups" }
