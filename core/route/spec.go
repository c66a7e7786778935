package route

import (
	"time"

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
	// ByBound: as ByEnd, but Spec.Key is a bound in PD's key space. A bound that cuts
	// an encoded key in two has no user key that names it.
	ByBound
	// ByRegion: exactly Spec.Region, which holds Spec.Key. When that version no
	// longer serves, the call ends with [Regroup].
	ByRegion
)

// Spec says what is to be routed.
type Spec struct {
	By By
	// Key is a user key (or a bound, see [ByBound]), borrowed until the call is
	// finished.
	Key []byte `fp:"shared"`
	// Region is the version that [ByRegion] demands.
	Region ports.RegionVersion
	// Deadline is the instant at which the call gives up: its only budget.
	Deadline ports.Instant
	// Timeout bounds one attempt; 0 leaves it to the deadline.
	Timeout time.Duration
	// Write marks requests that change data. A store gives up the execution of a
	// write before the client stops to wait for it, so that its answer is heard.
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
	// Group the keys again, with that version as the stale one.
	Regroup
	// Failed: Failure says why.
	Failed
)

// Result is how a call finished.
type Result struct {
	Kind    ResultKind
	Reply   ports.Reply `fp:"-"`
	Failure sm.Failure
}
