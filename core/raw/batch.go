package raw

import (
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Batch is one raw command on many keys: get, put or delete. The keys are split
// by region and size, and the requests go out over worker slots.
//
//	idle ──Start──▶ working ──all answered, or the first failure drained──▶ finished
//
// While it works, spans of keys wait to be grouped, or wait for a worker, or are
// carried by one. A region that no longer serves sends its span back to be
// grouped. After a failure no new request is sent, but those in flight are
// awaited, so that each key's outcome is known as well as it can be.
type Batch struct {
	verb     ports.Verb
	deadline ports.Instant
	options  Options
	keys     [][]byte
	pairs    []ports.KV
	state    batchState

	groups  route.Groups
	from    int
	grouped bool
	stale   []span
	queue   []span
	workers []batchWorker

	got      []ports.KV
	outcomes []Outcome
	failure  sm.Failure
}

// span is keys[from:to], in one region once it is queued.
type span struct {
	from, to int
	region   ports.RegionVersion
}

type batchWorker struct {
	busy, sent bool
	span       span
	call       route.Call
	get        ports.RawBatchGetRequest
	put        ports.RawBatchPutRequest
	delete     ports.RawBatchDeleteRequest
}

type batchState uint8

const (
	batchIdle batchState = iota
	batchWorking
	batchFinished
)

var batchStates = [...]string{"idle", "working", "finished"}

// hopGroups is the address of the grouping child, hopWorkers that of the first
// worker's call.
const (
	hopGroups  = 1
	hopWorkers = 2
)

// InitGet prepares a read of keys, which are sorted and distinct.
func (b *Batch) InitGet(keys [][]byte, opt Options, deadline ports.Instant) {
	*b = Batch{verb: ports.VerbRawBatchGet, keys: keys, options: opt, deadline: deadline}
}

// InitPut prepares a write of pairs, which are sorted by key and distinct.
func (b *Batch) InitPut(pairs []ports.KV, opt Options, deadline ports.Instant) {
	keys := make([][]byte, len(pairs))
	for i := range pairs {
		keys[i] = pairs[i].Key
	}
	*b = Batch{verb: ports.VerbRawBatchPut, keys: keys, pairs: pairs, options: opt, deadline: deadline}
	b.outcomes = make([]Outcome, len(keys))
}

// InitDelete prepares a deletion of keys, which are sorted and distinct.
func (b *Batch) InitDelete(keys [][]byte, opt Options, deadline ports.Instant) {
	*b = Batch{verb: ports.VerbRawBatchDelete, keys: keys, options: opt, deadline: deadline}
	b.outcomes = make([]Outcome, len(keys))
}

// Pairs returns what was read, in no particular order; absent keys have no pair.
func (b *Batch) Pairs() []ports.KV { return b.got }

// Outcomes returns what became of each key of a write, in the order of the keys.
func (b *Batch) Outcomes() []Outcome { return b.outcomes }

// Outcome returns what became of the write as a whole: Unknown when the keys
// differ or one of them is unknown.
func (b *Batch) Outcome() Outcome {
	if len(b.outcomes) == 0 {
		return Applied
	}
	o := b.outcomes[0]
	for _, other := range b.outcomes[1:] {
		o = join(o, other)
	}
	return o
}

// Failure returns why the command failed; the zero failure if it did not.
func (b *Batch) Failure() *sm.Failure { return &b.failure }

// Done implements [sm.Machine].
func (b *Batch) Done() bool { return b.state == batchFinished }

// Step implements [sm.Machine].
func (b *Batch) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("raw.Batch", batchStates[b.state], ev.Kind)
	switch b.state {
	case batchIdle:
		if ev.Kind == ports.EventStart {
			b.start(env, ev.Now, out)
		}
	case batchWorking:
		b.onWorking(env, ev, out)
	case batchFinished:
	}
}

func (b *Batch) start(env *sm.Env, now ports.Instant, out *sm.Effects) {
	b.state = batchWorking
	b.stale = append(b.stale, span{to: len(b.keys)})
	b.advance(env, now, out)
}

func (b *Batch) onWorking(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		b.cancel(out)
		return
	}
	hop := int(env.Hop(ev))
	switch {
	case hop == hopGroups && b.grouped:
		env.Enter(hopGroups)
		b.groups.Step(env, ev, out)
		env.Leave()
	case hop >= hopWorkers && hop-hopWorkers < len(b.workers):
		b.stepWorker(env, ev, hop-hopWorkers, out)
	default:
		return
	}
	b.advance(env, ev.Now, out)
}

// advance groups what waits to be grouped, gives queued spans to free workers,
// and finishes when nothing is left.
func (b *Batch) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	b.regroup(env, now, out)
	if !b.failure.Failed() {
		for len(b.queue) > 0 {
			w := b.freeWorker(env)
			if w < 0 {
				return
			}
			s := b.queue[len(b.queue)-1]
			b.queue = b.queue[:len(b.queue)-1]
			b.launch(env, now, w, s, out)
			if b.failure.Failed() {
				break
			}
		}
		b.regroup(env, now, out)
	}
	idle := !b.busy()
	if idle && (b.failure.Failed() || len(b.queue)+len(b.stale) == 0 && !b.grouped) {
		b.finish(out)
	}
}

// regroup runs the grouping child over the spans that lost their region.
func (b *Batch) regroup(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for !b.failure.Failed() {
		if !b.grouped {
			if len(b.stale) == 0 {
				return
			}
			s := b.stale[len(b.stale)-1]
			b.stale = b.stale[:len(b.stale)-1]
			b.grouped, b.from = true, s.from
			env.Enter(hopGroups)
			b.groups.Start(env, now, b.keys[s.from:s.to], s.region, b.deadline, out)
			env.Leave()
		}
		if !b.groups.Done() {
			return
		}
		b.grouped = false
		if f := b.groups.Failure(); f.Failed() {
			b.fail(*f)
			return
		}
		for _, g := range b.groups.List() {
			b.queue = append(b.queue, span{from: b.from + g.From, to: b.from + g.To, region: g.Region})
		}
	}
}

// cut splits the front of a span off that fits into one request: at most
// RawBatchKeys keys, and, for puts, a batch is closed once it has RawBatchBytes.
func (b *Batch) cut(env *sm.Env, s span) (head, rest span) {
	head, rest = s, s
	bytes := 0
	for i := s.from; i < s.to; i++ {
		if i-s.from == env.Knobs.RawBatchKeys || b.verb == ports.VerbRawBatchPut && bytes >= env.Knobs.RawBatchBytes {
			head.to, rest.from = i, i
			return head, rest
		}
		if b.verb == ports.VerbRawBatchPut {
			bytes += len(b.pairs[i].Key) + len(b.pairs[i].Value)
		}
	}
	rest.from = s.to
	return head, rest
}

func (b *Batch) freeWorker(env *sm.Env) int {
	for i := range b.workers {
		if !b.workers[i].busy {
			return i
		}
	}
	if len(b.workers) >= env.Knobs.Workers {
		return -1
	}
	if len(b.workers) == cap(b.workers) {
		b.growWorkers(env)
	}
	b.workers = b.workers[:len(b.workers)+1]
	return len(b.workers) - 1
}

// growWorkers makes room for as many workers as there are spans, once: moving
// a worker is safe because no machine keeps a pointer into itself.
func (b *Batch) growWorkers(env *sm.Env) {
	want := min(len(b.workers)+len(b.queue), env.Knobs.Workers)
	grown := make([]batchWorker, len(b.workers), max(want, 1))
	copy(grown, b.workers)
	b.workers = grown
}

func (b *Batch) launch(env *sm.Env, now ports.Instant, i int, s span, out *sm.Effects) {
	head, rest := b.cut(env, s)
	if rest.from < rest.to {
		b.queue = append(b.queue, rest)
	}
	w := &b.workers[i]
	w.busy, w.sent, w.span = true, false, head
	env.Enter(uint8(hopWorkers + i))
	w.call.Start(env, now, route.Spec{
		By: route.ByRegion, Key: b.keys[head.from], Region: head.region, Deadline: b.deadline,
		Timeout: env.Knobs.RequestTimeout, Write: b.verb != ports.VerbRawBatchGet,
	}, out)
	env.Leave()
	b.follow(env, now, i, out)
}

func (b *Batch) stepWorker(env *sm.Env, ev *ports.Event, i int, out *sm.Effects) {
	w := &b.workers[i]
	if !w.busy {
		return
	}
	env.Enter(uint8(hopWorkers + i))
	w.call.Step(env, ev, out)
	env.Leave()
	b.follow(env, ev.Now, i, out)
}

// follow does what the worker's call wants.
func (b *Batch) follow(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	w := &b.workers[i]
	switch w.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		w.call.Header().Priority = b.options.Priority
		env.Enter(uint8(hopWorkers + i))
		w.call.Send(env, now, b.request(w), out)
		env.Leave()
		w.sent = true
	case route.Finished:
		w.busy = false
		b.onResult(w)
	}
}

func (b *Batch) request(w *batchWorker) ports.Request {
	keys := b.keys[w.span.from:w.span.to]
	switch b.verb { //nolint:exhaustive // the three verbs that the Init methods set
	case ports.VerbRawBatchGet:
		w.get = ports.RawBatchGetRequest{Keys: keys, CF: b.options.CF}
		return &w.get
	case ports.VerbRawBatchPut:
		w.put = ports.RawBatchPutRequest{
			Pairs: b.pairs[w.span.from:w.span.to], CF: b.options.CF, ForCAS: b.options.ForCAS,
		}
		return &w.put
	}
	w.delete = ports.RawBatchDeleteRequest{Keys: keys, CF: b.options.CF, ForCAS: b.options.ForCAS}
	return &w.delete
}

func (b *Batch) onResult(w *batchWorker) {
	switch r := w.call.Result(); r.Kind {
	case route.Replied:
		b.onReply(w, r.Reply)
	case route.Regroup:
		// A write that may have been applied stays so until its retry succeeds;
		// the retry makes every key of it applied in any case.
		b.mark(w.span, unfinished(w.call.MayBeApplied()))
		b.stale = append(b.stale, w.span)
	case route.Failed:
		b.mark(w.span, unfinished(w.call.MayBeApplied()))
		b.fail(r.Failure)
	}
}

func (b *Batch) onReply(w *batchWorker, reply ports.Reply) {
	switch r := reply.(type) {
	case *ports.RawBatchGetReply:
		for i := range r.Pairs {
			b.keep(&r.Pairs[i])
		}
	case *ports.RawWriteReply:
		if r.Text != "" {
			b.mark(w.span, unfinished(w.call.MayBeApplied()))
			b.fail(rejected(r.Text))
			return
		}
		b.settle(w.span)
	default:
		b.mark(w.span, unfinished(w.sent))
		b.fail(malformed())
	}
}

// keep copies one pair of a reply; an error of a pair fails the batch, since its
// key would otherwise read as absent.
func (b *Batch) keep(pair *ports.Pair) {
	if pair.Err != nil {
		b.fail(rejected(pair.Err.Text))
		return
	}
	memory := make([]byte, 0, len(pair.Key)+len(pair.Value))
	memory = append(append(memory, pair.Key...), pair.Value...)
	n := len(pair.Key)
	b.got = append(b.got, ports.KV{Key: memory[:n:n], Value: memory[n:]})
}

// mark records what is known of a span that was not written. A doubt that an
// earlier attempt left is not forgotten.
func (b *Batch) mark(s span, o Outcome) {
	if b.outcomes == nil {
		return
	}
	for i := s.from; i < s.to; i++ {
		if b.outcomes[i] == NotApplied {
			b.outcomes[i] = o
		}
	}
}

// settle records that a span was written.
func (b *Batch) settle(s span) {
	for i := s.from; i < s.to; i++ {
		b.outcomes[i] = Applied
	}
}

// fail keeps the first failure.
func (b *Batch) fail(f sm.Failure) {
	if !b.failure.Failed() {
		b.failure = f
	}
}

func (b *Batch) busy() bool {
	for i := range b.workers {
		if b.workers[i].busy {
			return true
		}
	}
	return false
}

// cancel ends the batch at once; what is in flight may be applied.
func (b *Batch) cancel(out *sm.Effects) {
	b.fail(sm.Failure{Code: sm.FailCancelled})
	for i := range b.workers {
		if w := &b.workers[i]; w.busy {
			b.mark(w.span, unfinished(w.sent || w.call.MayBeApplied()))
			w.busy = false
		}
	}
	b.finish(out)
}

func (b *Batch) finish(out *sm.Effects) {
	b.state = batchFinished
	out.Answer()
}
