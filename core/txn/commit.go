package txn

import (
	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Params say what is to be committed.
type Params struct {
	StartTS ports.Timestamp
	// Began is the instant at which the oracle gave StartTS; 0 when StartTS came
	// from elsewhere.
	Began ports.Instant
	// View holds the writes; its memory is borrowed until the machine is Done.
	View buffer.View
	// Deadline bounds the time until the answer.
	Deadline      ports.Instant
	Priority      ports.Priority
	RequestSource string
}

// Commit is the root machine that commits one optimistic transaction.
type Commit struct {
	params Params
}

// Init prepares a commit; EventStart begins it.
func (c *Commit) Init(p Params) { *c = Commit{params: p} }

// Step implements [sm.Machine].
func (c *Commit) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// Outcome returns what became of the transaction; final once answered.
func (c *Commit) Outcome() Outcome { return Outcome{} }

// Answered reports whether the caller was released.
func (c *Commit) Answered() bool { return false }

// Trouble returns the first failure after the answer, for logs: secondaries that
// could not be committed or rolled back are left to whoever meets their locks.
func (c *Commit) Trouble() *sm.Failure { return nil }

// Done implements [sm.Machine].
func (c *Commit) Done() bool { return false }

// CloneInto implements [sm.Cloneable].
func (c *Commit) CloneInto(dst *Commit) { *dst = *c }

// Fingerprint implements [sm.Machine].
func (c *Commit) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (c *Commit) String() string { return "txn.Commit" }
