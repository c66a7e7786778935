package read

import (
	"bytes"
	"math"
	"slices"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// ScanPage reads the next pairs of a range at a timestamp, region by region, until
// there is at least one or the range ends.
//
//	             nothing here: next region
//	              ┌───────┐
//	idle ──Start──▶ reading ──locks──▶ resolving
//	                  │  ▲               │  │
//	                  │  └───resolved────┘  │ unresolvable, cancel
//	   page, failure  ▼                     │
//	               cleaning ◀───────────────┘
//	                  │ no lock left to remove
//	                  ▼
//	               finished
//
// A page with locked keys keeps what comes before the first of them and resolves
// them all; then the rest is read again, past all locks that are known by now.
type ScanPage struct {
	reader
	// rest is what is not read yet, clip the part of it that the present request
	// asks for.
	rest, clip ports.KeyRange `fp:"shared"`
	// moved: rest became less since the call was started.
	moved             bool
	limit             int
	reverse, keysOnly bool
	request           ports.ScanRequest `fp:"-"`
	pairs             []ports.KV
	more              bool
}

// Init prepares a page of at most limit pairs (at least 1) of [Start, End),
// descending when reverse is set. The range is borrowed until the answer, and what
// Next returns may share its memory. A page asks for at most Knobs.ScanPage pairs.
func (m *ScanPage) Init(rng ports.KeyRange, ts ports.Timestamp, limit int, reverse, keysOnly bool, opt Options,
	deadline ports.Instant) {
	*m = ScanPage{
		reader: reader{ts: ts, options: opt, deadline: deadline},
		rest:   rng, limit: limit, reverse: reverse, keysOnly: keysOnly,
	}
}

// Pairs returns the pairs in the order of the scan. The caller owns them.
func (m *ScanPage) Pairs() []ports.KV {
	if m.failure.Failed() {
		return nil
	}
	return m.pairs
}

// Next returns what is left of the range after this page, false when nothing is.
func (m *ScanPage) Next() (ports.KeyRange, bool) { return m.rest, m.more }

// Failure returns why it failed; the zero failure if it did not.
func (m *ScanPage) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *ScanPage) Done() bool { return m.state == readerFinished }

// Step implements [sm.Machine].
func (m *ScanPage) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("read.ScanPage", readerStates[m.state], ev.Kind)
	m.run(m, env, ev, out)
}

func (m *ScanPage) start(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch {
	case !m.ts.Readable() || m.ts == ports.MaxTimestamp:
		m.answer(sm.Failure{Code: sm.FailMisuse, Text: "no timestamp that a scan can read at"}, out)
	case m.limit < 1:
		m.answer(sm.Failure{Code: sm.FailMisuse, Text: "scan limit below 1"}, out)
	case m.rest.Empty():
		m.answer(sm.Failure{}, out)
	default:
		m.limit = min(m.limit, env.Knobs.ScanPage, math.MaxUint32)
		m.enter(env, now, out)
	}
}

// enter routes to the region in which the rest of the range begins.
func (m *ScanPage) enter(env *sm.Env, now ports.Instant, out *sm.Effects) {
	m.moved = false
	if m.reverse {
		m.route(env, now, route.ByEnd, m.rest.End, env.Knobs.ScanTimeout, out)
		return
	}
	m.route(env, now, route.ByKey, m.rest.Start, env.Knobs.ScanTimeout, out)
}

// ask sends a request for the part of the rest that lies in the call's region.
func (m *ScanPage) ask(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch {
	case !m.cut(env):
		m.answer(malformed("a region's bound is no key of this client"), out)
	case !m.clip.Empty():
		m.request = ports.ScanRequest{
			Range: m.clip, Limit: uint32(m.limit - len(m.pairs)), TS: m.ts, KeyOnly: m.keysOnly, Reverse: m.reverse,
		}
		m.options.label(m.call.Header(), &m.locks)
		m.send(env, now, &m.request, out)
	case m.moved:
		// The region was split while locks were resolved, and the rest lies
		// beyond the part that the call went back to.
		m.enter(env, now, out)
	case m.reverse && len(m.call.Region().Range.Start) > 0:
		// The region was cut inside a key and holds nothing below the end of the
		// rest. The one below it has no user key that leads to it.
		m.route(env, now, route.ByBound, m.call.Region().Range.Start, env.Knobs.ScanTimeout, out)
	default:
		m.answer(malformed("a region holds nothing of the range that led to it"), out)
	}
}

// cut clips the rest of the range to the region to which the call is about to go,
// whose bounds may have changed since the last attempt. It reports false when the
// region's bounds are no keys of this client's.
func (m *ScanPage) cut(env *sm.Env) bool {
	region := m.call.Region().Range
	start, err := env.Codec.UserBound(nil, region.Start)
	end, err2 := env.Codec.UserBound(nil, region.End)
	if err != nil || err2 != nil {
		return false
	}
	m.clip = m.rest
	if bytes.Compare(start, m.clip.Start) > 0 {
		m.clip.Start = start
	}
	if len(end) > 0 && (len(m.clip.End) == 0 || bytes.Compare(end, m.clip.End) < 0) {
		m.clip.End = end
	}
	return true
}

func (m *ScanPage) onAnswer(env *sm.Env, now ports.Instant, reply ports.Reply, out *sm.Effects) {
	if reply, ok := reply.(*ports.ScanReply); ok {
		m.onReply(env, now, reply, out)
		return
	}
	m.answer(malformed("a scan was answered with another verb"), out)
}

func (m *ScanPage) onReply(env *sm.Env, now ports.Instant, reply *ports.ScanReply, out *sm.Effects) {
	if reply.Err != nil {
		// Nothing of such a reply can be used: the store gave up on the way.
		if reply.Err.Kind != ports.KeyLocked {
			m.answer(refused(reply.Err), out)
			return
		}
		m.resolve(env, now, []ports.Lock{reply.Err.Lock}, false, out)
		return
	}
	locked, ok := m.check(reply.Pairs)
	if !ok {
		m.answer(malformed("a scan was answered with keys that are out of range, order or number"), out)
		return
	}
	asked := int(m.request.Limit)
	if locked == len(reply.Pairs) {
		m.keep(reply.Pairs)
		m.advance(env, now, len(reply.Pairs) == asked, out)
		return
	}
	if err := otherError(reply.Pairs[locked:]); err != nil {
		m.answer(refused(err), out)
		return
	}
	m.keep(reply.Pairs[:locked])
	m.stopAt(lockedKey(&reply.Pairs[locked]))
	m.resolve(env, now, locksOf(reply.Pairs[locked:]), false, out)
}

// check looks at the pairs of a reply before any of them is used: they must lie in
// the requested part, in the order of the scan, and be no more than were asked for.
// None is empty: TiKV keeps no such key, and as a bound it would mean another thing.
// It returns the number of pairs before the first one with an error.
func (m *ScanPage) check(pairs []ports.Pair) (sound int, ok bool) {
	if len(pairs) > int(m.request.Limit) {
		return 0, false
	}
	sound = len(pairs)
	var last []byte
	for i := range pairs {
		at := pairs[i].Key
		if pairs[i].Err != nil {
			at = lockedKey(&pairs[i])
			sound = min(sound, i)
		}
		order := 1
		if i > 0 {
			order = bytes.Compare(at, last)
		}
		if m.reverse && i > 0 {
			order = -order
		}
		if order <= 0 || len(at) == 0 || !m.clip.Contains(at) {
			return 0, false
		}
		last = at
	}
	return sound, true
}

// keep copies pairs out of a reply, all into one piece of memory.
func (m *ScanPage) keep(pairs []ports.Pair) {
	size := 0
	for i := range pairs {
		size += len(pairs[i].Key) + len(pairs[i].Value)
	}
	memory := make([]byte, 0, size)
	m.pairs = slices.Grow(m.pairs, len(pairs))
	for i := range pairs {
		var kv ports.KV
		kv.Key, memory = carve(memory, pairs[i].Key)
		if !m.keysOnly {
			kv.Value, memory = carve(memory, pairs[i].Value)
		}
		m.pairs = append(m.pairs, kv)
	}
}

// advance takes what was read off the rest, and ends the page or goes on to the
// next region. A full reply ends at its last key, any other at the region's bound.
func (m *ScanPage) advance(env *sm.Env, now ports.Instant, full bool, out *sm.Effects) {
	switch {
	case full:
		last := m.pairs[len(m.pairs)-1].Key
		if m.reverse {
			m.rest.End = last
		} else {
			m.rest.Start = key.Next(last)
		}
		m.more = !m.rest.Empty()
	case m.reverse:
		m.rest.End = m.clip.Start
		m.more = len(m.clip.Start) > 0 && !m.rest.Empty()
	default:
		m.rest.Start = m.clip.End
		m.more = len(m.clip.End) > 0 && !m.rest.Empty()
	}
	if m.more && len(m.pairs) == 0 {
		m.enter(env, now, out)
		return
	}
	m.answer(sm.Failure{}, out)
}

// stopAt leaves as the rest what begins with a key that is locked.
func (m *ScanPage) stopAt(locked []byte) {
	m.moved = true
	if m.reverse {
		m.rest.End = key.Next(locked)
		return
	}
	m.rest.Start = slices.Clone(locked)
}

// CloneInto implements [sm.Cloneable].
func (m *ScanPage) CloneInto(dst *ScanPage) {
	r := dst.reader
	m.reader.cloneInto(&r)
	*dst = *m
	dst.reader = r
	dst.pairs = clonePairs(m.pairs)
}

// Fingerprint implements [sm.Machine].
func (m *ScanPage) Fingerprint(h *sm.Hash) {
	m.reader.fingerprint(h)
	h.Range(m.rest)
	h.Range(m.clip)
	h.Bool(m.moved)
	h.Int(m.limit)
	h.Bool(m.reverse)
	h.Bool(m.keysOnly)
	hashPairs(h, m.pairs)
	h.Bool(m.more)
}

// String implements [sm.Machine].
func (m *ScanPage) String() string { return m.describe("read.ScanPage") }
