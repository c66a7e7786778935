package ts

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Clock is the hosted machine that keeps the client's low-resolution timestamp:
// the greatest one that any operation was given. It asks the oracle itself when
// that is older than [sm.Knobs].ClockInterval. The zero value is ready. Not safe
// for concurrent use; its views are values.
//
//	idle ──Start──▶ asked ──Timestamp, Refused──▶ asleep
//	                  ▲                             │
//	                  └──────── Timer ──────────────┘ (asleep again while the timestamp is young)
type Clock struct {
	state   clockState
	gen     uint32
	view    sm.Clock
	changed bool
}

type clockState uint8

const (
	clockIdle clockState = iota
	clockAsked
	clockAsleep
)

var clockStates = [...]string{"idle", "asked", "asleep"}

// View returns the newest timestamp and the instant of its arrival.
func (c *Clock) View() sm.Clock {
	c.changed = false
	return c.view
}

// Changed reports whether the clock differs from what View returned last.
func (c *Clock) Changed() bool { return c.changed }

// Done implements [sm.Machine]: the clock never ends.
func (c *Clock) Done() bool { return false }

// Step moves the clock by one event: EventStart begins its ticking, EventLearn
// brings timestamps that operations were given.
func (c *Clock) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("ts.Clock", clockStates[c.state], ev.Kind)
	if ev.Kind == ports.EventLearn {
		if ev.Fact != nil && ev.Fact.Kind == ports.FactTimestamp {
			c.learn(ev.Fact.CommitTS, ev.Now)
		}
		return
	}
	switch c.state {
	case clockIdle:
		if ev.Kind == ports.EventStart {
			c.tick(env, ev.Now, out)
		}
	case clockAsked:
		c.onAsked(env, ev, out)
	case clockAsleep:
		if ev.Kind == ports.EventTimer && ev.Tok.Gen == c.gen {
			c.tick(env, ev.Now, out)
		}
	}
}

// tick asks the oracle, or sleeps on while operations keep the timestamp young.
func (c *Clock) tick(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if due := c.view.At.Add(env.Knobs.ClockInterval); c.view.TS != 0 && now < due {
		c.sleep(env, due, out)
		return
	}
	c.state = clockAsked
	tok := env.Token()
	c.gen = tok.Gen
	out.Timestamp(tok, now.Add(env.Knobs.PDTimeout))
}

func (c *Clock) onAsked(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Tok.Gen != c.gen {
		return
	}
	switch {
	case ev.Kind == ports.EventTimestamp:
		c.learn(ev.TS, ev.Now)
	case ev.Kind != ports.EventRefused:
		return
	}
	c.sleep(env, ev.Now.Add(env.Knobs.ClockInterval), out)
}

func (c *Clock) sleep(env *sm.Env, until ports.Instant, out *sm.Effects) {
	c.state = clockAsleep
	tok := env.Token()
	c.gen = tok.Gen
	out.Arm(tok, until, "")
}

// learn keeps the greatest timestamp. An older one that arrives later proves
// nothing about the present and does not make the newer one younger.
func (c *Clock) learn(ts ports.Timestamp, now ports.Instant) {
	if ts > c.view.TS {
		c.view = sm.Clock{TS: ts, At: now}
		c.changed = true
	}
}

// CloneInto implements [sm.Cloneable].
func (c *Clock) CloneInto(dst *Clock) { *dst = *c }

// Fingerprint implements [sm.Machine].
func (c *Clock) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(c.state))
	h.Gen(c.gen)
	h.TS(c.view.TS)
	h.Instant(c.view.At)
	h.Bool(c.changed)
}

// String implements [sm.Machine].
func (c *Clock) String() string { return "ts.Clock " + clockStates[c.state] }
