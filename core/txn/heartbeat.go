package txn

import (
	"time"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// heartbeat keeps the primary's lock alive while a commit takes its time. The first
// beat is due at half of the lock's life, so that most commits need none; each
// later one after half of the life that a beat gives.
//
//	idle ──begin──▶ resting ──Timer──▶ beating ──answered, or no answer──▶ resting
//	                    └─ too old ─▶ stopped ◀─ the lock is gone ─┘
//
// The primary decides for all keys, so that no other lock needs one. A beat that
// fails is not the end: the next one may be in time (tikv:
// src/storage/txn/commands/txn_heart_beat.rs).
type heartbeat struct {
	terms terms
	state heartbeatState
	wait  uint32
	call  route.Call
	// request is filled in for each attempt anew.
	request ports.TxnHeartBeatRequest `fp:"-"`
}

type heartbeatState uint8

const (
	heartbeatIdle heartbeatState = iota
	heartbeatResting
	heartbeatBeating
	heartbeatStopped
)

var heartbeatStates = [...]string{
	heartbeatIdle: "idle", heartbeatResting: "resting", heartbeatBeating: "beating", heartbeatStopped: "stopped",
}

// begin arms the first beat of a lock that was written at an instant.
func (b *heartbeat) begin(env *sm.Env, now ports.Instant, t terms, written ports.Instant, out *sm.Effects) {
	b.terms = t
	b.rest(env, max(now, written.Add(t.life(env)/2)), out)
}

// stop ends the beating: the lock has served, or must go.
func (b *heartbeat) stop() { b.state, b.wait = heartbeatStopped, 0 }

// Done reports that the lock is not kept alive.
func (b *heartbeat) Done() bool { return b.state == heartbeatIdle || b.state == heartbeatStopped }

// Step moves the machine by one event.
func (b *heartbeat) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("txn.heartbeat", heartbeatStates[b.state], ev.Kind)
	switch b.state {
	case heartbeatResting:
		b.onResting(env, ev, out)
	case heartbeatBeating:
		b.onBeating(env, ev, out)
	case heartbeatIdle, heartbeatStopped:
	}
}

func (b *heartbeat) onResting(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind != ports.EventTimer || ev.Tok.Gen != b.wait {
		return
	}
	if b.terms.age(env, ev.Now) > env.Knobs.MaxTxnLife || ev.Now >= b.terms.deadline {
		b.stop()
		return
	}
	b.state, b.wait = heartbeatBeating, 0
	env.Enter(hopCall)
	b.call.Start(env, ev.Now, route.Spec{
		By: route.ByKey, Key: b.terms.primary, Deadline: min(b.terms.deadline, ev.Now.Add(b.interval(env)/2)),
		Timeout: env.Knobs.RequestTimeout, Write: true,
	}, out)
	env.Leave()
	b.follow(env, ev.Now, out)
}

func (b *heartbeat) onBeating(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if env.Hop(ev) != hopCall {
		return
	}
	env.Enter(hopCall)
	b.call.Step(env, ev, out)
	env.Leave()
	b.follow(env, ev.Now, out)
}

func (b *heartbeat) follow(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch b.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		b.terms.label(b.call.Header())
		b.request = ports.TxnHeartBeatRequest{
			Primary: b.terms.primary, StartTS: b.terms.start,
			AdviseLockTTL: b.terms.ttl(env, now, env.Knobs.HeartbeatTTL),
		}
		env.Enter(hopCall)
		b.call.Send(env, now, &b.request, out)
		env.Leave()
	case route.Finished:
		switch r := b.call.Result(); r.Kind {
		case route.Replied:
			if reply, ok := r.Reply.(*ports.TxnHeartBeatReply); ok && reply.Err != nil {
				b.stop() // committed or rolled back: the commit finds out which
				return
			}
			b.rest(env, now.Add(b.interval(env)), out)
		case route.Regroup, route.Failed:
			b.rest(env, now.Add(b.interval(env)/2), out)
		}
	}
}

func (b *heartbeat) rest(env *sm.Env, until ports.Instant, out *sm.Effects) {
	b.state = heartbeatResting
	tok := env.Token()
	b.wait = tok.Gen
	out.Arm(tok, until, "")
}

// interval separates a beat from the next; one that fails takes half of it.
func (b *heartbeat) interval(env *sm.Env) time.Duration { return env.Knobs.HeartbeatTTL / 2 }

// CloneInto implements [sm.Cloneable].
func (b *heartbeat) CloneInto(dst *heartbeat) {
	call := dst.call
	b.call.CloneInto(&call)
	*dst = *b
	dst.call, dst.request = call, ports.TxnHeartBeatRequest{}
}

// Fingerprint implements [sm.Machine].
func (b *heartbeat) Fingerprint(h *sm.Hash) {
	b.terms.fingerprint(h)
	h.Uint(uint64(b.state))
	h.Gen(b.wait)
	b.call.Fingerprint(h)
}

// String implements [sm.Machine].
func (b *heartbeat) String() string { return "txn.heartbeat " + heartbeatStates[b.state] }
