package lock

import (
	"math"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// clean is a child machine that removes the locks which a transaction left, region
// by region in key order: by key, or everything that the transaction has in the
// region. All its requests can be repeated without harm.
//
//	idle ──Start──▶ removing ──nothing left, or failed──▶ finished
//	                  │  ▲
//	                  └──┘ next region
//
// A request without keys means the whole region, so that no list of keys that was
// meant to name some may ever be empty.
type clean struct {
	state cleanState
	plan  plan
	// rest are the keys whose locks are still there; the request that is out
	// serves the first batch of them.
	rest     [][]byte `fp:"shared"`
	batch    int
	failure  sm.Failure
	call     route.Call
	resolve  ports.ResolveLockRequest         `fp:"-"`
	rollback ports.PessimisticRollbackRequest `fp:"-"`
}

// plan says whose locks are removed, and how.
type plan struct {
	startTS ports.Timestamp
	// commitTS is 0 for a transaction that was rolled back.
	commitTS ports.Timestamp
	// pessimistic locks are rolled back up to forUpdateTS, 0 for all, and never by
	// region: others of the transaction may protect what it still needs.
	pessimistic bool
	forUpdateTS ports.Timestamp
	// byRegion removes all that the transaction has in each region.
	byRegion bool
	txnFile  bool
	source   string
	deadline ports.Instant
}

type cleanState uint8

const (
	cleanIdle cleanState = iota
	cleanRemoving
	cleanFinished
)

var cleanStates = [...]string{cleanIdle: "idle", cleanRemoving: "removing", cleanFinished: "finished"}

// Start begins to remove the locks on keys, which are sorted. Afterwards the
// machine may be Done at once, when the deadline has passed.
func (c *clean) Start(env *sm.Env, now ports.Instant, p plan, keys [][]byte, out *sm.Effects) {
	c.state, c.plan, c.rest, c.batch, c.failure = cleanRemoving, p, keys, 0, sm.Failure{}
	c.next(env, now, out)
	c.follow(env, now, out)
}

// Done reports that the locks are gone, or that failure says why not.
func (c *clean) Done() bool { return c.state == cleanFinished }

// Step moves the machine by one event.
func (c *clean) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("lock.clean", cleanStates[c.state], ev.Kind)
	switch c.state {
	case cleanRemoving:
		if ev.Kind == ports.EventCancel || env.Hop(ev) == hopCall {
			c.onRemoving(env, ev, out)
		}
	case cleanIdle, cleanFinished:
	}
}

func (c *clean) onRemoving(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopCall)
	c.call.Step(env, ev, out)
	env.Leave()
	c.follow(env, ev.Now, out)
}

// next routes to the region of the first key that is left.
func (c *clean) next(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if len(c.rest) == 0 {
		c.state = cleanFinished
		return
	}
	env.Enter(hopCall)
	c.call.Start(env, now, route.Spec{
		By: route.ByKey, Key: c.rest[0], Deadline: c.plan.deadline, Timeout: env.Knobs.RequestTimeout, Write: true,
	}, out)
	env.Leave()
}

// follow does what the call wants. Each answer takes keys off the rest, so that
// this ends.
func (c *clean) follow(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for c.state == cleanRemoving {
		switch c.call.State() {
		case route.Idle, route.Waiting:
			return
		case route.Ready:
			c.send(env, now, out)
			return
		case route.Finished:
			c.onResult(env, now, out)
		}
	}
}

func (c *clean) send(env *sm.Env, now ports.Instant, out *sm.Effects) {
	c.batch = c.within(env)
	c.call.Header().RequestSource = c.plan.source
	env.Enter(hopCall)
	c.call.Send(env, now, c.request(), out)
	env.Leave()
}

// within returns how many of the keys, beginning with the first, lie in the region
// to which the call is about to go.
func (c *clean) within(env *sm.Env) int {
	region := c.call.Region().Range
	n := 1 // the region was found by the first
	for n < len(c.rest) && region.Contains(env.RegionKey(c.rest[n])) {
		n++
	}
	return n
}

func (c *clean) request() ports.Request {
	p, keys := &c.plan, c.rest[:c.batch]
	if p.pessimistic {
		c.rollback = ports.PessimisticRollbackRequest{Keys: keys, StartTS: p.startTS, ForUpdateTS: p.forUpdateTS}
		if p.forUpdateTS == 0 {
			c.rollback.ForUpdateTS = math.MaxUint64
		}
		return &c.rollback
	}
	c.resolve = ports.ResolveLockRequest{StartTS: p.startTS, CommitTS: p.commitTS, Keys: keys, IsTxnFile: p.txnFile}
	if p.byRegion {
		c.resolve.Keys = nil
	}
	return &c.resolve
}

func (c *clean) onResult(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch r := c.call.Result(); r.Kind {
	case route.Replied:
		if f := c.judge(r.Reply); f.Failed() {
			c.fail(f)
			return
		}
		c.rest = c.rest[c.batch:]
		c.next(env, now, out)
	case route.Failed, route.Regroup:
		c.fail(r.Failure)
	}
}

// judge returns what is wrong with an answer.
func (c *clean) judge(reply ports.Reply) sm.Failure {
	switch r := reply.(type) {
	case *ports.ResolveLockReply:
		if c.plan.pessimistic {
			break
		}
		if r.Err != nil {
			return refused(r.Err)
		}
		return sm.Failure{}
	case *ports.PessimisticRollbackReply:
		if !c.plan.pessimistic {
			break
		}
		if len(r.Errors) > 0 {
			return refused(&r.Errors[0])
		}
		return sm.Failure{}
	}
	return protocol("locks were to be removed, something else was answered")
}

func (c *clean) fail(f sm.Failure) { c.state, c.failure = cleanFinished, f }

// CloneInto implements [sm.Cloneable].
func (c *clean) CloneInto(dst *clean) {
	call := dst.call
	c.call.CloneInto(&call)
	*dst = *c
	dst.call = call
}

// Fingerprint implements [sm.Machine].
func (c *clean) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(c.state))
	c.plan.fingerprint(h)
	h.Keys(c.rest)
	h.Int(c.batch)
	c.failure.Fingerprint(h)
	c.call.Fingerprint(h)
}

func (p *plan) fingerprint(h *sm.Hash) {
	h.TS(p.startTS)
	h.TS(p.commitTS)
	h.Bool(p.pessimistic)
	h.TS(p.forUpdateTS)
	h.Bool(p.byRegion)
	h.Bool(p.txnFile)
	h.Text(p.source)
	h.Instant(p.deadline)
}

// String implements [sm.Machine].
func (c *clean) String() string { return "lock.clean " + cleanStates[c.state] + ": " + c.call.String() }
