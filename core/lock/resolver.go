package lock

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Purpose says for what the locks are in the way.
type Purpose uint8

// The purposes.
const (
	// Read: the caller may pass a lock as soon as it knows what the lock's
	// transaction means to its snapshot; locks are removed behind its back.
	Read Purpose = iota
	// Write: the caller needs the locks gone.
	Write
)

// Spec says on whose behalf locks are resolved.
type Spec struct {
	Purpose Purpose
	// CallerTS is the reader's timestamp, or the start of the writing transaction.
	CallerTS ports.Timestamp
	// Lite removes only the locks that were met, however large their transaction.
	// Point reads want it.
	Lite bool
	// RequestSource labels the requests.
	RequestSource string
	// Deadline is the instant at which the caller gives up. Removing locks behind a
	// reader's back has a budget of its own.
	Deadline ports.Instant
}

// Result is what a round of resolving brought.
type Result struct {
	// Failure says why the locks could not be resolved; then Wait is 0.
	Failure sm.Failure
	// Wait is 0 when the request can be sent again at once. Otherwise somebody is
	// alive: the caller pauses for at most Wait (backoff.TxnLock for writers,
	// backoff.TxnLockFast for readers) and then sends its request again.
	Wait time.Duration
}

// Resolver is a child machine that resolves the locks that one request has met.
// Each Start begins a round, which ends when the resolver is Resolved. A reader's
// resolver may be started again while it still removes the locks of earlier rounds;
// its parent keeps stepping it until it is Done. The zero value is ready, Resolved
// and Done. Not safe for concurrent use.
//
// A reader puts [Resolver.ResolvedLocks] and [Resolver.CommittedLocks] into the
// header of each attempt, whenever its call is ready:
//
//	hdr.ResolvedLocks, hdr.CommittedLocks = r.ResolvedLocks(), r.CommittedLocks()
type Resolver struct {
	result Result
}

// Start begins a round. locks are copied; sets of shared locks are expanded. The
// resolver must be Resolved or new.
func (r *Resolver) Start(env *sm.Env, now ports.Instant, spec Spec, locks []ports.Lock, out *sm.Effects) {
	*r = Resolver{}
}

// Step moves the resolver by one event.
func (r *Resolver) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// Cancel ends the round without a result, because its caller has gone. Removing
// the locks of transactions that are known to have ended goes on.
func (r *Resolver) Cancel() {}

// Resolved reports that no round is in progress: Result can be read.
func (r *Resolver) Resolved() bool { return true }

// Done reports that nothing is awaited any more. For writers it is the same as
// Resolved.
func (r *Resolver) Done() bool { return true }

// Result returns what the last round brought.
func (r *Resolver) Result() *Result { return &r.result }

// ResolvedLocks returns the transactions, by their start, whose locks a read at
// Spec.CallerTS may ignore: rolled back, committed after it, or alive and bound to
// commit after it. For readers only. The list grows with every round, is emptied
// when a round has another CallerTS, and what was returned once never changes.
func (r *Resolver) ResolvedLocks() []ports.Timestamp { return nil }

// CommittedLocks returns the transactions whose locked values a read at
// Spec.CallerTS may take as committed; otherwise like [Resolver.ResolvedLocks].
func (r *Resolver) CommittedLocks() []ports.Timestamp { return nil }

// CloneInto implements [sm.Cloneable].
func (r *Resolver) CloneInto(dst *Resolver) { *dst = *r }

// Fingerprint implements [sm.Machine].
func (r *Resolver) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (r *Resolver) String() string { return "lock.Resolver" }
