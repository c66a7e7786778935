package read

import (
	"strings"
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/lock"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The children of a read. hopWorkers is that of a batch get's first worker.
const (
	hopCall    = 1
	hopGroups  = 1
	hopLocks   = 2
	hopWorkers = 3
)

// reader is what [Get] and [ScanPage] share: one request at a time, and the locks
// that it meets. They differ in what they ask for and in what they keep.
type reader struct {
	ts       ports.Timestamp
	options  Options
	deadline ports.Instant
	state    readerState
	call     route.Call
	locks    lock.Resolver
	failure  sm.Failure
}

type readerState uint8

const (
	readerIdle readerState = iota
	readerReading
	readerResolving
	readerCleaning
	readerFinished
)

var readerStates = [...]string{"idle", "reading", "resolving", "cleaning", "finished"}

// asking is what the two differ in.
type asking interface {
	// start routes the first request, or answers.
	start(env *sm.Env, now ports.Instant, out *sm.Effects)
	// ask sends the request for which the call is ready, or answers.
	ask(env *sm.Env, now ports.Instant, out *sm.Effects)
	// onAnswer takes what the region has answered.
	onAnswer(env *sm.Env, now ports.Instant, reply ports.Reply, out *sm.Effects)
}

// run moves a read by one event.
func (r *reader) run(a asking, env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch r.state {
	case readerIdle:
		if ev.Kind == ports.EventStart {
			a.start(env, ev.Now, out)
			r.follow(a, env, ev.Now, out)
		}
	case readerReading:
		r.onReading(a, env, ev, out)
	case readerResolving:
		r.onResolving(a, env, ev, out)
	case readerCleaning:
		r.step(env, ev, out)
		r.clean()
	case readerFinished:
	}
}

func (r *reader) onReading(a asking, env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		r.cancel(env, ev, out)
		return
	}
	r.step(env, ev, out)
	r.follow(a, env, ev.Now, out)
}

func (r *reader) onResolving(a asking, env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		r.cancel(env, ev, out)
		return
	}
	r.step(env, ev, out)
	r.resume(env, ev.Now, out)
	r.follow(a, env, ev.Now, out)
}

// follow does what the call wants. An answer can lead to another request at once.
func (r *reader) follow(a asking, env *sm.Env, now ports.Instant, out *sm.Effects) {
	for r.state == readerReading {
		switch r.call.State() {
		case route.Idle, route.Waiting:
			return
		case route.Ready:
			a.ask(env, now, out)
		case route.Finished:
			switch result := r.call.Result(); result.Kind {
			case route.Replied:
				a.onAnswer(env, now, result.Reply, out)
			case route.Regroup:
				r.answer(malformed("a read by key lost its region"), out)
			case route.Failed:
				r.answer(result.Failure, out)
			}
		}
	}
}

// route routes the next request.
func (r *reader) route(env *sm.Env, now ports.Instant, by route.By, key []byte, timeout time.Duration,
	out *sm.Effects) {
	r.state = readerReading
	env.Enter(hopCall)
	r.call.Start(env, now, route.Spec{By: by, Key: key, Deadline: r.deadline, Timeout: timeout}, out)
	env.Leave()
}

// send submits the request for which the call is ready and whose header is filled.
func (r *reader) send(env *sm.Env, now ports.Instant, req ports.Request, out *sm.Effects) {
	env.Enter(hopCall)
	r.call.Send(env, now, req, out)
	env.Leave()
}

// step hands an event to the child that it is meant for.
func (r *reader) step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch hop := env.Hop(ev); {
	case hop == hopCall && r.state == readerReading:
		env.Enter(hopCall)
		r.call.Step(env, ev, out)
		env.Leave()
	case hop == hopLocks:
		env.Enter(hopLocks)
		r.locks.Step(env, ev, out)
		env.Leave()
	}
}

// resolve begins a round for the locks that the request has met. When everything
// is known already, the request is on its way again afterwards.
func (r *reader) resolve(env *sm.Env, now ports.Instant, met []ports.Lock, lite bool, out *sm.Effects) {
	r.state = readerResolving
	env.Enter(hopLocks)
	r.locks.Start(env, now, r.spec(lite), met, out)
	env.Leave()
	r.resume(env, now, out)
}

func (r *reader) spec(lite bool) lock.Spec {
	return lock.Spec{
		Purpose: lock.Read, CallerTS: r.ts, Lite: lite, RequestSource: r.options.RequestSource, Deadline: r.deadline,
	}
}

// resume sends the request again once the round has ended.
func (r *reader) resume(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if !r.locks.Resolved() {
		return
	}
	result := r.locks.Result()
	if result.Failure.Failed() {
		r.answer(result.Failure, out)
		return
	}
	r.state = readerReading
	env.Enter(hopCall)
	repeat(env, now, &r.call, result.Wait, out)
	env.Leave()
}

// cancel answers because the caller has gone. The failure tells what was tried:
// a cancel is how a caller's own deadline comes.
func (r *reader) cancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	f := sm.Failure{Code: sm.FailCancelled}
	if r.state == readerReading {
		env.Enter(hopCall)
		r.call.Step(env, ev, out)
		env.Leave()
		f = r.call.Result().Failure
	}
	r.answer(f, out)
}

// answer releases the caller. What the resolver has to remove is removed behind
// its back.
func (r *reader) answer(f sm.Failure, out *sm.Effects) {
	r.failure = f
	if !r.locks.Resolved() {
		r.locks.Cancel()
	}
	r.state = readerCleaning
	out.Answer()
	r.clean()
}

func (r *reader) clean() {
	if r.locks.Done() {
		r.state = readerFinished
	}
}

// label fills in what a read's header holds beside the routing.
func (o *Options) label(hdr *ports.Header, locks *lock.Resolver) {
	hdr.Priority, hdr.NotFillCache, hdr.RequestSource = o.Priority, o.NotFillCache, o.RequestSource
	hdr.ResolvedLocks, hdr.CommittedLocks = locks.ResolvedLocks(), locks.CommittedLocks()
}

// repeat sends the request of a finished call again, after a pause when the owner of
// a lock is alive.
func repeat(env *sm.Env, now ports.Instant, call *route.Call, wait time.Duration, out *sm.Effects) {
	if wait > 0 {
		call.Pause(env, now, backoff.TxnLockFast, wait, out)
		return
	}
	call.Again(env, now, out)
}

// refused is the failure of a key error that is no lock.
func refused(e *ports.KeyError) sm.Failure {
	return sm.Failure{Code: sm.FailRejected, KeyError: e.Clone()}
}

// malformed is the failure of an answer that the protocol does not allow.
func malformed(text string) sm.Failure { return sm.Failure{Code: sm.FailProtocol, Text: text} }

// cloneInto copies the reader for [sm.Cloneable].
func (r *reader) cloneInto(dst *reader) {
	call, locks := dst.call, dst.locks
	r.call.CloneInto(&call)
	r.locks.CloneInto(&locks)
	*dst = *r
	dst.call, dst.locks = call, locks
}

func (r *reader) fingerprint(h *sm.Hash) {
	h.TS(r.ts)
	r.options.fingerprint(h)
	h.Instant(r.deadline)
	h.Uint(uint64(r.state))
	r.call.Fingerprint(h)
	r.locks.Fingerprint(h)
	r.failure.Fingerprint(h)
}

func (o *Options) fingerprint(h *sm.Hash) {
	h.Uint(uint64(o.Priority))
	h.Bool(o.NotFillCache)
	h.Text(o.RequestSource)
}

// describe names the state and what is awaited.
func (r *reader) describe(name string) string {
	var b strings.Builder
	b.WriteString(name + " " + readerStates[r.state])
	switch r.state {
	case readerReading:
		b.WriteString(": " + r.call.String())
	case readerResolving, readerCleaning:
		b.WriteString(": " + r.locks.String())
	case readerIdle, readerFinished:
	}
	return b.String()
}
