package read

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// batchWorker carries one span to its region, until all of its keys are read or
// the region has changed.
type batchWorker struct {
	state   workerState
	span    span
	call    route.Call
	request ports.BatchGetRequest `fp:"-"`
}

type workerState uint8

const (
	workerIdle workerState = iota
	workerReading
	// workerLocked: locks wait for the next round of the resolver.
	workerLocked
	// workerResolving: they are in the present one.
	workerResolving
)

// lastChunk bounds the memory that is taken for values in advance.
const lastChunk = 1 << 20

// part returns some of the span's keys as a span of their own.
func (s *span) part(from, to int, region ports.RegionVersion) span {
	p := span{keys: s.keys[from:to], from: scattered, region: region}
	if s.from != scattered {
		p.from = s.from + from
	}
	return p
}

func (m *BatchGet) stepWorker(env *sm.Env, ev *ports.Event, i int, out *sm.Effects) {
	w := &m.workers[i]
	if w.state != workerReading {
		return
	}
	env.Enter(uint8(hopWorkers + i))
	w.call.Step(env, ev, out)
	env.Leave()
	m.follow(env, ev.Now, i, out)
}

// follow does what a worker's call wants.
func (m *BatchGet) follow(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	w := &m.workers[i]
	switch w.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		w.request = ports.BatchGetRequest{Keys: w.span.keys, TS: m.ts}
		m.options.label(w.call.Header(), &m.locks)
		env.Enter(uint8(hopWorkers + i))
		w.call.Send(env, now, &w.request, out)
		env.Leave()
	case route.Finished:
		m.onResult(w, out)
	}
}

func (m *BatchGet) onResult(w *batchWorker, out *sm.Effects) {
	switch r := w.call.Result(); r.Kind {
	case route.Replied:
		if reply, ok := r.Reply.(*ports.BatchGetReply); ok {
			m.onReply(w, reply, out)
			return
		}
		m.answer(malformed("a batch get was answered with another verb"), out)
	case route.Regroup:
		m.stale = append(m.stale, w.span)
		m.rest(w)
	case route.Failed:
		m.answer(r.Failure, out)
	}
}

// rest makes a worker free for another span.
func (m *BatchGet) rest(w *batchWorker) {
	w.state = workerIdle
	m.busy--
}

func (m *BatchGet) onReply(w *batchWorker, reply *ports.BatchGetReply, out *sm.Effects) {
	if reply.Err != nil {
		// Nothing of such a reply can be used: the store gave up on the way.
		if reply.Err.Kind != ports.KeyLocked {
			m.answer(refused(reply.Err), out)
			return
		}
		m.await(w, []ports.Lock{reply.Err.Lock})
		return
	}
	if err := otherError(reply.Pairs); err != nil {
		m.answer(refused(err), out)
		return
	}
	locked, ok := m.keep(&w.span, reply.Pairs)
	switch {
	case !ok:
		m.answer(malformed("a batch get was answered with keys that are out of order or were not asked for"), out)
	case len(locked) > 0:
		w.span = span{keys: locked, from: scattered, region: w.span.region}
		m.await(w, locksOf(reply.Pairs))
	default:
		m.rest(w)
	}
}

// await lets a worker wait for the resolver's next round.
func (m *BatchGet) await(w *batchWorker, met []ports.Lock) {
	w.state = workerLocked
	for i := range met {
		m.met = append(m.met, met[i].Clone())
	}
}

// keep copies the values of a span's keys out of a reply and returns the keys that
// are locked. It reports false when a pair belongs to no key, or not to the next.
func (m *BatchGet) keep(s *span, pairs []ports.Pair) (locked [][]byte, ok bool) {
	m.makeRoom(s, pairs)
	at := 0
	for i := range pairs {
		p := &pairs[i]
		name := p.Key
		if p.Err != nil {
			name = lockedKey(p)
		}
		ahead, found := find(s.keys[at:], name)
		if !found {
			return nil, false
		}
		at += ahead
		switch {
		case p.Err != nil:
			if locked == nil {
				locked = make([][]byte, 0, len(pairs)-i)
			}
			locked = append(locked, s.keys[at])
		case len(p.Value) > 0:
			// An empty value is an absent key, as for a get.
			m.set(s, at, p.Value)
		}
		at++
	}
	return locked, true
}

// find returns the place of a key in sorted keys, of which it is as a rule the
// first.
func find(keys [][]byte, name []byte) (int, bool) {
	if len(keys) > 0 && bytes.Equal(keys[0], name) {
		return 0, true
	}
	return slices.BinarySearchFunc(keys, name, bytes.Compare)
}

// set keeps the value of a span's key.
func (m *BatchGet) set(s *span, at int, value []byte) {
	place := s.from + at
	if s.from == scattered {
		place, _ = find(m.keys, s.keys[at])
	}
	m.pairs[place].Key = m.keys[place]
	m.pairs[place].Value, m.memory = carve(m.memory, value)
}

// makeRoom provides memory for the values of a reply. The first piece is meant to
// hold those of all keys, if they are like those of this span; each further piece
// is twice as large as the one before.
func (m *BatchGet) makeRoom(s *span, pairs []ports.Pair) {
	size := 0
	for i := range pairs {
		size += len(pairs[i].Value)
	}
	if cap(m.memory)-len(m.memory) >= size && m.memory != nil {
		return
	}
	ahead := 2 * cap(m.memory)
	if m.memory == nil {
		ahead = size * len(m.keys) / len(s.keys)
	}
	m.memory = make([]byte, 0, max(size, min(ahead, lastChunk)))
}

// CloneInto implements [sm.Cloneable].
func (m *BatchGet) CloneInto(dst *BatchGet) {
	groups, locks := dst.groups, dst.locks
	m.groups.CloneInto(&groups)
	m.locks.CloneInto(&locks)
	*dst = *m
	dst.groups, dst.locks = groups, locks
	dst.stale, dst.queue = slices.Clone(m.stale), slices.Clone(m.queue)
	dst.workers = make([]batchWorker, len(m.workers))
	for i := range m.workers {
		dst.workers[i] = m.workers[i]
		dst.workers[i].call = route.Call{}
		m.workers[i].call.CloneInto(&dst.workers[i].call)
	}
	dst.met = slices.Clone(m.met)
	for i := range dst.met {
		dst.met[i] = m.met[i].Clone()
	}
	dst.pairs, dst.memory = clonePairs(m.pairs), nil
}

// Fingerprint implements [sm.Machine].
func (m *BatchGet) Fingerprint(h *sm.Hash) {
	h.Keys(m.keys)
	h.TS(m.ts)
	m.options.fingerprint(h)
	h.Instant(m.deadline)
	h.Uint(uint64(m.state))
	m.groups.Fingerprint(h)
	m.grouping.fingerprint(h)
	h.Bool(m.grouped)
	hashSpans(h, m.stale)
	hashSpans(h, m.queue)
	h.Int(len(m.workers))
	for i := range m.workers {
		w := &m.workers[i]
		h.Uint(uint64(w.state))
		w.span.fingerprint(h)
		w.call.Fingerprint(h)
	}
	h.Int(m.busy)
	m.locks.Fingerprint(h)
	h.Int(len(m.met))
	for i := range m.met {
		h.Lock(&m.met[i])
	}
	h.Bool(m.resolving)
	hashPairs(h, m.pairs)
	m.failure.Fingerprint(h)
}

func hashSpans(h *sm.Hash, spans []span) {
	h.Int(len(spans))
	for i := range spans {
		spans[i].fingerprint(h)
	}
}

func (s *span) fingerprint(h *sm.Hash) {
	h.Keys(s.keys)
	h.Int(s.from)
	h.Version(s.region)
}

// String implements [sm.Machine].
func (m *BatchGet) String() string {
	var b strings.Builder
	b.WriteString("read.BatchGet " + batchStates[m.state])
	for i := range m.workers {
		if m.workers[i].state == workerReading {
			b.WriteString("; " + m.workers[i].call.String())
		}
	}
	if !m.locks.Done() {
		b.WriteString("; " + m.locks.String())
	}
	return b.String()
}
