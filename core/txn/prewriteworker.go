package txn

import (
	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/lock"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// prewriteWorker carries one batch.
//
//	calling ──locked by others──▶ resolving ──gone, or a pause──▶ calling
//	   ├─ locked: free
//	   └─ region changed: free, its keys are grouped again
type prewriteWorker struct {
	span      span
	resolving bool
	call      route.Call
	resolver  lock.Resolver
	// request is filled in for each attempt anew.
	request ports.PrewriteRequest `fp:"-"`
}

// hopCall and hopResolver are the children of a worker.
const (
	hopCall     = 1
	hopResolver = 2
)

// cancel ends what the worker waits for and returns what was tried.
func (w *prewriteWorker) cancel(env *sm.Env, ev *ports.Event, out *sm.Effects) sm.Failure {
	if w.resolving {
		w.resolver.Step(env, ev, out)
		return w.resolver.Result().Failure
	}
	w.call.Step(env, ev, out)
	return w.call.Result().Failure
}

func (p *prewrite) stepWorker(env *sm.Env, ev *ports.Event, i int, out *sm.Effects) {
	w := &p.workers[i]
	env.Enter(uint8(hopWorkers + i))
	switch hop := env.Hop(ev); {
	case hop == hopCall && !w.resolving:
		env.Enter(hopCall)
		w.call.Step(env, ev, out)
		env.Leave()
		p.follow(env, ev.Now, i, out)
	case hop == hopResolver && w.resolving:
		env.Enter(hopResolver)
		w.resolver.Step(env, ev, out)
		env.Leave()
		p.onResolving(env, ev.Now, i, out)
	}
	env.Leave()
}

// follow does what a worker's call wants. It runs at the worker's address.
func (p *prewrite) follow(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	w := &p.workers[i]
	switch w.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		p.send(env, now, w, out)
	case route.Finished:
		switch r := w.call.Result(); r.Kind {
		case route.Replied:
			p.onReply(env, now, i, r.Reply, out)
		case route.Regroup:
			p.held = p.held || w.call.MayBeApplied()
			p.slots.release(i)
			p.plan.again(w.span)
		case route.Failed:
			p.failure = r.Failure
		}
	}
}

func (p *prewrite) send(env *sm.Env, now ports.Instant, w *prewriteWorker, out *sm.Effects) {
	hdr := w.call.Header()
	p.terms.label(hdr)
	hdr.IsRetry = hdr.IsRetry || w.span.resent
	w.request = ports.PrewriteRequest{
		Mutations: p.plan.mutations[w.span.from:w.span.to], Primary: p.terms.primary, StartTS: p.terms.start,
		TTL: p.terms.ttl(env, now, p.terms.life(env)), TxnSize: w.span.share, MinCommitTS: p.terms.start + 1,
	}
	env.Enter(hopCall)
	w.call.Send(env, now, &w.request, out)
	env.Leave()
	w.span.resent = true
	if p.primarySent == 0 && w.span.holds(p.primary) {
		p.primarySent = now
	}
}

func (p *prewrite) onReply(env *sm.Env, now ports.Instant, i int, reply ports.Reply, out *sm.Effects) {
	w := &p.workers[i]
	r, ok := reply.(*ports.PrewriteReply)
	switch {
	case !ok:
		p.failure, p.held = malformed(), true // it says nothing of what was done
	case len(r.Errors) > 0:
		p.onErrors(env, now, i, r.Errors, out)
	default:
		p.held = true
		p.primaryLocked = p.primaryLocked || w.span.holds(p.primary)
		p.slots.release(i)
	}
}

// onErrors fails with the first error that is not a lock, or has the locks resolved.
func (p *prewrite) onErrors(env *sm.Env, now ports.Instant, i int, errs []ports.KeyError, out *sm.Effects) {
	locks := make([]ports.Lock, 0, len(errs))
	for e := range errs {
		f := p.lockFailure(&errs[e])
		if f.Failed() {
			p.failure = f
			return
		}
		locks = append(locks, errs[e].Lock)
	}
	w := &p.workers[i]
	w.resolving = true
	env.Enter(hopResolver)
	w.resolver.Start(env, now, lock.Spec{
		Purpose: lock.Write, CallerTS: p.terms.start, RequestSource: p.terms.source, Deadline: p.terms.deadline,
	}, locks, out)
	env.Leave()
	p.onResolving(env, now, i, out)
}

// lockFailure returns why an error cannot be mended by resolving locks; no failure
// for the lock of an earlier transaction.
func (p *prewrite) lockFailure(e *ports.KeyError) sm.Failure {
	if e.Kind != ports.KeyLocked {
		return failureOf(e)
	}
	// The fields of a set of shared locks are without meaning but for its members.
	newest := e.Lock.StartTS
	if len(e.Lock.Shared) > 0 {
		newest = 0
		for m := range e.Lock.Shared {
			newest = max(newest, e.Lock.Shared[m].StartTS)
		}
	}
	switch {
	case newest == p.terms.start:
		return sm.Failure{Code: sm.FailProtocol, Text: "blocked by a lock of its own"}
	case newest > p.terms.start:
		return lockedByLater(p.terms.start, &e.Lock, newest)
	}
	return sm.Failure{}
}

// onResolving sends the batch again as soon as its locks are gone, or after a pause
// if their owner is alive.
func (p *prewrite) onResolving(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	w := &p.workers[i]
	if !w.resolver.Resolved() {
		return
	}
	w.resolving = false
	r := w.resolver.Result()
	if r.Failure.Failed() {
		p.failure = r.Failure
		return
	}
	env.Enter(hopCall)
	if r.Wait > 0 {
		w.call.Pause(env, now, backoff.TxnLock, r.Wait, out)
	} else {
		w.call.Again(env, now, out)
	}
	env.Leave()
	p.follow(env, now, i, out)
}
