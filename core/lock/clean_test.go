package lock

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// cleaner is the smallest machine that owns a clean.
type cleaner struct {
	clean
	p    plan
	keys [][]byte
}

func (c *cleaner) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventStart {
		c.Start(env, ev.Now, c.p, c.keys, out)
		return
	}
	c.clean.Step(env, ev, out)
}

func newCleaner(p plan, keys ...string) (*cleaner, *smtest.Runner) {
	p.startTS, p.deadline = ms(10), ports.Instant(10*time.Second)
	c := &cleaner{p: p}
	for _, k := range keys {
		c.keys = append(c.keys, []byte(k))
	}
	return c, newRunner(c)
}

// Without keys a request means the whole region: only a plan by region may send it.
func TestNoKeysOnlyByRegion(t *testing.T) {
	for _, p := range []plan{{}, {pessimistic: true}, {commitTS: ms(20)}, {pessimistic: true, byRegion: true}} {
		c, r := newCleaner(p)
		r.Play("start")
		require.True(t, c.Done(), "nothing to remove, nothing sent")
		require.Empty(t, r.Effects)

		_, r = newCleaner(p, "a", "b", "z")
		r.Play("start")
		switch req := r.Effects[0].Request.(type) {
		case *ports.ResolveLockRequest:
			require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, req.Keys)
		case *ports.PessimisticRollbackRequest:
			require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, req.Keys, "never more than was judged")
		}
	}
	_, r := newCleaner(plan{byRegion: true}, "a", "b", "z")
	r.Play("start")
	require.Nil(t, r.Effects[0].Request.(*ports.ResolveLockRequest).Keys)
}

func TestForUpdateTS(t *testing.T) {
	for ask, want := range map[ports.Timestamp]ports.Timestamp{ms(12): ms(12), 0: math.MaxUint64} {
		_, r := newCleaner(plan{pessimistic: true, forUpdateTS: ask}, "a")
		r.Play("start")
		require.Equal(t, want, r.Effects[0].Request.(*ports.PessimisticRollbackRequest).ForUpdateTS)
	}
}

// Only the reply that belongs to the request, and no error in it, removes anything.
func TestCleanReplies(t *testing.T) {
	e := ports.KeyError{Kind: ports.KeyAbort}
	for _, tt := range []struct {
		pessimistic bool
		reply       ports.Reply
		code        sm.FailureCode
	}{
		{false, &ports.ResolveLockReply{}, sm.FailNone},
		{false, &ports.ResolveLockReply{Err: &e}, sm.FailRejected},
		{false, &ports.PessimisticRollbackReply{}, sm.FailProtocol},
		{false, &ports.GetReply{}, sm.FailProtocol},
		{true, &ports.PessimisticRollbackReply{}, sm.FailNone},
		{true, &ports.PessimisticRollbackReply{Errors: []ports.KeyError{e}}, sm.FailRejected},
		{true, &ports.ResolveLockReply{}, sm.FailProtocol},
	} {
		c, r := newCleaner(plan{pessimistic: tt.pessimistic}, "a")
		r.Play("start")
		answer(r, tt.reply)
		require.True(t, c.Done())
		require.Equal(t, tt.code, c.failure.Code, "%+v", tt)
	}
}

func TestCleanTransitions(t *testing.T) {
	situations := map[string]struct {
		script, state string
		moves         map[ports.EventKind]string
	}{
		"idle": {"", "idle", nil},
		"sent": {"start", "removing", map[ports.EventKind]string{
			ports.EventReply: "removing", ports.EventLost: "removing", ports.EventUnsent: "removing",
			ports.EventCancel: "finished",
		}},
		"last region": {"start\nremoved #1", "removing", map[ports.EventKind]string{
			ports.EventReply: "finished", ports.EventLost: "removing", ports.EventUnsent: "removing",
			ports.EventCancel: "finished",
		}},
		"finished": {"start\nremoved #1\nremoved #2", "finished", nil},
	}
	for name, s := range situations {
		for kind := range ports.EventKind(ports.EventKinds) {
			if kind == ports.EventStart {
				continue // the parent's
			}
			for _, mine := range []bool{true, false} {
				c, r := newCleaner(plan{}, "a", "z")
				r.Commands = map[string]func([]string) (ports.Event, error){"removed": removed}
				r.Play(s.script)
				require.Equal(t, s.state, cleanStates[c.state])
				ev := ports.Event{Kind: kind, TS: 42, Reply: &ports.ResolveLockReply{}}
				if sent, ok := r.Sent(r.Pending()); ok {
					ev.Tok = sent.Tok
				}
				if !mine {
					ev.Tok.Gen = 99
				}
				want, moved := s.moves[kind]
				if !moved || !mine && kind != ports.EventCancel {
					want = s.state
				}
				r.Feed(ev)
				require.Equal(t, want, cleanStates[c.state], "%s on %d, mine %v", name, kind, mine)
				if !moved || !mine {
					require.Empty(t, r.Effects, "%s on %d, mine %v", name, kind, mine)
				}
				require.Equal(t, want == "finished", c.Done())
			}
		}
	}
}

func TestCleanContract(t *testing.T) {
	c, r := newCleaner(plan{commitTS: ms(20), forUpdateTS: ms(12), source: "s"}, "a", "b", "z")
	r.Play("start")
	smtest.Contract(t, &c.clean)
	answer(r, &ports.ResolveLockReply{Err: &ports.KeyError{Kind: ports.KeyAbort}})
	smtest.Contract(t, &c.clean)
	require.Equal(t, "lock.clean finished: route.Call finished, region 1:1.1, attempt 1 at store 1", c.String())
}
