package route

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// StoreTable is the hosted machine that knows stores and how they fare. The zero
// value is an empty table. Not safe for concurrent use; its views are.
type StoreTable struct {
	view storeView
}

// Step moves the table by one event.
func (t *StoreTable) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// View returns an immutable snapshot, safe for concurrent use.
func (t *StoreTable) View() sm.StoreView { return &t.view }

// Changed reports whether the table differs from the snapshot that View returned
// last.
func (t *StoreTable) Changed() bool { return false }

// Done implements [sm.Machine]: a table never ends.
func (t *StoreTable) Done() bool { return false }

// CloneInto implements [sm.Cloneable].
func (t *StoreTable) CloneInto(dst *StoreTable) { *dst = *t }

// Fingerprint implements [sm.Machine].
func (t *StoreTable) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (t *StoreTable) String() string { return "route.StoreTable" }

type storeView struct{}

func (v *storeView) Store(id ports.StoreID) *sm.Store { return nil }
