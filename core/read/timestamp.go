package read

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// Timestamp obtains one timestamp from the oracle. Machines that need one on their
// way have a [ts.Fetch] as a child instead.
//
//	idle ──Start──▶ fetching ──fetched, failure, cancel──▶ finished
type Timestamp struct {
	deadline ports.Instant
	state    timestampState
	fetch    ts.Fetch
	failure  sm.Failure
}

type timestampState uint8

const (
	timestampIdle timestampState = iota
	timestampFetching
	timestampFinished
)

var timestampStates = [...]string{"idle", "fetching", "finished"}

// Init prepares a question to the oracle.
func (m *Timestamp) Init(deadline ports.Instant) {
	*m = Timestamp{} // in place, without a copy
	m.deadline = deadline
}

// TS returns the timestamp; 0 after a failure.
func (m *Timestamp) TS() ports.Timestamp { return m.fetch.TS() }

// Failure returns why it failed; the zero failure if it did not.
func (m *Timestamp) Failure() *sm.Failure { return &m.failure }

// Done implements [sm.Machine].
func (m *Timestamp) Done() bool { return m.state == timestampFinished }

// Step implements [sm.Machine].
func (m *Timestamp) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("read.Timestamp", timestampStates[m.state], ev.Kind)
	switch m.state {
	case timestampIdle:
		if ev.Kind == ports.EventStart {
			m.state = timestampFetching
			env.Enter(hopCall)
			m.fetch.Start(env, ev.Now, m.deadline, out)
			env.Leave()
			m.follow(out)
		}
	case timestampFetching:
		m.onFetching(env, ev, out)
	case timestampFinished:
	}
}

func (m *Timestamp) onFetching(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind != ports.EventCancel && env.Hop(ev) != hopCall {
		return
	}
	env.Enter(hopCall)
	m.fetch.Step(env, ev, out)
	env.Leave()
	m.follow(out)
}

func (m *Timestamp) follow(out *sm.Effects) {
	if m.fetch.Done() {
		m.finish(*m.fetch.Failure(), out)
	}
}

func (m *Timestamp) finish(f sm.Failure, out *sm.Effects) {
	m.state, m.failure = timestampFinished, f
	out.Answer()
}

// CloneInto implements [sm.Cloneable].
func (m *Timestamp) CloneInto(dst *Timestamp) {
	fetch := dst.fetch
	m.fetch.CloneInto(&fetch)
	*dst = *m
	dst.fetch = fetch
}

// Fingerprint implements [sm.Machine].
func (m *Timestamp) Fingerprint(h *sm.Hash) {
	h.Instant(m.deadline)
	h.Uint(uint64(m.state))
	m.fetch.Fingerprint(h)
	m.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (m *Timestamp) String() string {
	return "read.Timestamp " + timestampStates[m.state] + ": " + m.fetch.String()
}
