package smtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Runner plays events to a machine and keeps what the machine wanted, so that a
// script can answer it. Effects with a token are numbered #1, #2, … in the order
// in which they are emitted. Not safe for concurrent use.
type Runner struct {
	// Machine is stepped under Env at Now.
	Machine sm.Machine
	Env     sm.Env
	Now     ports.Instant
	// Effects are those of the last event.
	Effects []sm.Effect
	// Status, when set, is written under the effects of every event.
	Status func() string
	// Commands are a script's own commands: each returns the event to feed.
	Commands map[string]func(args []string) (ports.Event, error)

	out  sm.Effects
	sent []Sent
}

// Sent is an effect with a token, kept after its event.
type Sent struct {
	Tok ports.Tok
	At  ports.Instant
	// Kind says which events may answer it.
	Kind sm.EffectKind
}

// NewRunner returns a runner for m with default knobs and a fixed seed.
func NewRunner(m sm.Machine) *Runner {
	knobs := sm.DefaultKnobs()
	return &Runner{Machine: m, Env: sm.Env{
		Knobs: &knobs, Rand: sm.NewRand(1), Regions: Regions(nil), Stores: Stores(nil), Txns: Txns(nil),
	}}
}

// Feed steps the machine by one event at Now and returns the effects as text.
func (r *Runner) Feed(ev ports.Event) string {
	ev.Now = r.Now
	r.out.Reset()
	r.Machine.Step(&r.Env, &ev, &r.out)
	return r.Collect(&r.out)
}

// Collect numbers and writes down effects that something other than Feed caused.
func (r *Runner) Collect(out *sm.Effects) string {
	var b strings.Builder
	r.Effects = append(r.Effects[:0], out.List...)
	for i := range r.Effects {
		e := &r.Effects[i]
		label := ""
		switch e.Kind {
		case sm.EffectSend, sm.EffectTimestamp, sm.EffectArm, sm.EffectQuery, sm.EffectProbe, sm.EffectAsk:
			r.sent = append(r.sent, Sent{Tok: e.Tok, At: e.At, Kind: e.Kind})
			label = "#" + strconv.Itoa(len(r.sent))
		case sm.EffectLearn, sm.EffectTell, sm.EffectForget, sm.EffectAnswer:
		}
		b.WriteString(format(e, label))
		b.WriteByte('\n')
	}
	if r.Status != nil {
		b.WriteString(r.Status())
		b.WriteByte('\n')
	}
	return b.String()
}

// Sent returns the effect with the given number, counted from 1.
func (r *Runner) Sent(n int) (Sent, bool) {
	if n < 1 || n > len(r.sent) {
		return Sent{}, false
	}
	return r.sent[n-1], true
}

// Pending returns the number of effects with a token so far; the newest one has
// this number.
func (r *Runner) Pending() int { return len(r.sent) }

// Play runs a script, one command a line, and returns the transcript: each
// command, indented below it what the machine wanted.
//
//	start              EventStart
//	cancel             EventCancel
//	advance 5ms        time passes, nothing happens
//	timer #2           EventTimer at the armed instant, or now if that has passed
//	lost #1 hung       EventLost; unsent and refused likewise
//	told #1 [cause]    EventTell
//	probed #1 [cause]  EventProbed
//	timestamp #1 42    EventTimestamp
//
// Every other command comes from Commands; its first argument may be a number as
// above, whose token the event then carries. Lines that begin with # are comments.
func (r *Runner) Play(script string) string {
	var b strings.Builder
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		fmt.Fprintf(&b, "%s\n", line)
		text, err := r.play(line)
		if err != nil {
			text = "script error: " + err.Error()
		}
		for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if l != "" {
				fmt.Fprintf(&b, "  %s\n", l)
			}
		}
	}
	return b.String()
}

func (r *Runner) play(line string) (string, error) {
	fields := strings.Fields(line)
	name, args := fields[0], fields[1:]
	if name == "advance" {
		if len(args) != 1 {
			return "", fmt.Errorf("advance by how much?")
		}
		d, err := time.ParseDuration(args[0])
		r.Now = r.Now.Add(d)
		return "", err
	}
	var tok ports.Tok
	var at ports.Instant
	if len(args) > 0 && strings.HasPrefix(args[0], "#") {
		n, err := strconv.Atoi(args[0][1:])
		if err != nil {
			return "", err
		}
		sent, ok := r.Sent(n)
		if !ok {
			return "", fmt.Errorf("nothing has the number %d", n)
		}
		tok, at, args = sent.Tok, sent.At, args[1:]
	}
	ev, err := r.event(name, args)
	if err != nil {
		return "", err
	}
	if tok != (ports.Tok{}) {
		ev.Tok = tok
	}
	if ev.Kind == ports.EventTimer && at > r.Now {
		r.Now = at
	}
	return r.Feed(ev), nil
}

func (r *Runner) event(name string, args []string) (ports.Event, error) {
	kinds := map[string]ports.EventKind{
		"start": ports.EventStart, "cancel": ports.EventCancel, "timer": ports.EventTimer,
		"lost": ports.EventLost, "unsent": ports.EventUnsent, "refused": ports.EventRefused,
		"told": ports.EventTell, "probed": ports.EventProbed, "timestamp": ports.EventTimestamp,
	}
	kind, ok := kinds[name]
	if !ok {
		command, ok := r.Commands[name]
		if !ok {
			return ports.Event{}, fmt.Errorf("unknown command %q", name)
		}
		return command(args)
	}
	ev := ports.Event{Kind: kind}
	if len(args) == 0 {
		return ev, nil
	}
	if kind == ports.EventTimestamp {
		ts, err := strconv.ParseUint(args[0], 10, 64)
		ev.TS = ports.Timestamp(ts)
		return ev, err
	}
	var err error
	ev.Cause, err = parseCause(args[0])
	return ev, err
}
