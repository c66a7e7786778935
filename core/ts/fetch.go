package ts

import (
	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Fetch is a child machine that obtains one timestamp from the oracle and asks
// again, by the curve of PD's pauses, until the deadline. Every timestamp is
// learnt by the shared clock. Not safe for concurrent use.
//
//	idle ──Start──▶ asked ──Timestamp──▶ finished
//	                │  ▲  └─refused for good, deadline, or cancel──▶ finished
//	        Refused ▼  │ Timer
//	                paused
type Fetch struct {
	state    fetchState
	deadline ports.Instant
	// gen is the wait in progress.
	gen     uint32
	pauses  backoff.Backoff
	history sm.History
	// cause is that of the last refusal.
	cause   ports.Cause
	ts      ports.Timestamp
	failure sm.Failure
	fact    ports.Fact `fp:"-"`
}

type fetchState uint8

const (
	fetchIdle fetchState = iota
	fetchAsked
	fetchPaused
	fetchFinished
)

var fetchStates = [...]string{"idle", "asked", "paused", "finished"}

// Start asks the oracle. Afterwards the machine may be Done at once, when the
// deadline has passed.
func (f *Fetch) Start(env *sm.Env, now, deadline ports.Instant, out *sm.Effects) {
	*f = Fetch{} // in place, without a copy
	f.deadline = deadline
	f.ask(env, now, out)
}

// Done reports that there is a timestamp, or that Failure says why not.
func (f *Fetch) Done() bool { return f.state == fetchFinished }

// TS returns the timestamp; 0 after a failure.
func (f *Fetch) TS() ports.Timestamp { return f.ts }

// Failure returns why there is no timestamp; the zero failure if there is one.
func (f *Fetch) Failure() *sm.Failure { return &f.failure }

// Step moves the machine by one event. A parent hands on the events with the
// machine's hop, and a cancel, after which the failure tells what was tried.
func (f *Fetch) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("ts.Fetch", fetchStates[f.state], ev.Kind)
	switch {
	case ev.Kind == ports.EventCancel && f.gen != 0:
		f.fail(sm.FailCancelled, f.cause)
		return
	case ev.Tok.Gen != f.gen:
		return
	}
	switch f.state {
	case fetchAsked:
		f.onAsked(env, ev, out)
	case fetchPaused:
		if ev.Kind == ports.EventTimer {
			f.ask(env, ev.Now, out)
		}
	case fetchIdle, fetchFinished:
	}
}

// ask puts the question, unless the deadline has passed.
func (f *Fetch) ask(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if now >= f.deadline {
		f.fail(sm.FailDeadline, ports.Cause{Kind: ports.CauseTimeout})
		return
	}
	f.state = fetchAsked
	tok := env.Token()
	f.gen = tok.Gen
	out.Timestamp(tok, min(f.deadline, now.Add(env.Knobs.PDTimeout)))
}

func (f *Fetch) onAsked(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventTimestamp {
		f.onTimestamp(ev.TS, out)
		return
	}
	if ev.Kind != ports.EventRefused {
		return
	}
	f.history.Add(sm.Attempt{Cause: ev.Cause.Kind})
	f.cause = ev.Cause
	switch ev.Cause.Kind {
	case ports.CauseClosed, ports.CauseRejected:
		f.fail(sm.FailRejected, ev.Cause)
		return
	case ports.CauseNone, ports.CauseTimeout, ports.CauseConnection, ports.CauseMalformed, ports.CauseNotFound,
		ports.CauseHung:
	}
	if ev.Now >= f.deadline {
		f.fail(sm.FailDeadline, ev.Cause)
		return
	}
	f.state = fetchPaused
	tok := env.Token()
	f.gen = tok.Gen
	pause := f.pauses.Next(backoff.PDRPC, &env.Rand, 0)
	out.Arm(tok, backoff.Until(ev.Now, pause, f.deadline), backoff.PDRPC.String())
}

func (f *Fetch) onTimestamp(ts ports.Timestamp, out *sm.Effects) {
	if !ts.Readable() || ts == ports.MaxTimestamp {
		f.fail(sm.FailProtocol, ports.Cause{})
		f.failure.Text = "PD allocated a timestamp that cannot be one"
		return
	}
	f.ts = ts
	f.state, f.gen = fetchFinished, 0
	f.fact = ports.Fact{Kind: ports.FactTimestamp, CommitTS: ts}
	out.Learn(&f.fact)
}

func (f *Fetch) fail(code sm.FailureCode, cause ports.Cause) {
	f.state, f.gen = fetchFinished, 0
	f.failure = sm.Failure{Code: code, Cause: cause, History: f.history}
}

// CloneInto implements [sm.Cloneable].
func (f *Fetch) CloneInto(dst *Fetch) { *dst = *f }

// Fingerprint implements [sm.Machine].
func (f *Fetch) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(f.state))
	h.Instant(f.deadline)
	h.Gen(f.gen)
	f.pauses.Fingerprint(h)
	f.history.Fingerprint(h)
	h.Cause(f.cause)
	h.TS(f.ts)
	f.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (f *Fetch) String() string { return "ts.Fetch " + fetchStates[f.state] }
