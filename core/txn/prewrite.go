package txn

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/lock"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// prewrite locks every key of a transaction (Percolator's first phase).
//
//	idle ──start──▶ working ──every key locked──▶ finished
//	                   └──────first failure─────▶ finished
//
// After a failure nothing more is awaited: one key that cannot be locked is enough,
// and what is under way runs into the rollback that follows.
type prewrite struct {
	prewriting
	plan    plan
	workers []prewriteWorker
}

// prewriting is what a prewrite is about: all but what has memory that the next one uses again.
type prewriting struct {
	terms   terms
	state   prewriteState
	primary int
	slots   slots
	// led: the batch with the primary has been given to a worker. It goes before the
	// others, so that whoever meets one of their locks finds the primary's.
	led bool
	// primarySent is the instant at which a request with the primary was first sent;
	// its lock lives from then on.
	primarySent   ports.Instant
	primaryLocked bool
	// held: a batch that is no worker's any more has locked its keys, or may have.
	held    bool
	failure sm.Failure
}

type prewriteState uint8

const (
	prewriteIdle prewriteState = iota
	prewriteWorking
	prewriteFinished
)

var prewriteStates = [...]string{
	prewriteIdle: "idle", prewriteWorking: "working", prewriteFinished: "finished",
}

// reset forgets an earlier prewrite but for its memory.
func (p *prewrite) reset() {
	p.plan.reset()
	p.prewriting = prewriting{}
	p.workers = p.workers[:0]
}

// forget lets go of all that the memory refers to once the machine was reset.
func (p *prewrite) forget() {
	p.plan.forget()
	p.workers = forgetAll(p.workers)
}

// begin starts to lock.
func (p *prewrite) begin(env *sm.Env, now ports.Instant, t terms, w *writes, out *sm.Effects) {
	p.reset()
	p.terms, p.state, p.primary = t, prewriteWorking, w.primary
	p.plan.start(w.keys, w.mutations, t.deadline)
	p.advance(env, now, out)
}

// Done reports that every key is locked, or that failure says why not.
func (p *prewrite) Done() bool { return p.state == prewriteFinished }

// mayHold reports whether a lock of the transaction may be somewhere, now or later.
// TiKV writes nothing of a request that it refuses.
func (p *prewrite) mayHold() bool {
	for i := range p.workers {
		if w := &p.workers[i]; p.slots.taken(i) && (w.call.Sending() || w.call.MayBeApplied()) {
			return true
		}
	}
	return p.held
}

// cancel ends the prewrite; its failure says what was tried.
func (p *prewrite) cancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	p.state, p.failure = prewriteFinished, sm.Failure{Code: sm.FailCancelled}
	for i := range p.workers {
		if w := &p.workers[i]; p.slots.taken(i) {
			f := w.cancel(env, ev, out)
			if f.History.Count > p.failure.History.Count {
				p.failure = f
			}
		}
	}
}

// Step moves the machine by one event.
func (p *prewrite) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("txn.prewrite", prewriteStates[p.state], ev.Kind)
	switch p.state {
	case prewriteWorking:
		p.onWorking(env, ev, out)
	case prewriteIdle, prewriteFinished:
	}
}

func (p *prewrite) onWorking(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch hop := env.Hop(ev); {
	case hop == hopGroups:
		p.plan.step(env, ev, out)
	case hop >= hopWorkers && p.slots.taken(worker(hop)):
		p.stepWorker(env, ev, worker(hop), out)
	default:
		return
	}
	p.advance(env, ev.Now, out)
}

// advance gives batches to free workers and finishes when nothing is left.
func (p *prewrite) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for !p.failure.Failed() {
		p.plan.group(env, now, out)
		p.failure = p.plan.failure
		i := p.slots.free(env)
		if p.failure.Failed() || i < 0 || len(p.plan.queue) == 0 {
			break
		}
		if !p.led {
			p.plan.lead(p.primary)
		}
		s := p.plan.take(env.Knobs.CommitBatchBytes)
		p.led = p.led || s.holds(p.primary)
		p.launch(env, now, i, s, out)
	}
	if p.failure.Failed() || p.slots.idle() && p.plan.empty() {
		p.state = prewriteFinished
	}
}

func (p *prewrite) launch(env *sm.Env, now ports.Instant, i int, s span, out *sm.Effects) {
	if i == len(p.workers) {
		p.workers = slices.Grow(p.workers, 1+min(len(p.plan.queue), env.Knobs.Workers-i))[:i+1]
	}
	w := &p.workers[i]
	p.slots.take(i)
	if w.resolving {
		w.resolver = lock.Resolver{} // of an earlier prewrite that ended before it did
	}
	w.span, w.resolving = s, false
	env.Enter(uint8(hopWorkers + i))
	env.Enter(hopCall)
	w.call.Start(env, now, route.Spec{
		By: route.ByRegion, Key: p.plan.keys[s.from], Region: s.region, Deadline: p.terms.deadline,
		Timeout: env.Knobs.RequestTimeout, Write: true,
	}, out)
	env.Leave()
	p.follow(env, now, i, out)
	env.Leave()
}

// CloneInto implements [sm.Cloneable].
func (p *prewrite) CloneInto(dst *prewrite) {
	plan, workers := dst.plan, slices.Grow(dst.workers[:0], len(p.workers))[:len(p.workers)]
	p.plan.cloneInto(&plan)
	for i := range p.workers {
		from, to := &p.workers[i], &workers[i]
		to.span, to.resolving = from.span, from.resolving
		from.call.CloneInto(&to.call)
		from.resolver.CloneInto(&to.resolver)
	}
	*dst = *p
	dst.plan, dst.workers = plan, workers
}

// Fingerprint implements [sm.Machine].
func (p *prewrite) Fingerprint(h *sm.Hash) {
	p.terms.fingerprint(h)
	h.Uint(uint64(p.state))
	p.plan.fingerprint(h)
	h.Int(p.primary)
	h.Int(len(p.workers))
	for i := range p.workers {
		w := &p.workers[i]
		w.span.fingerprint(h)
		h.Bool(w.resolving)
		w.call.Fingerprint(h)
		w.resolver.Fingerprint(h)
	}
	p.slots.print(h)
	h.Bool(p.led)
	h.Instant(p.primarySent)
	h.Bool(p.primaryLocked)
	h.Bool(p.held)
	p.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (p *prewrite) String() string {
	s := fmt.Sprintf("txn.prewrite %s: %d keys", prewriteStates[p.state], len(p.plan.keys))
	for i := range p.workers {
		switch w := &p.workers[i]; {
		case !p.slots.taken(i):
		case w.resolving:
			s += "; " + w.resolver.String()
		default:
			s += "; " + w.call.String()
		}
	}
	return s
}
