package lock

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Cache is the hosted machine that remembers the final statuses of the last
// [sm.Knobs].TxnStatusEntries transactions that were learnt. The zero value is an
// empty cache. Not safe for concurrent use; its views are.
type Cache struct {
	view txnView
}

// Step moves the cache by one event; only EventLearn teaches it something.
func (c *Cache) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// View returns an immutable snapshot, safe for concurrent use.
func (c *Cache) View() sm.TxnView { return &c.view }

// Changed reports whether the cache differs from the snapshot that View returned
// last.
func (c *Cache) Changed() bool { return false }

// Contradictions returns how many facts contradicted what was known. It is 0 as
// long as the protocol holds.
func (c *Cache) Contradictions() int { return 0 }

// Done implements [sm.Machine]: the cache never ends.
func (c *Cache) Done() bool { return false }

// CloneInto implements [sm.Cloneable].
func (c *Cache) CloneInto(dst *Cache) { *dst = *c }

// Fingerprint implements [sm.Machine].
func (c *Cache) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (c *Cache) String() string { return "lock.Cache" }

type txnView struct{}

func (v *txnView) Status(start ports.Timestamp) (sm.TxnStatus, bool) { return sm.TxnStatus{}, false }
