package lock

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Resolver is a child machine that resolves the locks that one request has met.
// Each Start begins a round, which ends when the resolver is Resolved. A reader's
// resolver may be started again while it still removes the locks of earlier rounds;
// its parent keeps stepping it until it is Done. The zero value is ready, Resolved
// and Done. Not safe for concurrent use.
//
//	resolved ──Start──▶ dating ──timestamp──▶ settling ──nothing to wait for──▶ resolved
//	    │                  └──no timestamp──────────┼────────────────────────────▶
//	    └──Start, every status is known─────────────┘
//
// Each transaction whose locks were met is a job: first its primary is asked for
// its status, unless that is known to be final, then its locks are removed if it
// has ended. Jobs wait in a queue for a worker. Those that the round waits for are
// in the foreground, and never wait for one that is not.
//
// A reader puts [Resolver.ResolvedLocks] and [Resolver.CommittedLocks] into the
// header of each attempt, whenever its call is ready:
//
//	hdr.ResolvedLocks, hdr.CommittedLocks = r.ResolvedLocks(), r.CommittedLocks()
type Resolver struct {
	state  resolverState
	spec   Spec
	result Result
	// passable and readable are the transactions that a read may ignore or read
	// through. What they hold is never overwritten: headers share their memory.
	passable, readable []ports.Timestamp
	// work is made when the first lock is met.
	work *work
}

type resolverState uint8

const (
	resolverResolved resolverState = iota
	// resolverDating: the present is asked for; statuses cannot be had without it.
	resolverDating
	// resolverSettling: statuses are asked for and locks removed.
	resolverSettling
)

var resolverStates = [...]string{
	resolverResolved: "resolved", resolverDating: "dating", resolverSettling: "settling",
}

// Start begins a round. locks are copied; sets of shared locks are expanded. The
// resolver must be Resolved or new.
func (r *Resolver) Start(env *sm.Env, now ports.Instant, spec Spec, locks []ports.Lock, out *sm.Effects) {
	if spec.CallerTS != r.spec.CallerTS {
		// Which locks may be passed is a function of both timestamps (tikv#10570).
		r.passable, r.readable = nil, nil
	}
	r.spec, r.result, r.state = spec, Result{}, resolverSettling
	if r.work == nil {
		r.work = &work{}
	}
	jobs, ok := collect(locks)
	if !ok {
		r.fail(protocol("a lock names no transaction"))
		return
	}
	for _, j := range jobs {
		if status, known := env.Txns.Status(j.startTS); known {
			r.onVerdict(env, j, final(status), out)
			continue
		}
		r.work.queue = append(r.work.queue, j)
		r.state = resolverDating
	}
	if r.state == resolverDating {
		env.Enter(hopFetch)
		r.work.fetch.Start(env, now, spec.Deadline, out)
		env.Leave()
		r.followFetch()
	}
	r.advance(env, now, out)
}

// Step moves the resolver by one event. A cancel ends the round like Cancel, with a
// failure that says what was tried.
func (r *Resolver) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("lock.Resolver", resolverStates[r.state], ev.Kind)
	switch {
	case ev.Kind == ports.EventCancel:
		r.onCancel(env, ev, out)
	case r.work == nil:
		return
	case env.Hop(ev) == hopFetch:
		r.onFetch(env, ev, out)
	case env.Hop(ev) >= hopWorkers:
		r.onWorker(env, ev, int(env.Hop(ev)-hopWorkers), out)
	default:
		return
	}
	r.advance(env, ev.Now, out)
}

// onCancel lets the first child that the round waits for say what it has tried.
func (r *Resolver) onCancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch r.state {
	case resolverResolved:
	case resolverDating:
		env.Enter(hopFetch)
		r.work.fetch.Step(env, ev, out)
		env.Leave()
		r.fail(*r.work.fetch.Failure())
	case resolverSettling:
		f := sm.Failure{Code: sm.FailCancelled}
		if i := r.work.checking(); i >= 0 {
			w := &r.work.workers[i]
			env.Enter(hopWorkers + uint8(i))
			env.Enter(hopCheck)
			w.check.Step(env, ev, out)
			env.Leave()
			env.Leave()
			f = w.check.failure
		}
		r.fail(f)
	}
}

func (r *Resolver) onFetch(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if r.state != resolverDating {
		return
	}
	env.Enter(hopFetch)
	r.work.fetch.Step(env, ev, out)
	env.Leave()
	r.followFetch()
}

func (r *Resolver) followFetch() {
	if !r.work.fetch.Done() {
		return
	}
	if f := r.work.fetch.Failure(); f.Failed() {
		r.fail(*f)
		return
	}
	r.state = resolverSettling
}

func (r *Resolver) onWorker(env *sm.Env, ev *ports.Event, i int, out *sm.Effects) {
	if i >= len(r.work.workers) || !r.work.workers[i].busy {
		return
	}
	r.work.workers[i].step(env, ev, i, out)
	r.followWorker(env, i, out)
}

// advance gives jobs to workers and ends the round when it waits for nothing.
func (r *Resolver) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if r.work == nil {
		return
	}
	for {
		j, i, ok := r.work.next(env, r.state != resolverDating)
		if !ok {
			break
		}
		r.launch(env, now, j, i, out)
		r.followWorker(env, i, out)
	}
	if r.state == resolverSettling && !r.work.awaited() {
		r.state = resolverResolved
	}
}

// launch starts a job's next stage in a free worker.
func (r *Resolver) launch(env *sm.Env, now ports.Instant, j job, i int, out *sm.Effects) {
	w := &r.work.workers[i]
	w.busy, w.job = true, j
	env.Enter(hopWorkers + uint8(i))
	switch j.stage {
	case needsCheck:
		env.Enter(hopCheck)
		w.check.Start(env, now, r.question(&j), out)
		env.Leave()
	case needsClean:
		env.Enter(hopClean)
		w.clean.Start(env, now, r.plan(env, now, &j), j.keys, out)
		env.Leave()
	}
	env.Leave()
}

func (r *Resolver) question(j *job) question {
	q := question{
		startTS: j.startTS, primary: j.primary, pessimistic: j.pessimistic, txnFile: j.txnFile, ttl: j.ttl,
		currentTS: r.work.fetch.TS(), source: r.spec.RequestSource, deadline: r.spec.Deadline,
	}
	if r.spec.Purpose == Read {
		// Writers push nobody: the other's commit would not let them pass.
		q.callerTS = r.spec.CallerTS
	}
	return q
}

func (r *Resolver) plan(env *sm.Env, now ports.Instant, j *job) plan {
	p := plan{
		startTS: j.startTS, commitTS: j.verdict.commitTS, pessimistic: j.pessimistic, forUpdateTS: j.forUpdateTS,
		byRegion: r.byRegion(env, j), txnFile: j.txnFile, source: r.spec.RequestSource, deadline: r.spec.Deadline,
	}
	if !j.foreground {
		p.deadline = now.Add(cleanBudget)
	}
	return p
}

// byRegion reports whether all that a transaction left in a region is removed with
// one of its locks.
func (r *Resolver) byRegion(env *sm.Env, j *job) bool {
	return !r.spec.Lite && j.size >= env.Knobs.ResolveLiteKeys
}

// followWorker takes the result of a worker that is done.
func (r *Resolver) followWorker(env *sm.Env, i int, out *sm.Effects) {
	w := &r.work.workers[i]
	if !w.done() {
		return
	}
	w.busy = false
	switch f := w.failure(); {
	case !w.job.foreground:
		// Whoever meets the locks next removes them.
	case f.Failed():
		r.fail(*f)
	case w.job.stage == needsCheck:
		j := w.job
		j.asked = true
		r.onVerdict(env, j, w.check.verdict, out)
	}
}

// onVerdict decides what a verdict means for the caller, and whether there are
// locks to be removed.
func (r *Resolver) onVerdict(env *sm.Env, j job, v verdict, out *sm.Effects) {
	if v.ended() && j.asked && !j.pessimistic {
		// What was learnt through a pessimistic lock is not told: its primary need
		// not be that of the transaction (pingcap/tidb#42937).
		out.Learn(&ports.Fact{Kind: ports.FactTxn, StartTS: j.startTS, CommitTS: v.commitTS})
	}
	switch v.kind {
	case alive, unknown:
		r.wait(v.left)
		return
	case pushed:
		if !r.pass(&r.passable, j.startTS) {
			// The server does not take it for passable: the reader waits.
			r.wait(v.left)
		}
		return
	case committed, rolledBack:
		if r.spec.Purpose == Read && !j.pessimistic {
			// A lock that a read meets although it may pass it is removed first.
			j.foreground = !r.pass(r.listFor(&v), j.startTS)
		}
	case ownerless:
	}
	if j.asked && !j.pessimistic && j.onlyPrimary() && !r.byRegion(env, &j) {
		return // TiKV removed the primary's lock when it was asked
	}
	j.stage, j.verdict = needsClean, v
	r.work.queue = append(r.work.queue, j)
}

// listFor returns the list to which a final verdict puts a transaction.
func (r *Resolver) listFor(v *verdict) *[]ports.Timestamp {
	if v.kind == committed && v.commitTS <= r.spec.CallerTS {
		return &r.readable
	}
	return &r.passable
}

// pass puts a transaction into a list and reports whether it was not there before.
func (r *Resolver) pass(list *[]ports.Timestamp, start ports.Timestamp) bool {
	if slices.Contains(*list, start) {
		return false
	}
	*list = append(*list, start)
	return true
}

// wait notes that somebody is alive.
func (r *Resolver) wait(left time.Duration) {
	if r.result.Wait == 0 || left < r.result.Wait {
		r.result.Wait = left
	}
}

// fail ends the round with a failure.
func (r *Resolver) fail(f sm.Failure) {
	r.Cancel()
	r.result = Result{Failure: f}
}

// Cancel ends the round without a result, because its caller has gone. Removing
// the locks of transactions that are known to have ended goes on behind a reader.
func (r *Resolver) Cancel() {
	if r.state == resolverResolved {
		return
	}
	r.state = resolverResolved
	r.result = Result{Failure: sm.Failure{Code: sm.FailCancelled}}
	r.work.abandon(r.spec.Purpose == Read)
}
