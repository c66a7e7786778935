package txn

import (
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Sweeps have budgets of their own: nobody waits for them (client-go: 41 s and 20 s).
const (
	commitTime   = 41 * time.Second
	rollbackTime = 20 * time.Second
)

// attempts is how often a request of a sweep can be sent within its time, though every message is lost on a connection
// that goes on serving: nothing else tells, and all that a sweep asks for can be asked for again.
const attempts = 4

// sweep commits or rolls back keys once the fate of the transaction is proven.
//
//	idle ──begin──▶ leading ──the first batch is done──▶ working ──all done──▶ finished
//	          │        └────── it failed ───────────────────────────────────▶ finished
//	          └─ commit ───────────────────────────────▶ working
//
// A rollback leads with the primary: as long as TiKV has not confirmed that it is
// rolled back, no other lock is touched. Locks that a sweep leaves behind are
// resolved by whoever meets them.
type sweep struct {
	sweeping
	plan    plan
	workers []sweepWorker
}

// sweeping is what a sweep is about: all but what has memory that the next one uses again.
type sweeping struct {
	terms terms
	state sweepState
	// commitTS is the timestamp of a commit; 0 rolls back.
	commitTS ports.Timestamp
	// timeout is what one attempt may take.
	timeout time.Duration
	slots   slots
	// halted: a request or the grouping failed; nothing more is sent.
	halted bool
	// failure is the first failure.
	failure sm.Failure
}

type sweepState uint8

const (
	sweepIdle sweepState = iota
	sweepLeading
	sweepWorking
	sweepFinished
)

var sweepStates = [...]string{
	sweepIdle: "idle", sweepLeading: "leading", sweepWorking: "working", sweepFinished: "finished",
}

type sweepWorker struct {
	span span
	call route.Call
	// commit or rollback is filled in for each attempt anew.
	commit   ports.CommitRequest        `fp:"-"`
	rollback ports.BatchRollbackRequest `fp:"-"`
}

// reset forgets an earlier sweep but for its memory.
func (s *sweep) reset() {
	s.plan.reset()
	s.sweeping = sweeping{}
	s.workers = s.workers[:0]
}

// forget lets go of all that the memory refers to once the machine was reset.
func (s *sweep) forget() {
	s.plan.forget()
	s.workers = forgetAll(s.workers)
}

// commit starts to commit keys of a transaction whose primary is committed.
func (s *sweep) commit(env *sm.Env, now ports.Instant, t terms, keys [][]byte, commitTS ports.Timestamp,
	out *sm.Effects) {
	s.start(env, now, t, commitTime, keys)
	s.state, s.commitTS = sweepWorking, commitTS
	s.advance(env, now, out)
}

// rollback starts to roll back keys, the first of which is the primary.
func (s *sweep) rollback(env *sm.Env, now ports.Instant, t terms, keys [][]byte, out *sm.Effects) {
	s.start(env, now, t, rollbackTime, keys)
	s.state = sweepLeading
	s.advance(env, now, out)
}

func (s *sweep) start(env *sm.Env, now ports.Instant, t terms, budget time.Duration, keys [][]byte) {
	s.reset()
	t.deadline = now.Add(budget)
	s.terms, s.timeout = t, min(env.Knobs.RequestTimeout, budget/attempts)
	s.plan.start(keys, nil, t.deadline)
}

// Done reports that nothing is left to do, or that nothing more can be done.
func (s *sweep) Done() bool { return s.state == sweepFinished }

// Step moves the machine by one event.
func (s *sweep) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("txn.sweep", sweepStates[s.state], ev.Kind)
	switch s.state {
	case sweepLeading, sweepWorking:
		s.onSweeping(env, ev, out)
	case sweepIdle, sweepFinished:
	}
}

func (s *sweep) onSweeping(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch hop := env.Hop(ev); {
	case hop == hopGroups:
		s.plan.step(env, ev, out)
	case hop >= hopWorkers && s.slots.taken(worker(hop)):
		i := worker(hop)
		env.Enter(hop)
		s.workers[i].call.Step(env, ev, out)
		s.follow(env, ev.Now, i, out)
		env.Leave()
	default:
		return
	}
	s.advance(env, ev.Now, out)
}

// advance gives batches to free workers and finishes when nothing is left. While it
// leads, the only batch is the one that begins with the primary: as soon as that is
// with a worker, no queued span holds the primary.
func (s *sweep) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for !s.halted {
		s.plan.group(env, now, out)
		if s.plan.failure.Failed() {
			s.halt(s.plan.failure)
			break
		}
		i := s.slots.free(env)
		if i < 0 || len(s.plan.queue) == 0 {
			break
		}
		if s.state == sweepLeading && !s.plan.lead(0) {
			break
		}
		s.launch(env, now, i, s.plan.take(env.Knobs.CommitBatchBytes), out)
	}
	if s.slots.idle() && (s.halted || s.plan.empty()) {
		s.state = sweepFinished
	}
}

func (s *sweep) launch(env *sm.Env, now ports.Instant, i int, batch span, out *sm.Effects) {
	if i == len(s.workers) {
		s.workers = slices.Grow(s.workers, 1+min(len(s.plan.queue), env.Knobs.Workers-i))[:i+1]
	}
	w := &s.workers[i]
	s.slots.take(i)
	w.span = batch
	env.Enter(uint8(hopWorkers + i))
	w.call.Start(env, now, route.Spec{
		By: route.ByRegion, Key: s.plan.keys[batch.from], Region: batch.region, Deadline: s.terms.deadline,
		Timeout: s.timeout, Write: true,
	}, out)
	s.follow(env, now, i, out)
	env.Leave()
}

// follow does what a worker's call wants. It runs at the call's address.
func (s *sweep) follow(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	w := &s.workers[i]
	switch w.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		s.terms.label(w.call.Header())
		w.call.Send(env, now, s.request(w), out)
	case route.Finished:
		s.slots.release(i)
		switch r := w.call.Result(); r.Kind {
		case route.Replied:
			s.onReply(w, r.Reply)
		case route.Regroup:
			s.plan.again(w.span)
		case route.Failed:
			s.halt(r.Failure)
		}
	}
}

func (s *sweep) request(w *sweepWorker) ports.Request {
	keys := s.plan.keys[w.span.from:w.span.to]
	if s.commitTS == 0 {
		w.rollback = ports.BatchRollbackRequest{Keys: keys, StartTS: s.terms.start}
		return &w.rollback
	}
	w.commit = ports.CommitRequest{
		Keys: keys, Primary: s.terms.primary, StartTS: s.terms.start, CommitTS: s.commitTS,
	}
	return &w.commit
}

func (s *sweep) onReply(w *sweepWorker, reply ports.Reply) {
	var err *ports.KeyError
	switch r := reply.(type) {
	case *ports.CommitReply:
		err = r.Err
	case *ports.BatchRollbackReply:
		err = r.Err
	default:
		s.halt(malformed())
		return
	}
	switch {
	case err != nil && s.state == sweepLeading:
		s.halt(failureOf(err))
	case err != nil:
		// One key's trouble is no reason to leave the others locked. Above all it is
		// none to commit them at another timestamp.
		s.note(failureOf(err))
	case w.span.from == 0:
		s.state = sweepWorking
	}
}

func (s *sweep) halt(f sm.Failure) {
	s.halted = true
	s.note(f)
}

func (s *sweep) note(f sm.Failure) {
	if !s.failure.Failed() {
		s.failure = f
	}
}

// CloneInto implements [sm.Cloneable].
func (s *sweep) CloneInto(dst *sweep) {
	plan, workers := dst.plan, slices.Grow(dst.workers[:0], len(s.workers))[:len(s.workers)]
	s.plan.cloneInto(&plan)
	for i := range s.workers {
		workers[i].span = s.workers[i].span
		s.workers[i].call.CloneInto(&workers[i].call)
	}
	*dst = *s
	dst.plan, dst.workers = plan, workers
}

// Fingerprint implements [sm.Machine].
func (s *sweep) Fingerprint(h *sm.Hash) {
	s.terms.fingerprint(h)
	h.Uint(uint64(s.state))
	h.TS(s.commitTS)
	h.Int(int(s.timeout))
	s.plan.fingerprint(h)
	h.Int(len(s.workers))
	for i := range s.workers {
		s.workers[i].span.fingerprint(h)
		s.workers[i].call.Fingerprint(h)
	}
	s.slots.print(h)
	h.Bool(s.halted)
	s.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (s *sweep) String() string {
	verb := "rollback"
	if s.commitTS != 0 {
		verb = "commit"
	}
	text := fmt.Sprintf("txn.sweep %s: %s of %d keys", sweepStates[s.state], verb, len(s.plan.keys))
	for i := range s.workers {
		if s.slots.taken(i) {
			text += "; " + s.workers[i].call.String()
		}
	}
	return text
}
