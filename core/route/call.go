package route

import (
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Call routes one request: it finds region and store, picks a peer, and handles
// every region error and transport failure until the region serves the request or
// the deadline passes.
//
//	           told                  told                    Send
//	locating ───────▶ (pick a peer) ───────▶ ready ───────────────────▶ sending
//	    ▲                 │    ▲  ▲                                        │
//	    │ no usable entry │    │  └── another peer at once ◀───────────────┤ fault, Lost, Unsent
//	    └─────────────────┤    │                                           │
//	                      │    └──timer── pausing ◀── pause ───────────────┤
//	     store unknown    ▼                  ▲                             │ served
//	                  resolving              │ Pause                       ▼
//	                                         └──────────────────────── finished
//
// Peers are tried in rounds. A round begins with the peer that is believed to lead
// and goes on to the others with plain requests: one that does not lead says who
// does. When nobody is left to ask, the round ends: a pause, the region is loaded
// anew, and the next round begins. Every round has at least one pause that grows,
// so that no failure makes a call spin; unless a store demands more, it is no longer
// than half a second, so that a new leader is found soon after it was elected.
//
// Hung stores: no attempt waits for its timeout in vain, although no timer is armed
// for it. The network notices that a store is silent and answers what is in flight
// there with Lost and [ports.CauseHung] (see [ports.Network]). The call goes on with
// another peer and reports the store; from then on the store table's probes keep
// every call away from it until it answers one. While the region elects, calls go
// round its other peers with pauses of at most half a second, and so find the new
// leader within that time. A write whose attempt was given up may have been applied.
//
// A call is a child machine: its parent starts it, steps it, and attaches the
// request whenever the call is [Ready]. Not safe for concurrent use.
type Call struct {
	spec   Spec
	state  callState
	wait   uint32 // the generation that is awaited, 0 if none
	header ports.Header
	result Result

	// region is the entry in use, leading the index of the peer that this call
	// believes to lead, target that of the peer that was picked.
	region          *sm.Region `fp:"shared"`
	leading, target int
	// to and failEpoch are the target's store as it was when it was picked.
	to        ports.Endpoint
	failEpoch uint32
	// learnt is an entry that this call knows better than the view. avoid is an
	// entry of the view that must be loaded anew before it is used again, newer
	// the region version that failed: only something newer takes its place.
	learnt, avoid *sm.Region `fp:"shared"`
	newer         ports.RegionVersion

	// tries are what happened to the peers of region in this round; empty while
	// nothing did.
	tries []try
	round round
	// asks counts the questions to tables since the last attempt.
	asks uint8
	// rested: a pause has ended since the last attempt.
	rested bool

	sentAt ports.Instant
	// attempts counts submitted requests, reached those that may have reached a
	// store; maybe tells that one of them may have been applied.
	attempts, reached uint32
	maybe             bool
	history           sm.History
	fault             ports.FaultKind
	cause             ports.Cause
	backoff           backoff.Backoff
}

type callState uint8

const (
	callIdle callState = iota
	callLocating
	callResolving
	callReady
	callSending
	callPausing
	callFinished
)

// Start begins to route. Afterwards the call is Waiting, Ready or Finished.
func (c *Call) Start(env *sm.Env, now ports.Instant, spec Spec, out *sm.Effects) {
	tries := c.tries[:0]
	*c = Call{} // in place, without a copy
	c.spec, c.tries = spec, tries
	c.route(env, now, out)
}

// Step moves the call by one event. A parent hands on the events with the call's
// hop, and a cancel.
func (c *Call) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("route.Call", callStates[c.state], ev.Kind)
	if ev.Kind == ports.EventCancel {
		c.onCancel()
		return
	}
	if c.wait == 0 || ev.Tok.Gen != c.wait {
		return
	}
	switch c.state {
	case callLocating:
		c.onLocating(env, ev, out)
	case callResolving:
		c.onResolving(env, ev, out)
	case callSending:
		c.onSending(env, ev, out)
	case callPausing:
		c.onPausing(env, ev, out)
	case callIdle, callReady, callFinished:
	}
}

// Send submits the request; the call must be Ready. req stays in place and
// unchanged until the call is Ready again or Finished.
func (c *Call) Send(env *sm.Env, now ports.Instant, req ports.Request, out *sm.Effects) {
	if c.state != callReady {
		return
	}
	at := c.spec.Deadline
	if c.spec.Timeout > 0 {
		at = min(at, now.Add(c.spec.Timeout))
	}
	if c.round.limit > 0 {
		at = min(at, now.Add(c.round.limit))
	}
	c.header.Region, c.header.Peer = c.region.RegionVersion, c.region.Peers[c.target]
	c.header.IsRetry = c.header.IsRetry || c.reached > 0
	c.header.MaxExecution = max(at.Sub(now), time.Millisecond)
	if c.spec.Write {
		c.header.MaxExecution = max(at.Sub(now)*2/3, time.Millisecond)
	}
	c.attempts++
	c.asks, c.rested, c.sentAt = 0, false, now
	c.state = callSending
	out.Send(c.token(env), c.to, &c.header, req, at)
}

// Again routes the same spec once more after a reply, keeping history and
// backoffs.
func (c *Call) Again(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if c.state == callFinished && c.result.Kind == Replied {
		c.result = Result{}
		c.route(env, now, out)
	}
}

// Pause waits by the curve of the kind, at most ceiling when that is not 0, and
// then goes on as Again.
func (c *Call) Pause(env *sm.Env, now ports.Instant, kind backoff.Kind, ceiling time.Duration, out *sm.Effects) {
	if c.state == callFinished && c.result.Kind == Replied {
		c.result = Result{}
		c.pause(env, now, kind, ceiling, out)
	}
}

// route finds the region, then a peer. It is where every state but sending ends
// up, and the only place where time runs out.
func (c *Call) route(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if now >= c.spec.Deadline {
		c.fail(sm.FailDeadline)
		return
	}
	if c.locate(env, now, out) {
		c.pick(env, now, out)
	}
}

// onCancel ends the call. What is in flight may still be applied.
func (c *Call) onCancel() {
	if c.state == callIdle || c.state == callFinished {
		return
	}
	c.maybe = c.maybe || c.state == callSending
	c.fail(sm.FailCancelled)
}

func (c *Call) onSending(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch ev.Kind {
	case ports.EventReply:
		c.reached++
		if ev.Reply == nil {
			c.maybe = true
			c.onUnanswered(env, ev.Now, ports.Cause{Kind: ports.CauseMalformed}, out)
			return
		}
		if fault := ev.Reply.Region(); fault != nil {
			c.onFault(env, ev.Now, fault, out)
			return
		}
		c.onServed(env, ev.Reply, out)
	case ports.EventLost:
		c.reached++
		c.maybe = true
		c.onUnanswered(env, ev.Now, ev.Cause, out)
	case ports.EventUnsent:
		c.onUnanswered(env, ev.Now, ev.Cause, out)
	case ports.EventStart, ports.EventTimer, ports.EventTimestamp, ports.EventPlaced, ports.EventRefused,
		ports.EventProbed, ports.EventCancel, ports.EventAsk, ports.EventTell, ports.EventLearn, ports.EventSweep:
	}
}

// onServed ends the call with a reply and teaches the tables what it proves.
func (c *Call) onServed(env *sm.Env, reply ports.Reply, out *sm.Effects) {
	if c.target != c.region.Leading || c.failEpoch != c.region.FailEpoch || c.region == c.learnt {
		c.learnLeader(c.target, out)
	}
	if s := env.Stores.Store(c.to.Store); s != nil && s.Liveness != sm.Reachable {
		learn(ports.Fact{Kind: ports.FactStoreAlive, Store: c.to.Store}, out)
	}
	c.leading = c.target
	c.tries, c.round = c.tries[:0], round{}
	c.state, c.wait = callFinished, 0
	c.result = Result{Kind: Replied, Reply: reply}
}

func (c *Call) onPausing(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventTimer {
		c.rested = true
		c.route(env, ev.Now, out)
	}
}

// pause waits by the curve of a kind.
func (c *Call) pause(env *sm.Env, now ports.Instant, kind backoff.Kind, ceiling time.Duration, out *sm.Effects) {
	c.pauseUntil(env, now.Add(c.backoff.Next(kind, &env.Rand, ceiling)), kind, out)
}

// pauseUntil waits until an instant, or until the deadline if that comes first.
func (c *Call) pauseUntil(env *sm.Env, at ports.Instant, kind backoff.Kind, out *sm.Effects) {
	c.state = callPausing
	out.Arm(c.token(env), min(at, c.spec.Deadline), kind.String())
}

// fail ends the call without a reply.
func (c *Call) fail(code sm.FailureCode) {
	c.state, c.wait = callFinished, 0
	c.result = Result{Kind: Failed, Failure: sm.Failure{
		Code: code, Fault: c.fault, Cause: c.cause, History: c.history,
	}}
}

// token returns a fresh token, whose answer is awaited from here on.
func (c *Call) token(env *sm.Env) ports.Tok {
	tok := env.Token()
	c.wait = tok.Gen
	return tok
}

// learn teaches the tables a fact. Facts outlive the step, so each has memory of
// its own.
func learn(f ports.Fact, out *sm.Effects) { out.Learn(&f) }

// learnLeader teaches the table who leads the region.
func (c *Call) learnLeader(i int, out *sm.Effects) {
	learn(ports.Fact{
		Kind: ports.FactLeader, Region: c.region.RegionVersion, Key: c.region.Range.Start, Peer: c.region.Peers[i],
	}, out)
}
