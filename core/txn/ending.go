package txn

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// afterPrimary acts on the fate. It is the only place that does.
func (c *Commit) afterPrimary(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if !c.primary.Done() {
		return
	}
	switch c.primary.fate.kind {
	case committed:
		c.committed(env, now, out)
	case aborted:
		c.abort(env, now, c.primary.failure, out)
	case maybe:
		c.answer(Outcome{Kind: Unknown, Failure: c.primary.failure}, out)
		c.finish()
	case impossible:
		if c.primary.push == nil {
			c.abort(env, now, c.primary.failure, out)
			return
		}
		c.renew(env, now, out)
	}
}

// renew tries another commit timestamp in place of one that can never succeed.
func (c *Commit) renew(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if f := admitPush(c.primary.push, c.primary.commitTS); f.Failed() {
		c.abort(env, now, f, out)
		return
	}
	c.least = max(c.least, c.primary.push.MinCommitTS)
	c.fetchTS(env, now, out)
}

// committed answers and goes on to commit the rest.
func (c *Commit) committed(env *sm.Env, now ports.Instant, out *sm.Effects) {
	c.answer(Outcome{Kind: Committed, CommitTS: c.primary.commitTS}, out)
	c.heartbeat.stop()
	rest := c.primary.rest()
	if len(rest) == 0 {
		c.finish()
		return
	}
	c.state = commitSweeping
	env.Enter(hopSweep)
	c.sweep.commit(env, now, c.terms, rest, c.primary.commitTS, out)
	env.Leave()
	c.afterSweep()
}

// abort answers and goes on to roll back. The fate must be impossible or aborted.
func (c *Commit) abort(env *sm.Env, now ports.Instant, f sm.Failure, out *sm.Effects) {
	c.answer(Outcome{Kind: Aborted, Failure: f}, out)
	c.heartbeat.stop()
	if !c.prewrite.mayHold() || len(c.writes.locked) == 0 {
		c.finish()
		return
	}
	c.state = commitRollingBack
	env.Enter(hopSweep)
	c.sweep.rollback(env, now, c.terms, c.writes.locked, out)
	env.Leave()
	c.afterSweep()
}

func (c *Commit) onSweep(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopSweep)
	c.sweep.Step(env, ev, out)
	env.Leave()
	c.afterSweep()
}

func (c *Commit) afterSweep() {
	if c.sweep.Done() {
		c.trouble = c.sweep.failure
		c.finish()
	}
}

// answer releases the caller, unless it has gone already.
func (c *Commit) answer(o Outcome, out *sm.Effects) {
	if !c.answered {
		c.answered, c.outcome = true, o
		out.Answer()
	}
}

func (c *Commit) finish() {
	c.state = commitFinished
	c.heartbeat.stop()
}
