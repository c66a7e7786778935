package read

import (
	"slices"

	"github.com/tikvx/tikvx/core/lock"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// BatchGet reads many keys at a timestamp.
//
//	idle ──Start──▶ working ──all read, failure, cancel──▶ cleaning ──no lock left──▶ finished
//
// While it works, the keys are in spans, each of which is somewhere on this way:
//
//	stale ──grouped by region──▶ queued ──▶ reading ──▶ read
//	  ▲                                      │   ▲ │
//	  └────────── region changed ────────────┘   │ └─some keys locked─▶ locked ─▶ resolving
//	                                             └──those keys again───────────────────┘
//
// One resolver serves all workers: while it is at work, the locks that others meet
// wait for its next round.
type BatchGet struct {
	keys     [][]byte `fp:"shared"`
	ts       ports.Timestamp
	options  Options
	deadline ports.Instant
	state    batchState

	// grouping is the span that groups splits while grouped is set.
	groups   route.Groups
	grouping span
	grouped  bool
	stale    []span
	// queue is a stack, busy the number of workers that are not idle.
	queue   []span
	workers []batchWorker
	busy    int
	// met are the locks that wait for the next round, resolving tells that one is
	// in progress.
	locks     lock.Resolver
	met       []ports.Lock
	resolving bool

	// pairs has a place for each key until the answer, and memory room for values.
	pairs   []ports.KV
	memory  []byte `fp:"-"`
	failure sm.Failure
}

// span is keys that are read together: all in one region once it is queued.
type span struct {
	keys [][]byte `fp:"shared"`
	// from is the place of the first among all keys when they follow one another
	// there, scattered when they do not.
	from   int
	region ports.RegionVersion
}

const scattered = -1

// maxWorkers is the number of children that have an address.
const maxWorkers = 128

type batchState uint8

const (
	batchIdle batchState = iota
	batchWorking
	batchCleaning
	batchFinished
)

var batchStates = [...]string{"idle", "working", "cleaning", "finished"}

// Init prepares a read of keys, which are sorted, distinct, not empty, and borrowed
// until the answer.
func (m *BatchGet) Init(keys [][]byte, ts ports.Timestamp, opt Options, deadline ports.Instant) {
	*m = BatchGet{
		keys: keys, ts: ts, options: opt, deadline: deadline,
		groups: m.groups, stale: m.stale[:0], queue: m.queue[:0], workers: m.workers[:0],
	}
}

// Forget drops what the machine was given and what it found, and keeps memory of its
// own for the next Init. The machine must be done, or never started.
func (m *BatchGet) Forget() {
	m.groups.Forget()
	clear(m.stale[:cap(m.stale)])
	clear(m.queue[:cap(m.queue)])
	clear(m.workers)
	*m = BatchGet{groups: m.groups, stale: m.stale[:0], queue: m.queue[:0], workers: m.workers[:0]}
}

// Pairs returns what was found, in the order of the keys; absent keys have no pair.
// The keys are those that Init was given, the values belong to the caller. Values
// share pieces of memory: one that is kept keeps others.
func (m *BatchGet) Pairs() []ports.KV {
	if m.failure.Failed() || m.state == batchWorking {
		return nil
	}
	return m.pairs
}

// Failure returns why it failed; the zero failure if it did not.
func (m *BatchGet) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *BatchGet) Done() bool { return m.state == batchFinished }

// Step implements [sm.Machine].
func (m *BatchGet) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("read.BatchGet", batchStates[m.state], ev.Kind)
	switch m.state {
	case batchIdle:
		if ev.Kind == ports.EventStart {
			m.start(env, ev.Now, out)
		}
	case batchWorking:
		m.onWorking(env, ev, out)
	case batchCleaning:
		m.onCleaning(env, ev, out)
	case batchFinished:
	}
}

func (m *BatchGet) start(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch {
	case !m.ts.Readable() || m.ts == ports.MaxTimestamp:
		m.answer(sm.Failure{Code: sm.FailMisuse, Text: "no timestamp that a batch get can read at"}, out)
		return
	case len(m.keys) > 0 && len(m.keys[0]) == 0:
		m.answer(sm.Failure{Code: sm.FailMisuse, Text: "empty key"}, out)
		return
	}
	m.state = batchWorking
	m.pairs = make([]ports.KV, len(m.keys))
	m.stale = append(m.stale, span{keys: m.keys})
	m.advance(env, now, out)
}

func (m *BatchGet) onWorking(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		m.cancel(env, ev, out)
		return
	}
	hop := int(env.Hop(ev))
	switch {
	case hop == hopGroups:
		env.Enter(hopGroups)
		m.groups.Step(env, ev, out)
		env.Leave()
	case hop == hopLocks:
		env.Enter(hopLocks)
		m.locks.Step(env, ev, out)
		env.Leave()
	case hop >= hopWorkers && hop-hopWorkers < len(m.workers):
		m.stepWorker(env, ev, hop-hopWorkers, out)
	default:
		return
	}
	m.advance(env, ev.Now, out)
}

func (m *BatchGet) onCleaning(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if env.Hop(ev) != hopLocks {
		return
	}
	env.Enter(hopLocks)
	m.locks.Step(env, ev, out)
	env.Leave()
	m.clean()
}

// advance moves every span as far as it gets, and answers when all keys are read.
func (m *BatchGet) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for m.state == batchWorking && (m.regroup(env, now, out) || m.launch(env, now, out) || m.resolve(env, now, out)) {
	}
	if m.state == batchWorking && !m.grouped && m.busy == 0 {
		m.answer(sm.Failure{}, out)
	}
}

// regroup takes the grouping of stale spans one step on, if it can.
func (m *BatchGet) regroup(env *sm.Env, now ports.Instant, out *sm.Effects) bool {
	switch {
	case !m.grouped && len(m.stale) > 0:
		m.grouped = true
		m.grouping, m.stale = m.stale[len(m.stale)-1], m.stale[:len(m.stale)-1]
		env.Enter(hopGroups)
		m.groups.Start(env, now, m.grouping.keys, m.grouping.region, m.deadline, out)
		env.Leave()
		return true
	case !m.grouped || !m.groups.Done():
		return false
	}
	m.grouped = false
	if f := m.groups.Failure(); f.Failed() {
		m.answer(*f, out)
		return true
	}
	list := m.groups.List()
	for i := len(list) - 1; i >= 0; i-- {
		m.queue = append(m.queue, m.grouping.part(list[i].From, list[i].To, list[i].Region))
	}
	return true
}

// launch gives the next queued span to a free worker, if there are both.
func (m *BatchGet) launch(env *sm.Env, now ports.Instant, out *sm.Effects) bool {
	if len(m.queue) == 0 {
		return false
	}
	i := m.freeWorker(env)
	if i < 0 {
		return false
	}
	s := m.queue[len(m.queue)-1]
	m.queue = m.queue[:len(m.queue)-1]
	if n := env.Knobs.BatchGetKeys; len(s.keys) > n {
		m.queue = append(m.queue, s.part(n, len(s.keys), s.region))
		s = s.part(0, n, s.region)
	}
	w := &m.workers[i]
	w.state, w.span = workerReading, s
	m.busy++
	env.Enter(uint8(hopWorkers + i))
	w.call.Start(env, now, route.Spec{
		By: route.ByRegion, Key: s.keys[0], Region: s.region, Deadline: m.deadline, Timeout: env.Knobs.ScanTimeout,
	}, out)
	env.Leave()
	m.follow(env, now, i, out)
	return true
}

// freeWorker returns an idle worker, a new one as long as there may be more, or -1.
func (m *BatchGet) freeWorker(env *sm.Env) int {
	if m.busy < len(m.workers) {
		for i := range m.workers {
			if m.workers[i].state == workerIdle {
				return i
			}
		}
	}
	n := len(m.workers)
	if n >= min(env.Knobs.Workers, maxWorkers) {
		return -1
	}
	if n == cap(m.workers) {
		// One growth is enough for all that is queued. Moving a worker is safe: no
		// machine keeps a pointer into itself.
		m.workers = slices.Grow(m.workers, min(max(len(m.queue), n), min(env.Knobs.Workers, maxWorkers)-n))
	}
	m.workers = m.workers[:n+1]
	return n
}

// resolve begins or ends a round for the locks that were met, if it can.
func (m *BatchGet) resolve(env *sm.Env, now ports.Instant, out *sm.Effects) bool {
	switch {
	case !m.resolving && len(m.met) > 0:
		m.resolving = true
		for i := range m.workers {
			if m.workers[i].state == workerLocked {
				m.workers[i].state = workerResolving
			}
		}
		env.Enter(hopLocks)
		m.locks.Start(env, now, lock.Spec{
			Purpose: lock.Read, CallerTS: m.ts, RequestSource: m.options.RequestSource, Deadline: m.deadline,
		}, m.met, out)
		env.Leave()
		m.met = m.met[:0]
		return true
	case !m.resolving || !m.locks.Resolved():
		return false
	}
	m.resolving = false
	result := m.locks.Result()
	if result.Failure.Failed() {
		m.answer(result.Failure, out)
		return true
	}
	for i := range m.workers {
		if w := &m.workers[i]; w.state == workerResolving && m.state == batchWorking {
			w.state = workerReading
			env.Enter(uint8(hopWorkers + i))
			repeat(env, now, &w.call, result.Wait, out)
			env.Leave()
			m.follow(env, now, i, out)
		}
	}
	return true
}

// cancel answers because the caller has gone. The failure tells what the worker
// that tried most had tried: a cancel is how a caller's own deadline comes.
func (m *BatchGet) cancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	f := sm.Failure{Code: sm.FailCancelled}
	for i := range m.workers {
		if w := &m.workers[i]; w.state == workerReading {
			env.Enter(uint8(hopWorkers + i))
			w.call.Step(env, ev, out)
			env.Leave()
			if tried := w.call.Result().Failure; tried.History.Count > f.History.Count {
				f = tried
			}
		}
	}
	m.answer(f, out)
}

// answer releases the caller. What the resolver has to remove is removed behind
// its back.
func (m *BatchGet) answer(f sm.Failure, out *sm.Effects) {
	m.failure = f
	if !m.locks.Resolved() {
		m.locks.Cancel()
	}
	n := 0
	for i := range m.pairs {
		if m.pairs[i].Key != nil {
			m.pairs[n] = m.pairs[i]
			n++
		}
	}
	m.pairs = m.pairs[:n]
	m.state = batchCleaning
	out.Answer()
	m.clean()
}

func (m *BatchGet) clean() {
	if m.locks.Done() {
		m.state = batchFinished
	}
}
