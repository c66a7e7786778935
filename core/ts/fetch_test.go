package ts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// fetchRoot lets a runner play a child machine: EventStart starts it.
type fetchRoot struct {
	ts.Fetch
	deadline ports.Instant
}

func (r *fetchRoot) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventStart {
		r.Start(env, ev.Now, r.deadline, out)
		return
	}
	r.Fetch.Step(env, ev, out)
}

func (r *fetchRoot) status() string {
	if !r.Done() {
		return r.String()
	}
	if f := r.Failure(); f.Failed() {
		return fmt.Sprintf("failed code=%d cause=%d attempts=%d %s", f.Code, f.Cause.Kind, f.History.Count, f.Text)
	}
	return fmt.Sprintf("got %d", r.TS())
}

func newFetch(deadline time.Duration) (*fetchRoot, *smtest.Runner) {
	root := &fetchRoot{deadline: ports.Instant(deadline)}
	r := smtest.NewRunner(root)
	r.Status = root.status
	return root, r
}

func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "fetch":
				var deadline string
				d.ScanArgs(t, "deadline", &deadline)
				limit, err := time.ParseDuration(deadline)
				require.NoError(t, err)
				_, r := newFetch(limit)
				return r.Play(d.Input)
			case "clock":
				return newClock().Play(d.Input)
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

// reach plays a script and returns the machine in the state that it leads to.
func reach(script string) (*fetchRoot, *smtest.Runner) {
	root, r := newFetch(time.Second)
	r.Play(script)
	return root, r
}

// Every event of every kind in every state; what is not listed leaves the state as
// it is and wants nothing.
func TestFetchTransitions(t *testing.T) {
	states := map[string]string{
		"idle":     "",
		"asked":    "start",
		"paused":   "start\nrefused #1 timeout",
		"finished": "start\ntimestamp #1 42",
	}
	moves := map[string]map[ports.EventKind]string{
		"asked":  {ports.EventTimestamp: "finished", ports.EventRefused: "paused", ports.EventCancel: "finished"},
		"paused": {ports.EventTimer: "asked", ports.EventCancel: "finished"},
	}
	for state, script := range states {
		for kind := range ports.EventKind(ports.EventKinds) {
			if kind == ports.EventStart {
				continue // the root's, not the child's
			}
			for _, mine := range []bool{true, false} {
				root, r := reach(script)
				require.Equal(t, "ts.Fetch "+state, root.String())
				ev := ports.Event{Kind: kind, TS: 42, Cause: ports.Cause{Kind: ports.CauseTimeout}}
				if sent, ok := r.Sent(r.Pending()); ok && mine {
					ev.Tok = sent.Tok
				}
				if !mine {
					ev.Tok.Gen = 99
				}
				want, moved := moves[state][kind]
				if !moved || !mine && kind != ports.EventCancel {
					want = state
				}
				r.Feed(ev)
				require.Equal(t, "ts.Fetch "+want, root.String(), "%s on %d, mine %v", state, kind, mine)
				if want == state {
					require.Empty(t, r.Effects, "%s on %d, mine %v", state, kind, mine)
				}
			}
		}
	}
}

func TestFetchCauses(t *testing.T) {
	lasting := map[ports.CauseKind]bool{ports.CauseClosed: true, ports.CauseRejected: true}
	for cause := ports.CauseNone; cause <= ports.CauseHung; cause++ {
		root, r := reach("start")
		sent, _ := r.Sent(1)
		r.Feed(ports.Event{Kind: ports.EventRefused, Tok: sent.Tok, Cause: ports.Cause{Kind: cause}})
		require.Equal(t, lasting[cause], root.Done(), "cause %d", cause)
		if root.Done() {
			require.Equal(t, sm.FailRejected, root.Failure().Code)
			require.Equal(t, cause, root.Failure().Cause.Kind)
		}
	}
}

// Who stops waiting is told what was tried.
func TestFetchCancelled(t *testing.T) {
	root, r := reach("start\nrefused #1 connection\ncancel")
	require.Empty(t, r.Effects)
	require.Equal(t, sm.FailCancelled, root.Failure().Code)
	require.Equal(t, ports.CauseConnection, root.Failure().Cause.Kind)
	require.Equal(t, 1, root.Failure().History.Count)
}

func TestFetchRefusesNonsense(t *testing.T) {
	for _, nonsense := range []ports.Timestamp{0, ports.MaxTimestamp, ports.MaxTimestamp - 1, 1 << 63} {
		root, r := reach("start")
		sent, _ := r.Sent(1)
		r.Feed(ports.Event{Kind: ports.EventTimestamp, Tok: sent.Tok, TS: nonsense})
		require.Equal(t, sm.FailProtocol, root.Failure().Code, "%d", nonsense)
		require.Zero(t, root.TS())
		require.Empty(t, r.Effects, "nonsense is no fact")
	}
}

func TestFetchContract(t *testing.T) {
	for _, script := range []string{"start\nrefused #1 timeout", "start\ntimestamp #1 42", "start\nrefused #1 rejected"} {
		root, _ := reach(script)
		smtest.Contract(t, &root.Fetch)
	}
}
