package lock

import (
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// check is a child machine that asks the primary of a transaction what became of
// it (TiKV: CheckTxnStatus).
//
//	idle ──Start──▶ asking ──final, alive, ownerless, or failed──▶ finished
//	                 │  ▲
//	                 └──┘ not found: again after a pause while the lock that was met
//	                      is alive, else again with the order to roll back
//
// A primary that is not found may still be written: prewrites of one transaction
// arrive in any order. Only when the lock that was met has expired is TiKV told to
// make its absence final.
type check struct {
	state    checkState
	question question
	// rollback: a transaction that is not found is to be rolled back.
	rollback bool
	// absences counts the answers that the transaction was not found.
	absences uint8
	verdict  verdict
	failure  sm.Failure
	call     route.Call
	request  ports.CheckTxnStatusRequest `fp:"-"`
}

// question says which transaction is asked about, and on whose behalf.
type question struct {
	startTS     ports.Timestamp
	primary     []byte `fp:"shared"`
	pessimistic bool
	txnFile     bool
	// ttl is the life of the lock that was met, 0 if TiKV told none.
	ttl uint64
	// callerTS is above what the transaction's commit is to be pushed; 0 does not
	// push. currentTS is the oracle's.
	callerTS, currentTS ports.Timestamp
	source              string
	deadline            ports.Instant
}

type checkState uint8

const (
	checkIdle checkState = iota
	checkAsking
	checkFinished
)

var checkStates = [...]string{checkIdle: "idle", checkAsking: "asking", checkFinished: "finished"}

// maxAbsences is how often a transaction that is not found is asked for before its
// lock counts as alive: with the pauses of backoff.TxnNotFound about 60 ms, in
// which a primary that is on its way arrives.
const maxAbsences = 6

// hopCall is the address of a routed call below its parent.
const hopCall = 1

// Start begins to ask. Afterwards the machine may be Done at once, when the
// deadline has passed.
func (c *check) Start(env *sm.Env, now ports.Instant, q question, out *sm.Effects) {
	c.state, c.question = checkAsking, q
	c.rollback, c.absences, c.verdict, c.failure = false, 0, verdict{}, sm.Failure{}
	env.Enter(hopCall)
	c.call.Start(env, now, route.Spec{
		By: route.ByKey, Key: q.primary, Deadline: q.deadline, Timeout: env.Knobs.RequestTimeout, Write: true,
	}, out)
	env.Leave()
	c.follow(env, now, out)
}

// Done reports that there is a verdict, or that failure says why not.
func (c *check) Done() bool { return c.state == checkFinished }

// Step moves the machine by one event.
func (c *check) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("lock.check", checkStates[c.state], ev.Kind)
	switch c.state {
	case checkAsking:
		if ev.Kind == ports.EventCancel || env.Hop(ev) == hopCall {
			c.onAsking(env, ev, out)
		}
	case checkIdle, checkFinished:
	}
}

func (c *check) onAsking(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Enter(hopCall)
	c.call.Step(env, ev, out)
	env.Leave()
	c.follow(env, ev.Now, out)
}

// follow does what the call wants. An answer can lead to another question, which
// can fail or be ready at once.
func (c *check) follow(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for c.state == checkAsking {
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

func (c *check) send(env *sm.Env, now ports.Instant, out *sm.Effects) {
	q := &c.question
	// VerifyIsPrimary keeps a pessimistic lock that names a primary which its
	// transaction has given up from being judged by that key (pingcap/tidb#42937).
	c.request = ports.CheckTxnStatusRequest{
		Primary: q.primary, LockTS: q.startTS, CallerStartTS: q.callerTS, CurrentTS: q.currentTS,
		RollbackIfNotExist: c.rollback, ResolvingPessimisticLock: q.pessimistic, VerifyIsPrimary: true,
		IsTxnFile: q.txnFile,
	}
	c.call.Header().RequestSource = q.source
	env.Enter(hopCall)
	c.call.Send(env, now, &c.request, out)
	env.Leave()
}

func (c *check) onResult(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch r := c.call.Result(); r.Kind {
	case route.Replied:
		reply, ok := r.Reply.(*ports.CheckTxnStatusReply)
		switch {
		case !ok:
			c.fail(protocol("a status was asked for, something else was answered"))
		case reply.Err != nil:
			c.onKeyError(env, now, reply.Err, out)
		default:
			c.onStatus(reply)
		}
	case route.Failed, route.Regroup:
		c.fail(r.Failure)
	}
}

func (c *check) onKeyError(env *sm.Env, now ports.Instant, e *ports.KeyError, out *sm.Effects) {
	switch e.Kind {
	case ports.KeyTxnNotFound:
		c.onAbsent(env, now, out)
		return
	case ports.KeyPrimaryMismatch:
		// A pessimistic lock can be left over from a primary that was given up. A
		// prewrite lock cannot, so that nothing is known of its transaction.
		if c.question.pessimistic {
			c.finish(verdict{kind: ownerless})
			return
		}
	case ports.KeyErrorNone, ports.KeyErrorOther, ports.KeyLocked, ports.KeyWriteConflict, ports.KeyAlreadyExists,
		ports.KeyRetryable, ports.KeyAbort, ports.KeyDeadlock, ports.KeyCommitTSExpired, ports.KeyCommitTSTooLarge,
		ports.KeyAssertionFailed, ports.KeyTxnLockNotFound:
	}
	c.fail(refused(e))
}

// onAbsent decides what it means that the primary holds neither lock nor record.
func (c *check) onAbsent(env *sm.Env, now ports.Instant, out *sm.Effects) {
	q := &c.question
	life := c.life(env)
	if ts.Expired(q.startTS, life, q.currentTS) {
		if c.rollback {
			c.fail(protocol("a transaction that was to be rolled back was not found"))
			return
		}
		c.rollback = true
		env.Enter(hopCall)
		c.call.Again(env, now, out)
		env.Leave()
		return
	}
	c.absences++
	if q.pessimistic || c.absences >= maxAbsences {
		c.finish(verdict{kind: alive, left: c.left(life)})
		return
	}
	env.Enter(hopCall)
	c.call.Pause(env, now, backoff.TxnNotFound, 0, out)
	env.Leave()
}

// life is the life of the lock that was met. TiKV reports a life of 0 where it
// wants a lock resolved at once, which is no reason to kill a transaction whose
// primary is on its way: such a lock counts as long-lived.
func (c *check) life(env *sm.Env) uint64 {
	if c.question.ttl > 0 {
		return c.question.ttl
	}
	return uint64(env.Knobs.MaxLockTTL / time.Millisecond)
}

// left returns how long a lock of the transaction lives at least. It is never 0:
// whoever met somebody alive must not come back at once.
func (c *check) left(ttl uint64) time.Duration {
	return max(ts.Until(c.question.startTS, ttl, c.question.currentTS), time.Millisecond)
}

// onStatus reads a status. What is final is known from the action, never from the
// absence of a life (kvproto#705): a lock that was lost or removed says nothing of
// the transaction.
func (c *check) onStatus(r *ports.CheckTxnStatusReply) {
	switch {
	case r.CommitTS > 0:
		if r.CommitTS <= c.question.startTS || r.TTL > 0 || r.Lock != nil {
			c.fail(protocol("a transaction was committed before its start, or while it is locked"))
			return
		}
		c.finish(verdict{kind: committed, commitTS: r.CommitTS})
	case r.TTL > 0 || r.Lock != nil:
		c.onAlive(r)
	default:
		c.onEnded(r.Action)
	}
}

// onAlive reads the status of a transaction whose primary is locked.
func (c *check) onAlive(r *ports.CheckTxnStatusReply) {
	v := verdict{kind: alive, left: c.left(r.TTL)}
	async := r.Lock != nil && r.Lock.UseAsyncCommit
	switch {
	case async && ts.Expired(c.question.startTS, r.TTL, c.question.currentTS):
		// It may be committed already: that is for its secondaries to say.
		c.fail(sm.Failure{
			Code: sm.FailUnsupported,
			Text: "the lock of an async-commit transaction whose client has gone cannot be resolved yet",
		})
		return
	case r.Action == ports.ActionMinCommitTSPushed && c.question.callerTS != 0 && !async:
		v.kind = pushed
	}
	c.finish(v)
}

// onEnded reads the status of a transaction whose primary is neither locked nor
// committed.
func (c *check) onEnded(a ports.TxnAction) {
	switch a {
	case ports.ActionNone, ports.ActionTTLExpireRollback, ports.ActionLockNotExistRollback:
		c.finish(verdict{kind: rolledBack})
		return
	case ports.ActionTTLExpirePessimisticRollback, ports.ActionLockNotExistDoNothing:
		if c.question.pessimistic {
			c.finish(verdict{kind: ownerless})
			return
		}
	case ports.ActionMinCommitTSPushed:
	}
	c.fail(protocol("the status of a transaction makes no sense"))
}

func (c *check) finish(v verdict) { c.state, c.verdict = checkFinished, v }

func (c *check) fail(f sm.Failure) { c.state, c.failure = checkFinished, f }

// protocol is the failure of an answer that the protocol does not allow.
func protocol(text string) sm.Failure { return sm.Failure{Code: sm.FailProtocol, Text: text} }

// refused is the failure of a key error that no retry mends.
func refused(e *ports.KeyError) sm.Failure {
	return sm.Failure{Code: sm.FailRejected, KeyError: e.Clone()}
}

// CloneInto implements [sm.Cloneable].
func (c *check) CloneInto(dst *check) {
	call := dst.call
	c.call.CloneInto(&call)
	*dst = *c
	dst.call = call
}

// Fingerprint implements [sm.Machine].
func (c *check) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(c.state))
	c.question.fingerprint(h)
	h.Bool(c.rollback)
	h.Uint(uint64(c.absences))
	c.verdict.fingerprint(h)
	c.failure.Fingerprint(h)
	c.call.Fingerprint(h)
}

func (q *question) fingerprint(h *sm.Hash) {
	h.TS(q.startTS)
	h.Bytes(q.primary)
	h.Bool(q.pessimistic)
	h.Bool(q.txnFile)
	h.Uint(q.ttl)
	h.TS(q.callerTS)
	h.TS(q.currentTS)
	h.Text(q.source)
	h.Instant(q.deadline)
}

// String implements [sm.Machine].
func (c *check) String() string { return "lock.check " + checkStates[c.state] + ": " + c.call.String() }
