package route

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// RegionTable is the hosted machine that knows where keys live. The zero value
// is an empty table. Not safe for concurrent use; its views are.
type RegionTable struct {
	view regionView
}

// Step moves the table by one event.
func (t *RegionTable) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// View returns an immutable snapshot, safe for concurrent use.
func (t *RegionTable) View() sm.RegionView { return &t.view }

// Changed reports whether the table differs from the snapshot that View returned
// last.
func (t *RegionTable) Changed() bool { return false }

// Done implements [sm.Machine]: a table never ends.
func (t *RegionTable) Done() bool { return false }

// CloneInto implements [sm.Cloneable].
func (t *RegionTable) CloneInto(dst *RegionTable) { *dst = *t }

// Fingerprint implements [sm.Machine].
func (t *RegionTable) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (t *RegionTable) String() string { return "route.RegionTable" }

type regionView struct{}

func (v *regionView) Find(key []byte, now ports.Instant) *sm.Region      { return nil }
func (v *regionView) FindByEnd(end []byte, now ports.Instant) *sm.Region { return nil }
