package read

import (
	"slices"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Get reads one key at a timestamp; ports.MaxTimestamp reads its newest version.
//
//	idle ──Start──▶ reading ──lock──▶ resolving
//	                  │  ▲               │  │
//	                  │  └───resolved────┘  │ unresolvable, cancel
//	  value, failure  ▼                     │
//	               cleaning ◀───────────────┘
//	                  │ no lock left to remove
//	                  ▼
//	               finished
//
// The caller is released on the way to cleaning.
type Get struct {
	reader
	request ports.GetRequest `fp:"shared"`
	// first is the transaction whose lock a read of the newest version met first,
	// passed are those of which it knows that they came after the read had begun.
	first  ports.Timestamp
	passed []ports.Timestamp
	value  []byte
	found  bool
}

// Init prepares a read of key, which is borrowed until the answer.
func (m *Get) Init(key []byte, ts ports.Timestamp, opt Options, deadline ports.Instant) {
	*m = Get{} // in place, without a copy
	m.ts, m.options, m.deadline = ts, opt, deadline
	m.request.Key, m.request.TS = key, ts
}

// Value returns the value, false when the key is absent. The caller owns it.
func (m *Get) Value() ([]byte, bool) { return m.value, m.found }

// Failure returns why it failed; the zero failure if it did not.
func (m *Get) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *Get) Done() bool { return m.state == readerFinished }

// Step implements [sm.Machine].
func (m *Get) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("read.Get", readerStates[m.state], ev.Kind)
	m.run(m, env, ev, out)
}

func (m *Get) start(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if !m.ts.Readable() {
		m.answer(sm.Failure{Code: sm.FailMisuse, Text: "no read timestamp"}, out)
		return
	}
	m.route(env, now, route.ByKey, m.request.Key, env.Knobs.RequestTimeout, out)
}

func (m *Get) ask(env *sm.Env, now ports.Instant, out *sm.Effects) {
	hdr := m.call.Header()
	m.options.label(hdr, &m.locks)
	if len(m.passed) > 0 {
		hdr.ResolvedLocks = slices.Concat(hdr.ResolvedLocks, m.passed)
	}
	m.send(env, now, &m.request, out)
}

func (m *Get) onAnswer(env *sm.Env, now ports.Instant, reply ports.Reply, out *sm.Effects) {
	if reply, ok := reply.(*ports.GetReply); ok {
		m.onReply(env, now, reply, out)
		return
	}
	m.answer(malformed("a get was answered with another verb"), out)
}

func (m *Get) onReply(env *sm.Env, now ports.Instant, reply *ports.GetReply, out *sm.Effects) {
	switch {
	case reply.Err != nil && reply.Err.Kind == ports.KeyLocked:
		m.onLocked(env, now, &reply.Err.Lock, out)
		return
	case reply.Err != nil:
		m.answer(refused(reply.Err), out)
		return
	case !reply.NotFound && len(reply.Value) > 0:
		// An empty value is an absent key: transactions keep none, and a store may
		// say no more (client-go: KVSnapshot.get; unistore never sets not_found).
		m.found = true
		m.value = append(make([]byte, 0, len(reply.Value)), reply.Value...)
	}
	m.answer(sm.Failure{}, out)
}

// onLocked resolves a lock. A read of the newest version waits for one transaction
// only: a lock of another was written after the read began, so that the read may
// come before it (client-go: KVSnapshot.get).
func (m *Get) onLocked(env *sm.Env, now ports.Instant, l *ports.Lock, out *sm.Effects) {
	switch {
	case m.first == 0 && len(l.Shared) == 0:
		m.first = l.StartTS
	case m.ts == ports.MaxTimestamp && m.first != l.StartTS && len(l.Shared) == 0:
		env.Enter(hopCall)
		if slices.Contains(m.passed, l.StartTS) {
			// The store did not listen, and is given time.
			m.call.Pause(env, now, backoff.TxnLockFast, 0, out)
		} else {
			m.passed = append(m.passed, l.StartTS)
			m.call.Again(env, now, out)
		}
		env.Leave()
		return
	}
	m.resolve(env, now, []ports.Lock{*l}, true, out)
}

// CloneInto implements [sm.Cloneable].
func (m *Get) CloneInto(dst *Get) {
	r := dst.reader
	m.reader.cloneInto(&r)
	*dst = *m
	dst.reader = r
	dst.passed = slices.Clone(m.passed)
	dst.value = slices.Clone(m.value)
}

// Fingerprint implements [sm.Machine].
func (m *Get) Fingerprint(h *sm.Hash) {
	m.reader.fingerprint(h)
	h.Bytes(m.request.Key)
	h.TS(m.request.TS)
	h.TS(m.first)
	h.Timestamps(m.passed)
	h.Bytes(m.value)
	h.Bool(m.found)
}

// String implements [sm.Machine].
func (m *Get) String() string { return m.describe("read.Get") }
