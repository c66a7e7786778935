package drive

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

func TestRunWithAnswersAtOnce(t *testing.T) {
	d, f := start(nil)
	f.submit = request.reply
	pool := toys(d)
	for range 3 {
		op := pool.Op()
		op.Machine.init(3, 3)
		require.NoError(t, op.Run(context.Background()))
		require.Equal(t, []ports.EventKind{ports.EventStart, ports.EventReply, ports.EventReply, ports.EventReply},
			op.Machine.seen)
		op.Release()
		require.Same(t, op, pool.Op(), "a machine that is done goes back to its pool")
		op.Release()
	}
	finish(t, d)
}

func TestRunWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		f.submit = func(r request) { time.AfterFunc(time.Second, r.reply) }
		op := toys(d).Op()
		op.Machine.init(2, 2)
		began := time.Now()
		require.NoError(t, op.Run(context.Background()))
		require.Equal(t, time.Second, time.Since(began))
		op.Release()
		finish(t, d)
	})
}

// The machine hears once that its caller is gone, and only after what had been
// posted before: an answer that has arrived beats the cancel.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		op := toys(d).Op()
		op.Machine.init(1, 1)
		began := time.Now()
		require.NoError(t, op.Run(ctx))
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, []ports.EventKind{ports.EventStart, ports.EventCancel}, op.Machine.seen)
		op.Release()

		f.submit = func(r request) { r.reply(); cancel() }
		op = toys(d).Op()
		op.Machine.init(1, 1)
		require.NoError(t, op.Run(ctx))
		require.Equal(t, []ports.EventKind{ports.EventStart, ports.EventReply}, op.Machine.seen)
		op.Release()
		finish(t, d)
	})
}

// A machine that does not end by a cancel is not told twice, and its caller waits.
func TestCancelOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		op := NewPool[stubborn](d, toys(d).codec).Op()
		op.Machine.init(1, 1)
		time.AfterFunc(time.Second, func() { f.take()[0].reply() })
		require.NoError(t, op.Run(ctx))
		require.Equal(t, []ports.EventKind{ports.EventStart, ports.EventCancel, ports.EventReply}, op.Machine.seen)
		op.Release()
		finish(t, d)
	})
}

// A commit that has answered lives on: what arrives before, during and after the
// hand-over reaches its machine, and only then is it used again.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		pool := toys(d)
		ctx, cancel := context.WithCancel(context.Background())
		op := pool.Op()
		op.Machine.init(5, 2)
		go func() {
			synctest.Wait()
			requests := f.take()
			f.submit = request.reply
			requests[0].reply()
			requests[1].reply()
			requests[2].reply() // maybe in the batch of the answer
			synctest.Wait()
			requests[3].reply() // between answer and hand-over
			pass(2 * time.Second)
			requests[4].reply() // to the loop
		}()
		require.NoError(t, op.Run(ctx))
		require.Equal(t, 2, op.Machine.replies)
		pass(time.Second)
		require.Equal(t, 2, op.Machine.replies, "nobody steps the machine before Release")
		cancel()
		op.Release()
		other := pool.Op()
		require.NotSame(t, op, other, "it is still in use")
		other.Release()
		pass(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 5, op.Machine.replies)
		require.NotContains(t, op.Machine.seen, ports.EventCancel)
		require.Same(t, op, pool.Op())
		op.Release()
		finish(t, d)
	})
}

// troubled is a machine that fails after its answer.
type troubled struct{ toy }

func (m *troubled) Trouble() *sm.Failure {
	if m.Done() {
		return &sm.Failure{Code: sm.FailDeadline}
	}
	return nil
}

// What a hosted machine meets after its answer is told once; without a listener it is
// nobody's business.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []sm.FailureCode
		listener := func(f *sm.Failure) { told = append(told, f.Code) }
		for _, tell := range []func(*sm.Failure){nil, listener} {
			d, f := start(func(cfg *Config) { cfg.Trouble = tell })
			op := NewPool[troubled](d, key.Codec{}).Op()
			op.Machine.init(2, 1)
			var requests []request
			time.AfterFunc(time.Second, func() {
				requests = f.take()
				requests[0].reply()
			})
			require.NoError(t, op.Run(context.Background()))
			op.Release()
			require.Empty(t, told, "the machine lives on")
			requests[1].reply()
			finish(t, d)
		}
		require.Equal(t, []sm.FailureCode{sm.FailDeadline}, told)
	})
}

// leaver answers when it is cancelled and lives on, as a commit does that may be
// committed.
type leaver struct{ toy }

func (m *leaver) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		out.Answer()
		return
	}
	m.toy.Step(env, ev, out)
}

// The caller leaves without having met an event after the one that it waited for:
// what comes then wakes the loop, not the caller.
func TestHandOverAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		op := NewPool[leaver](d, key.Codec{}).Op()
		op.Machine.init(2, 2)
		require.NoError(t, op.Run(ctx))
		op.Release()
		for _, r := range f.take() {
			r.reply()
		}
		finish(t, d)
	})
}

// scripted is a waiter that does something instead of waiting.
type scripted func()

func (s scripted) Wait(context.Context) { s() }
func (s scripted) Wake()                {}

// A cancel that comes in the batch of the answer is not for the rest of the
// machine's life.
func TestNoCancelAfterTheAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var requests []request
	d, f := start(func(cfg *Config) {
		cfg.Host.NewWaiter = func() Waiter {
			return scripted(func() {
				cancel()
				requests[0].reply()
			})
		}
	})
	f.submit = func(r request) { requests = append(requests, r) }
	op := toys(d).Op()
	op.Machine.init(2, 1)
	require.NoError(t, op.Run(ctx))
	require.Equal(t, ports.EventCancel, op.op.batch[op.op.next].Kind)
	f.submit = nil
	op.Release()
	requests[1].reply()
	finish(t, d)
	require.False(t, op.Machine.cancelled)
	require.Equal(t, []ports.EventKind{ports.EventStart, ports.EventReply, ports.EventReply}, op.Machine.seen)
}

type counted struct{ releases atomic.Int64 }

func (c *counted) Release() { c.releases.Add(1) }

// Answers to a finished operation, and second answers, reach no machine; what they
// lend is given back.
func TestLateAndDuplicateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		pool := toys(d)
		lease := &counted{}
		var requests []request
		f.submit = func(r request) {
			requests = append(requests, r)
			for range 2 {
				r.sink.Post(ports.Event{Kind: ports.EventReply, Tok: r.tok, Lease: lease})
			}
		}
		op := pool.Op()
		op.Machine.init(2, 1)
		require.NoError(t, op.Run(context.Background()))
		op.Release()
		synctest.Wait()
		require.Equal(t, 2, op.Machine.replies)
		require.EqualValues(t, 4, lease.releases.Load(), "those left in the batch at the end, too")
		require.Nil(t, op.op.env.Regions, "an idle operation holds no view")

		late := func() {
			for _, r := range requests {
				r.sink.Post(ports.Event{Kind: ports.EventReply, Tok: r.tok, Lease: lease})
			}
		}
		late()
		require.EqualValues(t, 6, lease.releases.Load())
		f.submit = func(request) { late() }
		again := pool.Op()
		require.Same(t, op, again)
		again.Machine.init(1, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.NoError(t, again.Run(ctx))
		require.Zero(t, again.Machine.replies, "generations go on from life to life")
		require.Len(t, again.Machine.instants, 2, "stepped on the start and the cancel alone: the rest was no step worth")
		require.EqualValues(t, 8, lease.releases.Load())
		late()
		again.Release()
		require.EqualValues(t, 10, lease.releases.Load(), "those left in the mailbox at the end")
		finish(t, d)
		late()
		require.EqualValues(t, 12, lease.releases.Load())
	})
}

// The instants that a machine sees never go back, and every event has one.
func TestInstants(t *testing.T) {
	d, f := start(nil)
	f.submit = func(r request) {
		for _, now := range []ports.Instant{0, 1, ports.Never} {
			r.sink.Post(ports.Event{Kind: ports.EventLost, Tok: ports.Tok{Gen: r.tok.Gen + 100}, Now: now})
		}
		r.reply()
	}
	op := toys(d).Op()
	op.Machine.init(1, 1)
	require.NoError(t, op.Run(context.Background()))
	seen := op.Machine.instants
	require.Len(t, seen, 5)
	for i := 1; i < len(seen); i++ {
		require.GreaterOrEqual(t, seen[i], seen[i-1])
	}
	require.NotZero(t, seen[0])
	require.Equal(t, ports.Never, seen[4])
	op.Release()
	finish(t, d)
}

// An idle operation holds nothing of its last user's.
func TestIdleMachinesForget(t *testing.T) {
	d, f := start(nil)
	f.submit = request.reply
	op := NewPool[forgetful](d, key.Codec{}).Op()
	op.Machine.init(1, 1)
	require.NoError(t, op.Run(context.Background()))
	op.Release()
	require.Equal(t, forgetful{forgot: 1}, op.Machine)
	require.NoError(t, d.Sleep(context.Background(), 1))
	require.Zero(t, d.sleeps.Op().Machine)
	finish(t, d)
}

type forgetful struct {
	toy
	forgot int
}

func (m *forgetful) Forget() { *m = forgetful{forgot: m.forgot + 1} }

func TestReleaseWithoutRun(t *testing.T) {
	d, _ := start(nil)
	pool := toys(d)
	op := pool.Op()
	op.Release()
	require.Same(t, op, pool.Op())
	finish(t, d)
}

// A pool forgets what is beyond its bound, and so does the registry.
func TestPoolIsBounded(t *testing.T) {
	d, _ := start(nil)
	pool := toys(d)
	before := len(d.registry.all())
	var ops []*Op[toy]
	for range maxIdle + 5 {
		ops = append(ops, pool.Op())
	}
	for _, op := range ops {
		op.Release()
	}
	require.Len(t, pool.free, maxIdle)
	require.Len(t, d.registry.all(), before+maxIdle)
	finish(t, d)
}

// Many callers, each of whose operations is answered, cancelled and handed over by
// goroutines that race; run with -race.
func TestRaces(t *testing.T) {
	d, f := start(nil)
	pool := toys(d)
	f.submit = func(r request) {
		go func() {
			r.reply()
			r.reply()
		}()
	}
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					go cancel()
				}
				op := pool.Op()
				op.Machine.init(4, 1+i%4)
				if err := op.Run(ctx); err != nil {
					t.Error(err)
				}
				if m := &op.Machine; !m.cancelled && m.replies != m.answerAt {
					t.Errorf("returned after %d replies and not %d", m.replies, m.answerAt)
				}
				op.Release()
				cancel()
			}
		})
	}
	done.Wait()
	finish(t, d)
	require.Zero(t, d.live.Load())
}

// stubborn ignores a cancel.
type stubborn struct{ toy }

func (m *stubborn) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventCancel {
		m.seen = append(m.seen, ev.Kind)
		return
	}
	m.toy.Step(env, ev, out)
}
