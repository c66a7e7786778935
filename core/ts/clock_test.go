package ts_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

func newClock() *smtest.Runner {
	clock := &ts.Clock{}
	r := smtest.NewRunner(clock)
	r.Status = func() string {
		changed := clock.Changed()
		v := clock.View()
		return fmt.Sprintf("%s: %d at %s changed=%v", clock, v.TS, time.Duration(v.At), changed)
	}
	r.Commands = map[string]func([]string) (ports.Event, error){
		"learn": func(args []string) (ports.Event, error) {
			n, err := strconv.ParseUint(args[0], 10, 64)
			fact := &ports.Fact{Kind: ports.FactTimestamp, CommitTS: ports.Timestamp(n)}
			return ports.Event{Kind: ports.EventLearn, Fact: fact}, err
		},
	}
	return r
}

func TestClockTransitions(t *testing.T) {
	states := map[string]string{"idle": "", "asked": "start", "asleep": "start\ntimestamp #1 42"}
	moves := map[string]map[ports.EventKind]string{
		"idle":   {ports.EventStart: "asked"},
		"asked":  {ports.EventTimestamp: "asleep", ports.EventRefused: "asleep"},
		"asleep": {ports.EventTimer: "asked"},
	}
	for state, script := range states {
		for kind := range ports.EventKind(ports.EventKinds) {
			for _, mine := range []bool{true, false} {
				r := newClock()
				r.Play(script)
				require.Equal(t, "ts.Clock "+state, r.Machine.String())
				ev := ports.Event{Kind: kind, TS: 42, Fact: &ports.Fact{Kind: ports.FactTxn, CommitTS: 77}}
				sent, ok := r.Sent(r.Pending())
				if ok && mine {
					ev.Tok = sent.Tok
				}
				want, moved := moves[state][kind]
				if !moved || !mine && kind != ports.EventStart {
					want = state
				}
				if kind == ports.EventTimer && mine && state == "asleep" {
					r.Now = sent.At
				}
				r.Feed(ev)
				require.Equal(t, "ts.Clock "+want, r.Machine.String(), "%s on %d, mine %v", state, kind, mine)
				if want == state {
					require.Empty(t, r.Effects)
				}
				require.NotEqual(t, ports.Timestamp(77), r.Machine.(*ts.Clock).View().TS, "that was no timestamp fact")
				require.False(t, r.Machine.Done())
			}
		}
	}
}

// What the clock shows never goes back, whatever order timestamps arrive in.
func TestClockIsMonotone(t *testing.T) {
	r := newClock()
	var last sm.Clock
	for i, n := range []ports.Timestamp{5, 9, 7, 9, 3, 12} {
		r.Now = ports.Instant(i + 1)
		r.Feed(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactTimestamp, CommitTS: n}})
		v := r.Machine.(*ts.Clock).View()
		require.GreaterOrEqual(t, v.TS, last.TS)
		require.Equal(t, v.TS == last.TS, v.At == last.At, "an older timestamp makes the newest one no younger")
		last = v
	}
	require.Equal(t, sm.Clock{TS: 12, At: 6}, last)
}

func TestClockContract(t *testing.T) {
	r := newClock()
	r.Play("start\ntimestamp #1 42\nlearn 50")
	smtest.Contract(t, r.Machine.(*ts.Clock))
}

func TestClockLearnsNothingFromNoFact(t *testing.T) {
	r := newClock()
	r.Feed(ports.Event{Kind: ports.EventLearn})
	require.False(t, r.Machine.(*ts.Clock).Changed())
}
