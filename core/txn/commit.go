package txn

import (
	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
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
//
//	idle ──Start──▶ prewriting ──▶ fetching ──▶ deciding ──committed──▶ sweeping ──▶ finished
//	                    │           ▲ │ ▲ │      │ │ └──────unknown────────────────▶ finished
//	                    │   lagging─┘ │ └─┼expired │
//	                    │      ▲──────┘   │        │ aborted
//	                    ▼ failed, cancel  ▼        ▼
//	                    rolling back ──────────────────────────────────────────────▶ finished
//
// Without anything to write, or before anything could be locked, it ends at once.
// The caller is answered on the way to sweeping, rolling back or finished, or by a
// cancel while deciding. Deciding holds the commit point; see the package comment.
// Not safe for concurrent use.
type Commit struct {
	commit
	prewrite  prewrite
	fetch     ts.Fetch
	primary   primary
	sweep     sweep
	heartbeat heartbeat
}

// commit is what a Commit is about, apart from its children.
type commit struct {
	terms  terms
	writes writes
	state  commitState
	// answered: outcome is final.
	answered bool
	outcome  Outcome
	trouble  sm.Failure

	// least is the commit timestamp that TiKV demands at least, 0 if it has not;
	// wait and pauses belong to the time until the oracle has passed it.
	least  ports.Timestamp
	wait   uint32
	pauses backoff.Backoff
}

type commitState uint8

const (
	commitIdle commitState = iota
	commitPrewriting
	commitFetching
	commitLagging
	commitDeciding
	commitSweeping
	commitRollingBack
	commitFinished
)

var commitStates = [...]string{
	commitIdle: "idle", commitPrewriting: "prewriting", commitFetching: "fetching", commitLagging: "lagging",
	commitDeciding: "deciding", commitSweeping: "sweeping", commitRollingBack: "rolling back",
	commitFinished: "finished",
}

// The addresses of the children.
const (
	hopPrewrite = 1 + iota
	hopFetch
	hopPrimary
	hopSweep
	hopHeartbeat
)

// Init prepares a commit; EventStart begins it. Memory of an earlier one is reused.
func (c *Commit) Init(p Params) {
	if c.state != commitIdle { // nothing else was touched before it began
		c.reset()
	}
	c.writes = collect(&p.View)
	c.terms = terms{
		start: p.StartTS, began: p.Began, deadline: p.Deadline, size: c.writes.size, priority: p.Priority,
		source: p.RequestSource,
	}
	if len(c.writes.keys) > 0 {
		c.terms.primary = c.writes.keys[c.writes.primary]
	}
}

// Forget lets go of everything that belongs to a transaction, but keeps memory for
// the next one. The machine must be Done; Init is next.
func (c *Commit) Forget() {
	c.reset()
	c.prewrite.forget()
	c.sweep.forget()
}

// reset forgets an earlier commit but for its memory, in place: the machine is large, and copying it costs.
func (c *Commit) reset() {
	c.commit = commit{}
	c.prewrite.reset()
	c.fetch = ts.Fetch{}
	c.primary = primary{}
	c.sweep.reset()
	c.heartbeat = heartbeat{}
}

// Outcome returns what became of the transaction; final once answered.
func (c *Commit) Outcome() Outcome { return c.outcome }

// Answered reports whether the caller was released.
func (c *Commit) Answered() bool { return c.answered }

// Committing reports whether a request that can decide the commit was submitted
// and has not been proven to be without effect: whoever gives the machine up must
// not call the transaction aborted.
func (c *Commit) Committing() bool {
	return c.primary.fate.kind == maybe || c.primary.fate.kind == committed
}

// Trouble returns the first failure after the answer, for logs: secondaries that
// could not be committed or rolled back are left to whoever meets their locks.
// Nil if there was none.
func (c *Commit) Trouble() *sm.Failure {
	if c.trouble.Failed() {
		return &c.trouble
	}
	return nil
}

// Done implements [sm.Machine].
func (c *Commit) Done() bool { return c.state == commitFinished }

// Step implements [sm.Machine].
func (c *Commit) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("txn.Commit", commitStates[c.state], ev.Kind)
	hop := env.Hop(ev)
	switch {
	case ev.Kind == ports.EventCancel:
		c.onCancel(env, ev, out)
		return
	case hop == hopHeartbeat:
		env.Enter(hopHeartbeat)
		c.heartbeat.Step(env, ev, out)
		env.Leave()
		return
	}
	switch c.state {
	case commitIdle:
		if ev.Kind == ports.EventStart {
			c.onStart(env, ev.Now, out)
		}
	case commitPrewriting:
		if hop == hopPrewrite {
			c.onPrewriting(env, ev, out)
		}
	case commitFetching:
		if hop == hopFetch {
			c.onFetching(env, ev, out)
		}
	case commitLagging:
		if ev.Kind == ports.EventTimer && ev.Tok.Gen == c.wait {
			c.fetchTS(env, ev.Now, out)
		}
	case commitDeciding:
		if hop == hopPrimary {
			c.onDeciding(env, ev, out)
		}
	case commitSweeping, commitRollingBack:
		if hop == hopSweep {
			c.onSweep(env, ev, out)
		}
	case commitFinished:
	}
}

// onCancel aborts before the commit point. After it the caller leaves, and the
// machine goes on. In both cases the failure says what was tried until now.
func (c *Commit) onCancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if c.answered {
		return
	}
	switch c.state {
	case commitPrewriting:
		c.prewrite.cancel(env, ev, out)
		c.abort(env, ev.Now, c.prewrite.failure, out)
	case commitFetching:
		c.fetch.Step(env, ev, out)
		c.abort(env, ev.Now, *c.fetch.Failure(), out)
	case commitLagging:
		c.abort(env, ev.Now, sm.Failure{Code: sm.FailCancelled}, out)
	case commitDeciding:
		failure := c.primary.soFar(env, ev, out)
		if c.primary.fate.kind == impossible {
			c.abort(env, ev.Now, failure, out)
			return
		}
		c.answer(Outcome{Kind: Unknown, Failure: failure}, out)
	case commitIdle, commitSweeping, commitRollingBack, commitFinished:
	}
}

func (c *Commit) onStart(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if len(c.writes.keys) == 0 {
		c.answer(Outcome{Kind: Committed}, out)
		c.finish()
		return
	}
	if f := admit(env, now, &c.terms); f.Failed() {
		c.answer(Outcome{Kind: Aborted, Failure: f}, out)
		c.finish()
		return
	}
	c.state = commitPrewriting
	env.Enter(hopPrewrite)
	c.prewrite.begin(env, now, c.terms, &c.writes, out)
	env.Leave()
	c.afterPrewrite(env, now, out)
}

func (c *Commit) onPrewriting(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopPrewrite)
	c.prewrite.Step(env, ev, out)
	env.Leave()
	c.afterPrewrite(env, ev.Now, out)
}

func (c *Commit) afterPrewrite(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch {
	case c.prewrite.failure.Failed():
		c.abort(env, now, c.prewrite.failure, out)
		return
	case c.prewrite.Done() && len(c.writes.locked) == 0:
		// Only checks, and all of them hold.
		c.answer(Outcome{Kind: Committed}, out)
		c.finish()
		return
	}
	if c.prewrite.primaryLocked && c.heartbeat.state == heartbeatIdle && len(c.writes.locked) > 0 {
		env.Enter(hopHeartbeat)
		c.heartbeat.begin(env, now, c.terms, c.prewrite.primarySent, out)
		env.Leave()
	}
	if c.prewrite.Done() {
		c.fetchTS(env, now, out)
	}
}

// fetchTS asks for a commit timestamp; nothing may be in doubt.
func (c *Commit) fetchTS(env *sm.Env, now ports.Instant, out *sm.Effects) {
	c.state, c.wait = commitFetching, 0
	env.Enter(hopFetch)
	c.fetch.Start(env, now, c.terms.deadline, out)
	env.Leave()
	c.afterFetch(env, now, out)
}

func (c *Commit) onFetching(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopFetch)
	c.fetch.Step(env, ev, out)
	env.Leave()
	c.afterFetch(env, ev.Now, out)
}

func (c *Commit) afterFetch(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if !c.fetch.Done() {
		return
	}
	failure := *c.fetch.Failure()
	if !failure.Failed() {
		failure = admitTS(env, &c.terms, c.fetch.TS())
	}
	switch {
	case failure.Failed():
		c.abort(env, now, failure, out)
	case c.fetch.TS() < c.least:
		c.state = commitLagging
		tok := env.Token()
		c.wait = tok.Gen
		pause := c.pauses.Next(backoff.CommitTSLag, &env.Rand, 0)
		out.Arm(tok, backoff.Until(now, pause, c.terms.deadline), backoff.CommitTSLag.String())
	default:
		c.state = commitDeciding
		env.Enter(hopPrimary)
		c.primary.begin(env, now, c.terms, c.writes.locked, c.fetch.TS(), out)
		env.Leave()
		c.afterPrimary(env, now, out)
	}
}

func (c *Commit) onDeciding(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopPrimary)
	c.primary.Step(env, ev, out)
	env.Leave()
	c.afterPrimary(env, ev.Now, out)
}
