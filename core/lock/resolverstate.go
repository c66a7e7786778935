package lock

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Resolved reports that no round is in progress: Result can be read.
func (r *Resolver) Resolved() bool { return r.state == resolverResolved }

// Done reports that nothing is awaited any more. For writers it is the same as
// Resolved.
func (r *Resolver) Done() bool { return r.Resolved() && (r.work == nil || r.work.idle()) }

// Result returns what the last round brought.
func (r *Resolver) Result() *Result { return &r.result }

// ResolvedLocks returns the transactions, by their start, whose locks a read at
// Spec.CallerTS may ignore: rolled back, committed after it, or alive and bound to
// commit after it. For readers only. The list grows with every round, is emptied
// when a round has another CallerTS, and what was returned once never changes.
func (r *Resolver) ResolvedLocks() []ports.Timestamp { return slices.Clip(r.passable) }

// CommittedLocks returns the transactions whose locked values a read at
// Spec.CallerTS may take as committed; otherwise like [Resolver.ResolvedLocks].
func (r *Resolver) CommittedLocks() []ports.Timestamp { return slices.Clip(r.readable) }

// CloneInto implements [sm.Cloneable].
func (r *Resolver) CloneInto(dst *Resolver) {
	*dst = *r
	dst.passable, dst.readable = slices.Clone(r.passable), slices.Clone(r.readable)
	if r.work != nil {
		dst.work = &work{}
		r.work.cloneInto(dst.work)
	}
}

// Fingerprint implements [sm.Machine].
func (r *Resolver) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(r.state))
	r.spec.fingerprint(h)
	r.result.Failure.Fingerprint(h)
	h.Uint(uint64(r.result.Wait))
	h.Timestamps(r.passable)
	h.Timestamps(r.readable)
	h.Bool(r.work != nil)
	if r.work != nil {
		r.work.fingerprint(h)
	}
}

// String implements [sm.Machine].
func (r *Resolver) String() string {
	s := "lock.Resolver " + resolverStates[r.state]
	if r.work == nil {
		return s
	}
	if r.state == resolverDating {
		s += "; " + r.work.fetch.String()
	}
	if n := len(r.work.queue); n > 0 {
		s += fmt.Sprintf("; %d queued", n)
	}
	for i := range r.work.workers {
		switch w := &r.work.workers[i]; {
		case !w.busy:
		case w.job.stage == needsCheck:
			s += "; " + w.check.String()
		default:
			s += "; " + w.clean.String()
		}
	}
	return s
}
