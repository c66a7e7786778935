package lock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// asker is the smallest machine that owns a check.
type asker struct {
	check
	q question
}

func (a *asker) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventStart {
		a.Start(env, ev.Now, a.q, out)
		return
	}
	a.check.Step(env, ev, out)
}

// newAsker asks at T50 (or later) about the transaction that began at T10, whose
// lock lives for 3 s.
func newAsker(q func(*question)) (*asker, *smtest.Runner) {
	a := &asker{q: question{
		startTS: ms(10), primary: []byte("p"), ttl: 3000, callerTS: ms(100), currentTS: ms(50), source: "s",
		deadline: ports.Instant(10 * time.Second),
	}}
	if q != nil {
		q(&a.q)
	}
	r := newRunner(a)
	r.Play("start")
	return a, r
}

func answer(r *smtest.Runner, reply ports.Reply) {
	sent, _ := r.Sent(r.Pending())
	r.Feed(ports.Event{Kind: ports.EventReply, Tok: sent.Tok, Reply: reply})
}

func expired(q *question)     { q.currentTS = ms(3011) }
func pessimistic(q *question) { q.pessimistic = true }

// Every action, for prewrite and for pessimistic locks, with and without a lock.
func TestEveryActionHasAMeaning(t *testing.T) {
	nonsense := verdict{}
	for action, want := range map[ports.TxnAction]struct{ prewrite, pessimistic verdictKind }{
		ports.ActionNone:                         {rolledBack, rolledBack},
		ports.ActionTTLExpireRollback:            {rolledBack, rolledBack},
		ports.ActionLockNotExistRollback:         {rolledBack, rolledBack},
		ports.ActionMinCommitTSPushed:            {unknown, unknown},
		ports.ActionTTLExpirePessimisticRollback: {unknown, ownerless},
		ports.ActionLockNotExistDoNothing:        {unknown, ownerless},
		ports.ActionLockNotExistDoNothing + 1:    {unknown, unknown},
	} {
		for _, kind := range []bool{false, true} {
			a, r := newAsker(func(q *question) { q.pessimistic = kind })
			answer(r, &ports.CheckTxnStatusReply{Action: action})
			expect := want.prewrite
			if kind {
				expect = want.pessimistic
			}
			require.True(t, a.Done())
			require.Equal(t, expect, a.verdict.kind, "action %d, pessimistic %v", action, kind)
			if expect == unknown {
				require.Equal(t, sm.FailProtocol, a.failure.Code)
				require.Equal(t, nonsense, a.verdict)
			}

			a, r = newAsker(func(q *question) { q.pessimistic = kind })
			answer(r, &ports.CheckTxnStatusReply{Action: action, CommitTS: ms(20)})
			require.Equal(t, verdict{kind: committed, commitTS: ms(20)}, a.verdict, "whatever the action, %d", action)

			a, r = newAsker(func(q *question) { q.pessimistic = kind })
			answer(r, &ports.CheckTxnStatusReply{Action: action, TTL: 3000, Lock: &ports.Lock{}})
			expect = alive
			if action == ports.ActionMinCommitTSPushed {
				expect = pushed
			}
			require.Equal(t, verdict{kind: expect, left: 2961 * time.Millisecond}, a.verdict, "action %d", action)
		}
	}
}

// A living primary may report a life of 0; what makes it alive is its lock.
func TestALockMakesAlive(t *testing.T) {
	a, r := newAsker(nil)
	answer(r, &ports.CheckTxnStatusReply{Lock: &ports.Lock{}})
	require.Equal(t, verdict{kind: alive, left: time.Millisecond}, a.verdict)
	a, r = newAsker(nil)
	answer(r, &ports.CheckTxnStatusReply{TTL: 3000})
	require.Equal(t, verdict{kind: alive, left: 2961 * time.Millisecond}, a.verdict)
}

func TestEveryKeyErrorEndsTheQuestion(t *testing.T) {
	for kind := ports.KeyErrorNone; kind <= ports.KeyTxnLockNotFound+1; kind++ {
		for _, q := range []func(*question){nil, pessimistic} {
			a, r := newAsker(q)
			answer(r, &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: kind}, CommitTS: ms(20)})
			switch {
			case kind == ports.KeyTxnNotFound && q == nil:
				require.False(t, a.Done())
			case kind == ports.KeyTxnNotFound:
				require.Equal(t, alive, a.verdict.kind)
			case kind == ports.KeyPrimaryMismatch && q != nil:
				require.Equal(t, ownerless, a.verdict.kind)
			default:
				require.True(t, a.Done())
				require.Equal(t, sm.FailRejected, a.failure.Code, "error %d", kind)
				require.Equal(t, kind, a.failure.KeyError.Kind)
				require.Equal(t, unknown, a.verdict.kind, "with an error the rest of the answer is without meaning")
			}
		}
	}
}

func TestNonsenseIsNoStatus(t *testing.T) {
	for name, reply := range map[string]ports.Reply{
		"another reply":              &ports.GetReply{},
		"committed before its start": &ports.CheckTxnStatusReply{CommitTS: ms(9)},
		"committed at its start":     &ports.CheckTxnStatusReply{CommitTS: ms(10)},
		"committed and alive":        &ports.CheckTxnStatusReply{CommitTS: ms(20), TTL: 1},
		"committed and locked":       &ports.CheckTxnStatusReply{CommitTS: ms(20), Lock: &ports.Lock{}},
	} {
		a, r := newAsker(nil)
		answer(r, reply)
		require.Equal(t, sm.FailProtocol, a.failure.Code, name)
		require.Equal(t, verdict{}, a.verdict, name)
	}
}

// A transaction that TiKV was told to roll back cannot be absent: no second order.
func TestAbsentAfterTheOrderToRollBack(t *testing.T) {
	a, r := newAsker(expired)
	answer(r, &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: ports.KeyTxnNotFound}})
	require.False(t, a.Done())
	require.True(t, r.Effects[0].Request.(*ports.CheckTxnStatusRequest).RollbackIfNotExist)
	answer(r, &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: ports.KeyTxnNotFound}})
	require.Equal(t, sm.FailProtocol, a.failure.Code)
}

// Nobody is rolled back at first contact, however old the lock is.
func TestFirstContactNeverRollsBack(t *testing.T) {
	_, r := newAsker(func(q *question) { q.currentTS = ms(1e9) })
	require.Equal(t, &ports.CheckTxnStatusRequest{
		Primary: []byte("p"), LockTS: ms(10), CallerStartTS: ms(100), CurrentTS: ms(1e9), VerifyIsPrimary: true,
	}, r.Effects[0].Request)
	require.Equal(t, "s", r.Effects[0].Header.RequestSource)
}

// Where TiKV reports no life, the longest that a lock is given without heartbeats
// has to pass.
func TestLifeThatIsNotToldIsLong(t *testing.T) {
	absent := &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: ports.KeyTxnNotFound}}
	for now, order := range map[int64]bool{20_010: false, 20_011: true} {
		_, r := newAsker(func(q *question) { q.ttl, q.currentTS = 0, ms(now) })
		answer(r, absent)
		require.Equal(t, order, r.Effects[0].Kind == sm.EffectSend, "at T%d", now)
	}
}

// A question stops at its deadline, also in a pause.
func TestQuestionsEndAtTheDeadline(t *testing.T) {
	a, r := newAsker(func(q *question) { q.deadline = ports.Instant(time.Millisecond) })
	answer(r, &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: ports.KeyTxnNotFound}})
	sent, _ := r.Sent(2)
	require.Equal(t, ports.Instant(time.Millisecond), sent.At)
	r.Play("timer #2")
	require.Equal(t, sm.FailDeadline, a.failure.Code)
}

func TestCheckTransitions(t *testing.T) {
	situations := map[string]struct {
		script, state string
		moves         map[ports.EventKind]string
	}{
		"idle": {"", "idle", nil},
		"sent": {"start", "asking", map[ports.EventKind]string{
			ports.EventReply: "finished", ports.EventLost: "asking", ports.EventUnsent: "asking",
			ports.EventCancel: "finished",
		}},
		"paused": {"start\nstatus #1 absent", "asking", map[ports.EventKind]string{
			ports.EventTimer: "asking", ports.EventCancel: "finished",
		}},
		"finished": {"start\nstatus #1 committed T20", "finished", nil},
	}
	for name, s := range situations {
		for kind := range ports.EventKind(ports.EventKinds) {
			if kind == ports.EventStart {
				continue // the parent's
			}
			for _, mine := range []bool{true, false} {
				a := &asker{q: question{
					startTS: ms(10), primary: []byte("p"), ttl: 3000, currentTS: ms(50),
					deadline: ports.Instant(time.Second),
				}}
				r := newRunner(a)
				r.Commands = map[string]func([]string) (ports.Event, error){"status": parseStatus}
				r.Play(s.script)
				require.Equal(t, s.state, checkStates[a.state])
				ev := ports.Event{Kind: kind, TS: 42, Reply: &ports.CheckTxnStatusReply{}}
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
				require.Equal(t, want, checkStates[a.state], "%s on %d, mine %v", name, kind, mine)
				if !moved || !mine {
					require.Empty(t, r.Effects, "%s on %d, mine %v", name, kind, mine)
				}
				require.Equal(t, want == "finished", a.Done())
			}
		}
	}
}

func TestCheckContract(t *testing.T) {
	a, r := newAsker(pessimistic)
	smtest.Contract(t, &a.check)
	answer(r, &ports.CheckTxnStatusReply{CommitTS: ms(20)})
	smtest.Contract(t, &a.check)
	a, r = newAsker(expired)
	answer(r, &ports.CheckTxnStatusReply{Err: &ports.KeyError{Kind: ports.KeyAbort, Text: "t"}})
	smtest.Contract(t, &a.check)
	require.Equal(t, "lock.check finished: route.Call finished, region 2:1.1, attempt 1 at store 2", a.String())
}
