package raw

import (
	"bytes"
	"slices"

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
// grouped. After a failure nothing is sent any more, not even again, but requests
// in flight are awaited, so that each key's outcome is known as well as it can be.
type Batch struct {
	verb     ports.Verb
	deadline ports.Instant
	options  Options
	keys     [][]byte   `fp:"shared"`
	pairs    []ports.KV `fp:"shared"`
	state    batchState

	// groups splits keys[from:] while grouped is set; stale are the spans that
	// wait for it, queue those that wait for a worker.
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
	busy   bool
	span   span
	call   route.Call
	get    ports.RawBatchGetRequest    `fp:"-"`
	put    ports.RawBatchPutRequest    `fp:"-"`
	delete ports.RawBatchDeleteRequest `fp:"-"`
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
// After a failure some are missing. The caller owns them.
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
		b.cancel(env, ev, out)
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
	for len(b.queue) > 0 && !b.failure.Failed() {
		w := b.freeWorker(env)
		if w < 0 {
			return
		}
		s := b.queue[len(b.queue)-1]
		b.queue = b.queue[:len(b.queue)-1]
		b.launch(env, now, w, s, out)
		b.regroup(env, now, out)
	}
	if b.failure.Failed() {
		b.giveUpIdle()
	} else if len(b.queue)+len(b.stale) > 0 || b.grouped {
		return
	}
	if !b.busy() {
		b.finish(out)
	}
}

// giveUpIdle releases the workers that wait for anything but an answer.
func (b *Batch) giveUpIdle() {
	for i := range b.workers {
		if w := &b.workers[i]; w.busy && !w.call.Sending() {
			b.mark(w.span, unfinished(w.call.MayBeApplied()))
			w.busy = false
		}
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
	size := 0
	for i := s.from; i < s.to; i++ {
		if i-s.from == env.Knobs.RawBatchKeys || b.verb == ports.VerbRawBatchPut && size >= env.Knobs.RawBatchBytes {
			head.to, rest.from = i, i
			return head, rest
		}
		if b.verb == ports.VerbRawBatchPut {
			size += len(b.pairs[i].Key) + len(b.pairs[i].Value)
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
	if len(b.workers) >= max(env.Knobs.Workers, 1) {
		return -1
	}
	if len(b.workers) == cap(b.workers) {
		b.growWorkers(env)
	}
	b.workers = b.workers[:len(b.workers)+1]
	return len(b.workers) - 1
}

// growWorkers makes room for as many workers as there are spans, or for twice as
// many as before if spans are large. Moving a worker is safe because no machine
// keeps a pointer into itself.
func (b *Batch) growWorkers(env *sm.Env) {
	want := min(max(len(b.workers)+len(b.queue)+1, 2*len(b.workers)), max(env.Knobs.Workers, 1))
	grown := make([]batchWorker, len(b.workers), want)
	copy(grown, b.workers)
	b.workers = grown
}

func (b *Batch) launch(env *sm.Env, now ports.Instant, i int, s span, out *sm.Effects) {
	head, rest := b.cut(env, s)
	if rest.from < rest.to {
		b.queue = append(b.queue, rest)
	}
	w := &b.workers[i]
	w.busy, w.span = true, head
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
		if b.failure.Failed() {
			return
		}
		w.call.Header().Priority = b.options.Priority
		env.Enter(uint8(hopWorkers + i))
		w.call.Send(env, now, b.request(w), out)
		env.Leave()
	case route.Finished:
		w.busy = false
		b.onResult(w)
	}
}

func (b *Batch) request(w *batchWorker) ports.Request {
	keys := b.keys[w.span.from:w.span.to]
	switch b.verb {
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
	if reply.Verb() != b.verb {
		b.mark(w.span, Unknown)
		b.fail(malformed())
		return
	}
	switch r := reply.(type) {
	case *ports.RawBatchGetReply:
		b.keep(w.span, r.Pairs)
	case *ports.RawWriteReply:
		if r.Text == "" {
			b.settle(w.span)
			return
		}
		f, maybe := rejected(r.Text)
		b.mark(w.span, unfinished(maybe || w.call.MayBeApplied()))
		b.fail(f)
	}
}

// keep copies the pairs of a reply into memory of their own. An error of a pair
// fails the batch, since its key would otherwise read as absent.
func (b *Batch) keep(s span, pairs []ports.Pair) {
	size := 0
	for i := range pairs {
		if pairs[i].Err != nil {
			b.fail(failedKey(pairs[i].Err))
			return
		}
		if _, asked := slices.BinarySearchFunc(b.keys[s.from:s.to], pairs[i].Key, bytes.Compare); !asked {
			b.fail(malformed())
			return
		}
		size += len(pairs[i].Key) + len(pairs[i].Value)
	}
	memory := make([]byte, 0, size)
	take := func(b []byte) []byte {
		n := len(memory)
		memory = append(memory, b...)
		return memory[n:len(memory):len(memory)]
	}
	b.got = slices.Grow(b.got, len(pairs))
	for i := range pairs {
		b.got = append(b.got, ports.KV{Key: take(pairs[i].Key), Value: take(pairs[i].Value)})
	}
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
func (b *Batch) cancel(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	for i := range b.workers {
		b.stepWorker(env, ev, i, out)
	}
	b.fail(sm.Failure{Code: sm.FailCancelled})
	b.finish(out)
}

func (b *Batch) finish(out *sm.Effects) {
	b.state = batchFinished
	out.Answer()
}
