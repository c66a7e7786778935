package route

import (
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// By says how a [Call] finds its region.
type By uint8

// The ways to find a region.
const (
	// ByKey: the region that holds Spec.Key, whichever that is at the moment.
	ByKey By = iota
	// ByEnd: the region whose keys lie just below Spec.Key; an empty key means
	// the last region.
	ByEnd
	// ByRegion: exactly Spec.Region, which holds Spec.Key. When that version no
	// longer serves, the call ends with [Regroup].
	ByRegion
)

// Spec says what is to be routed.
type Spec struct {
	By By
	// Key is a user key, borrowed until the call is finished.
	Key []byte
	// Region is the version that [ByRegion] demands.
	Region ports.RegionVersion
	// Deadline is the instant at which the call gives up: its only budget.
	Deadline ports.Instant
	// Timeout bounds one attempt.
	Timeout time.Duration
	// Write marks requests that change data.
	Write bool
}

// State is what the parent must know of a call's state.
type State uint8

// The states of a call as its parent sees them.
const (
	// Idle: not started.
	Idle State = iota
	// Waiting: an answer or a timer is awaited.
	Waiting
	// Ready: a region and a peer are chosen; the parent calls [Call.Send].
	Ready
	// Finished: [Call.Result] says how.
	Finished
)

// ResultKind says how a call finished.
type ResultKind uint8

// The results of a call.
const (
	// Replied: the region served the request; Reply is lent for this Step.
	Replied ResultKind = iota
	// Regroup: the demanded region version no longer serves ([ByRegion] only).
	Regroup
	// Failed: Failure says why.
	Failed
)

// Result is how a call finished.
type Result struct {
	Kind    ResultKind
	Reply   ports.Reply
	Failure sm.Failure
}

// Call routes one request: it finds region and store, picks a peer, sends, and
// handles every region error and transport failure until the region serves the
// request or the deadline passes. Not safe for concurrent use.
type Call struct {
	spec   Spec
	header ports.Header
	region *sm.Region
	state  State
	result Result
}

// Start begins to route. Afterwards the call is Waiting, Ready or Finished.
func (c *Call) Start(env *sm.Env, now ports.Instant, spec Spec, out *sm.Effects) {
	*c = Call{spec: spec}
}

// Step moves the call by one event.
func (c *Call) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {}

// State returns what the parent must do.
func (c *Call) State() State { return c.state }

// Done reports that the call has finished.
func (c *Call) Done() bool { return c.state == Finished }

// Region returns the region to which the request will go; nil unless Ready.
func (c *Call) Region() *sm.Region { return c.region }

// Header returns the header of the next attempt. While Ready the parent may set
// what does not belong to routing; it stays set for retries. Start clears it.
func (c *Call) Header() *ports.Header { return &c.header }

// Send submits the request; the call must be Ready. req stays in place and
// unchanged until the call is Ready again or Finished.
func (c *Call) Send(env *sm.Env, now ports.Instant, req ports.Request, out *sm.Effects) {}

// Result returns how the call finished.
func (c *Call) Result() Result { return c.result }

// Again routes the same spec once more after a reply, keeping history and
// backoffs.
func (c *Call) Again(env *sm.Env, now ports.Instant, out *sm.Effects) {}

// Pause waits by the curve of the kind, at most ceiling when that is not 0, and
// then goes on as Again.
func (c *Call) Pause(env *sm.Env, now ports.Instant, kind backoff.Kind, ceiling time.Duration, out *sm.Effects) {
}

// MayBeApplied reports whether an attempt since Start ended in a way that may
// have been applied and was not answered with success.
func (c *Call) MayBeApplied() bool { return false }

// Retried reports whether more than one attempt was submitted.
func (c *Call) Retried() bool { return false }

// CloneInto implements [sm.Cloneable].
func (c *Call) CloneInto(dst *Call) { *dst = *c }

// Fingerprint implements [sm.Machine].
func (c *Call) Fingerprint(h *sm.Hash) {}

// String implements [sm.Machine].
func (c *Call) String() string { return "route.Call" }
