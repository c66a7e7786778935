package txn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// visits counts transitions.
type visits map[string]int

func (v visits) Visit(machine, state string, kind ports.EventKind) {
	v[machine+" "+state+" "+string(rune('a'+kind))]++
}

func (v visits) seen(machine, state string, kind ports.EventKind) bool {
	return v[machine+" "+state+" "+string(rune('a'+kind))] > 0
}

// TestTransitions goes through all conversations. After each line it feeds every
// kind of event to every address, awaited or not, to a copy of the machine, and
// then lets everything else fail: whatever happens, the caller is answered exactly
// once, a commit that may have been submitted is not called aborted, and the machine
// comes to its end.
func TestTransitions(t *testing.T) {
	seen, known := visits{}, map[uint64]bool{}
	for _, script := range scripts(t) {
		p := newPlay(params(script.view))
		p.Env.Visitor = seen
		for _, line := range script.lines {
			p.Play(line)
			before := fingerprint(p.c)
			if known[before] {
				continue // conversations begin alike
			}
			known[before] = true
			everyEvent(t, p)
			require.Equal(t, before, fingerprint(p.c), "the copies shared memory")
		}
	}
	for kind := range ports.EventKinds {
		for _, state := range commitStates {
			require.True(t, seen.seen("txn.Commit", state, ports.EventKind(kind)), "%s, event %d", state, kind)
		}
		for machine, states := range map[string][]string{
			"txn.prewrite": {"working"}, "txn.primary": {"calling"}, "txn.sweep": {"leading", "working"},
			"txn.heartbeat": {"resting", "beating", "stopped"},
		} {
			for _, state := range states {
				if ports.EventKind(kind) == ports.EventCancel {
					continue // the root keeps it to itself
				}
				require.True(t, seen.seen(machine, state, ports.EventKind(kind)), "%s %s, event %d", machine, state, kind)
			}
		}
	}
}

// TestIdleAndDone: what has not begun or has ended does nothing.
func TestIdleAndDone(t *testing.T) {
	for _, m := range []sm.Machine{
		&prewrite{}, &primary{}, &sweep{}, &heartbeat{}, &prewrite{prewriting: prewriting{state: prewriteFinished}},
		&primary{deciding: deciding{state: primaryDecided}}, &sweep{sweeping: sweeping{state: sweepFinished}},
		&heartbeat{state: heartbeatStopped},
		&Commit{commit: commit{state: commitFinished}},
	} {
		r := newRunner(m)
		before, done := fingerprint(m), m.Done()
		for kind := range ports.EventKinds {
			require.Empty(t, r.Feed(ports.Event{Kind: ports.EventKind(kind), TS: 1}))
			require.Equal(t, before, fingerprint(m))
			require.Equal(t, done, m.Done())
		}
	}
}

func fingerprint(m sm.Machine) uint64 {
	h := sm.NewHash()
	h.Raw = true
	m.Fingerprint(h)
	return h.Sum()
}

type conversation struct {
	view  buffer.View
	lines []string
}

// scripts reads the conversations in testdata/commit.
func scripts(t *testing.T) []conversation {
	files, err := filepath.Glob("testdata/commit/*.txt")
	require.NoError(t, err)
	var list []conversation
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		var c conversation
		for _, block := range strings.Split(string(text), "\n\n") {
			input, _, _ := strings.Cut(block, "\n----")
			lines := strings.Split(strings.TrimSpace(input), "\n")
			for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
				lines = lines[1:]
			}
			switch {
			case len(lines) == 0:
			case strings.HasPrefix(lines[0], "txn"):
				c = conversation{view: view(t, lines[1:]...)}
			case lines[0] == "play":
				c.lines = lines[1:]
				list = append(list, c)
			}
		}
	}
	require.NotEmpty(t, list)
	return list
}

// fork is a copy of a commit with what it waits for.
type fork struct {
	c       Commit
	env     sm.Env
	now     ports.Instant
	waits   []smtest.Sent
	out     sm.Effects
	answers int
}

func newFork(p *play) *fork {
	f := &fork{env: p.Env, now: p.Now}
	f.env.Scratch = nil
	p.c.CloneInto(&f.c)
	for n := 1; n <= p.Pending(); n++ {
		sent, _ := p.Sent(n)
		f.waits = append(f.waits, sent)
	}
	return f
}

func (f *fork) feed(ev ports.Event) {
	ev.Now = f.now
	f.out.Reset()
	f.c.Step(&f.env, &ev, &f.out)
	for i := range f.out.List {
		switch e := &f.out.List[i]; e.Kind {
		case sm.EffectAnswer:
			f.answers++
		case sm.EffectSend, sm.EffectTimestamp, sm.EffectArm, sm.EffectQuery, sm.EffectProbe, sm.EffectAsk:
			f.waits = append(f.waits, smtest.Sent{Tok: e.Tok, At: e.At, Kind: e.Kind})
		case sm.EffectLearn, sm.EffectTell, sm.EffectForget:
		}
	}
}

// end lets everything that is awaited fail with a cause, as late as it can, until
// the machine is done.
func (f *fork) end(cause ports.CauseKind) bool {
	for n := 0; len(f.waits) > 0 && n < 1000; n++ {
		if f.c.Done() {
			return true
		}
		wait := f.waits[0]
		f.waits = f.waits[1:]
		ev := ports.Event{Tok: wait.Tok, Cause: ports.Cause{Kind: cause}}
		switch wait.Kind {
		case sm.EffectSend:
			ev.Kind = ports.EventLost
		case sm.EffectTimestamp:
			ev.Kind = ports.EventRefused
		case sm.EffectArm:
			ev.Kind = ports.EventTimer
		default:
			ev.Kind = ports.EventTell
		}
		f.now = max(f.now, wait.At)
		f.feed(ev)
	}
	return f.c.Done()
}

// addresses are those of every machine that there is, and some that there are not.
func addresses(p *play) []ports.Tok {
	toks := []ports.Tok{{}, {Gen: 1 << 30}}
	for n := 1; n <= p.Pending(); n++ {
		sent, _ := p.Sent(n)
		toks = append(toks, sent.Tok, ports.Tok{Addr: sent.Tok.Addr, Gen: sent.Tok.Gen + 1<<20})
	}
	for hop := uint8(1); hop <= hopHeartbeat+1; hop++ {
		root := ports.Addr(0).With(0, hop)
		toks = append(toks, ports.Tok{Addr: root, Gen: 1 << 30})
		for _, inner := range []uint8{1, 2, 3, 129, 130, 255} {
			toks = append(toks, ports.Tok{Addr: root.With(1, inner), Gen: 1 << 30})
			toks = append(toks, ports.Tok{Addr: root.With(1, inner).With(2, 3), Gen: 1 << 30})
		}
	}
	return toks
}

func everyEvent(t *testing.T, p *play) {
	t.Helper()
	started := p.c.state != commitIdle
	for _, tok := range addresses(p) {
		for kind := range ports.EventKinds {
			f := newFork(p)
			told := f.c.Outcome()
			ev := ports.Event{
				Kind: ports.EventKind(kind), Tok: tok, TS: ms(1500), Cause: ports.Cause{Kind: ports.CauseConnection},
			}
			f.feed(ev)
			if !started && f.c.state == commitIdle {
				continue
			}
			finish(t, p, f, ev, told)
		}
	}
}

// finish lets a copy fail to its end and checks what its caller was told.
func finish(t *testing.T, p *play, f *fork, ev ports.Event, told Outcome) {
	t.Helper()
	inDoubt := f.c.state == commitDeciding && f.c.primary.fate.kind == maybe
	cause := ports.CauseTimeout
	if ev.Kind == ports.EventCancel {
		cause = ports.CauseClosed
	}
	if !f.end(cause) {
		t.Fatalf("not done after event %d: %s", ev.Kind, f.c.String())
	}
	want := 1
	if p.c.Answered() {
		want = 0
		require.Equal(t, told, f.c.Outcome(), "an answer changed")
	}
	require.Equal(t, want, f.answers, "answers after event %d in %s", ev.Kind, p.c)
	if inDoubt && want == 1 {
		require.Equal(t, Unknown, f.c.Outcome().Kind, "after event %d in %s", ev.Kind, p.c)
	}
	require.LessOrEqual(t, f.now, began.Add(90*time.Second), "an end in sight")
}
