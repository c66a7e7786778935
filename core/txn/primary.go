package txn

import (
	"fmt"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// primary is the commit point: it commits the primary, and with it, in the same
// request, the keys that follow it in its region.
//
//	idle ──begin──▶ calling ──committed, gone, expired, or no more doubt──▶ decided
//	                │     ▲ └──the deadline, or a refusal for good────────▶ decided
//	       in doubt └─────┘
//
// While an attempt is in doubt the same commit is sent again: its answer tells.
type primary struct {
	deciding
	call route.Call
}

// deciding is what a commit of the primary is about: all but the call, which has memory that the next one uses again.
type deciding struct {
	terms    terms
	state    primaryState
	locked   [][]byte `fp:"shared"`
	commitTS ports.Timestamp
	// request is filled in for each attempt anew; its keys are the first taken of
	// locked.
	request ports.CommitRequest `fp:"-"`
	taken   int
	// flying: an attempt was submitted whose end has not been seen.
	flying bool
	fate   fate
	// push is the CommitTSExpired that ended the attempts at this timestamp; the
	// fate is impossible then, and another timestamp may be tried.
	push    *ports.KeyError `fp:"shared"`
	failure sm.Failure
}

type primaryState uint8

const (
	primaryIdle primaryState = iota
	primaryCalling
	primaryDecided
)

var primaryStates = [...]string{
	primaryIdle: "idle", primaryCalling: "calling", primaryDecided: "decided",
}

// begin starts to commit at a timestamp; no attempt at another may be in doubt.
func (p *primary) begin(env *sm.Env, now ports.Instant, t terms, locked [][]byte, commitTS ports.Timestamp,
	out *sm.Effects) {
	p.deciding = deciding{terms: t, state: primaryCalling, locked: locked, commitTS: commitTS}
	env.Enter(hopCall)
	p.call.Start(env, now, route.Spec{
		By: route.ByKey, Key: t.primary, Deadline: t.deadline, Timeout: env.Knobs.RequestTimeout, Write: true,
	}, out)
	env.Leave()
	p.follow(env, now, out)
}

// Done reports that nothing more will be learnt about this commit timestamp.
func (p *primary) Done() bool { return p.state == primaryDecided }

// Step moves the machine by one event.
func (p *primary) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("txn.primary", primaryStates[p.state], ev.Kind)
	switch p.state {
	case primaryCalling:
		p.onCalling(env, ev, out)
	case primaryIdle, primaryDecided:
	}
}

func (p *primary) onCalling(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if env.Hop(ev) != hopCall {
		return
	}
	env.Enter(hopCall)
	p.call.Step(env, ev, out)
	env.Leave()
	p.follow(env, ev.Now, out)
}

// follow does what the call wants and folds what it shows.
func (p *primary) follow(env *sm.Env, now ports.Instant, out *sm.Effects) {
	replied := p.call.State() == route.Finished && p.call.Result().Kind == route.Replied
	if p.flying && !p.call.Sending() {
		p.flying = false
		switch {
		case replied: // its reply says what it proves
		case p.call.MayBeApplied():
			p.fate = p.fate.fold(lost)
		default:
			p.fate = p.fate.fold(unapplied)
		}
	}
	switch p.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		p.send(env, now, out)
	case route.Finished:
		if replied {
			p.onReply(env, now, p.call.Result().Reply, out)
			return
		}
		p.decide(p.call.Result().Failure)
	}
}

func (p *primary) send(env *sm.Env, now ports.Instant, out *sm.Effects) {
	p.terms.label(p.call.Header())
	p.taken = p.reach(env)
	p.request = ports.CommitRequest{
		Keys: p.locked[:p.taken], Primary: p.terms.primary, StartTS: p.terms.start, CommitTS: p.commitTS,
		IsPrimary: true,
	}
	p.flying, p.fate = true, p.fate.fold(submitted)
	env.Enter(hopCall)
	p.call.Send(env, now, &p.request, out)
	env.Leave()
}

// reach returns how many keys, from the primary on, go with it: those that lie in
// its region, until the batch is full.
func (p *primary) reach(env *sm.Env) int {
	n, bytes, end := 1, len(p.locked[0]), p.call.Region().Range.End
	for n < len(p.locked) && bytes < env.Knobs.CommitBatchBytes {
		if len(end) > 0 && string(env.RegionKey(p.locked[n])) >= string(end) {
			break
		}
		bytes += len(p.locked[n])
		n++
	}
	return n
}

func (p *primary) onReply(env *sm.Env, now ports.Instant, reply ports.Reply, out *sm.Effects) {
	r, ok := reply.(*ports.CommitReply)
	failure := sm.Failure{}
	switch {
	case !ok:
		// The attempt reached somebody, and nothing is known of what it did.
		p.fate, failure = p.fate.fold(lost), malformed()
	case r.Err == nil:
		p.fate = p.fate.fold(applied)
	default:
		p.fate, failure = p.fate.fold(p.proves(r.Err)), failureOf(r.Err)
	}
	if p.fate.kind == maybe {
		env.Enter(hopCall)
		p.call.Pause(env, now, backoff.StaleCommand, 0, out)
		env.Leave()
		p.follow(env, now, out)
		return
	}
	p.decide(failure)
}

// proves says what an error of the commit shows. Only the primary's own errors say
// anything about earlier attempts.
func (p *primary) proves(e *ports.KeyError) evidence {
	own := string(e.Key) == string(p.terms.primary)
	switch e.Kind {
	case ports.KeyTxnLockNotFound:
		if own {
			return gone
		}
	case ports.KeyCommitTSExpired:
		if own {
			p.push = e.Clone()
			return expired
		}
	case ports.KeyErrorNone, ports.KeyErrorOther, ports.KeyLocked, ports.KeyWriteConflict, ports.KeyAlreadyExists,
		ports.KeyRetryable, ports.KeyAbort, ports.KeyDeadlock, ports.KeyTxnNotFound, ports.KeyCommitTSTooLarge,
		ports.KeyAssertionFailed, ports.KeyPrimaryMismatch:
	}
	return refused
}

func (p *primary) decide(f sm.Failure) { p.state, p.failure = primaryDecided, f }

// soFar returns the failure with which the call would end at this cancel. The call
// itself goes on: what is in doubt must be found out.
func (p *primary) soFar(env *sm.Env, cancel *ports.Event, out *sm.Effects) sm.Failure {
	var call route.Call
	p.call.CloneInto(&call)
	call.Step(env, cancel, out)
	return call.Result().Failure
}

// rest returns the keys that were not committed with the primary.
func (p *primary) rest() [][]byte { return p.locked[p.taken:] }

// CloneInto implements [sm.Cloneable].
func (p *primary) CloneInto(dst *primary) {
	call := dst.call
	p.call.CloneInto(&call)
	*dst = *p
	dst.call, dst.request = call, ports.CommitRequest{}
}

// Fingerprint implements [sm.Machine].
func (p *primary) Fingerprint(h *sm.Hash) {
	p.terms.fingerprint(h)
	h.Uint(uint64(p.state))
	h.Keys(p.locked)
	h.TS(p.commitTS)
	p.call.Fingerprint(h)
	h.Int(p.taken)
	h.Bool(p.flying)
	p.fate.fingerprint(h)
	h.KeyError(p.push)
	p.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (p *primary) String() string {
	return fmt.Sprintf("txn.primary %s, fate %s; %s", primaryStates[p.state], fateKinds[p.fate.kind], p.call.String())
}
