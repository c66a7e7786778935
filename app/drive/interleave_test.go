package drive

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// schedule is one order in which things happen: a list of decisions, those beyond
// its end being 0.
type schedule struct {
	decisions, options []int
	at                 int
}

func (s *schedule) choose(n int) int {
	if s.at == len(s.decisions) {
		s.decisions, s.options = append(s.decisions, 0), append(s.options, 0)
	}
	s.options[s.at] = n
	s.at++
	return s.decisions[s.at-1]
}

// next moves on to the next schedule in lexical order, false after the last.
func (s *schedule) next() bool {
	for i := s.at - 1; i >= 0; i-- {
		if s.decisions[i]+1 < s.options[i] {
			s.decisions[i]++
			s.decisions, s.options, s.at = s.decisions[:i+1], s.options[:i+1], 0
			return true
		}
	}
	return false
}

// stage plays one operation under one schedule. The caller, the loop and Close are
// coroutines that pause inside steps, and between looking into the mailbox and
// waiting; everything else happens in between.
type stage struct {
	schedule  *schedule
	actors    []*actor
	current   *actor
	cancelled bool
}

// actor is a coroutine; idle, when set, says that it would do nothing.
type actor struct {
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	idle   func() bool
	ended  bool
}

func (s *stage) act(idle func() bool, f func()) {
	a := &actor{idle: idle}
	a.resume, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		a.yield = yield
		f()
		a.ended = true
	})
	s.actors = append(s.actors, a)
}

// actLoop runs a loop of the driver. The result says whether it has ended.
func (s *stage) actLoop(d *Driver, l *loop) *bool {
	busy, ended := false, false
	s.act(func() bool { return !busy && len(l.queue) == 0 && !d.aborted.Load() }, func() {
		for !d.aborted.Load() {
			busy = true
			l.round(nil)
			busy = false
			s.pause()
		}
		ended = true
	})
	return &ended
}

// pause lets others go first.
func (s *stage) pause() {
	if s.current != nil {
		s.current.yield(struct{}{})
	}
}

// play lets the actors take turns until none can go on.
func (s *stage) play() {
	for {
		var able []*actor
		for _, a := range s.actors {
			if !a.ended && (a.idle == nil || !a.idle()) {
				able = append(able, a)
			}
		}
		if len(able) == 0 {
			return
		}
		s.current = able[s.schedule.choose(len(able))]
		s.current.resume()
		s.current = nil
	}
}

// signal is a waiter, and the context of a caller.
type signal struct {
	stage          *stage
	waiting, ready bool
}

func (w *signal) Wait(ctx context.Context) {
	w.waiting = true
	for !w.ready && (ctx == context.Background() || !w.stage.cancelled) {
		w.stage.pause()
	}
	w.waiting, w.ready = false, false
}

func (w *signal) Wake() { w.ready = true }

// stuck reports whether who waits here has no reason to go on.
func (w *signal) stuck(cancellable bool) bool {
	return w.waiting && !w.ready && (!cancellable || !w.stage.cancelled)
}

func (w *signal) Deadline() (time.Time, bool) { return time.Time{}, false }
func (w *signal) Done() <-chan struct{}       { return nil }
func (w *signal) Value(any) any               { return nil }

func (w *signal) Err() error {
	w.stage.pause()
	if w.stage.cancelled {
		return context.Canceled
	}
	return nil
}

// pausing is a toy that lets others go first in the middle of its steps.
type pausing struct {
	toy
	stage *stage
	got   []uint32
	told  int
}

func (m *pausing) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	m.stage.pause()
	if m.Done() {
		panic("stepped after its end")
	}
	if ev.Kind == ports.EventReply {
		m.got = append(m.got, ev.Tok.Gen)
	}
	if ev.Kind == ports.EventCancel {
		m.told++
	}
	m.toy.Step(env, ev, out)
	m.stage.pause()
}

// TestInterleavings plays every order of two replies, a duplicate and one more thing
// against an operation that answers after the first reply and is handed over.
func TestInterleavings(t *testing.T) {
	for _, tc := range []struct {
		name          string
		cancel, close bool
	}{{"replies", false, false}, {"cancel", true, false}, {"close", false, true}} {
		t.Run(tc.name, func(t *testing.T) {
			s := &schedule{}
			runs := 0
			for more := true; more; more = s.next() {
				interleave(t, s, tc.cancel, tc.close)
				if runs++; t.Failed() {
					t.Fatalf("schedule %v", s.decisions)
				}
			}
			t.Logf("%d schedules", runs)
			require.Greater(t, runs, 100)
		})
	}
}

func interleave(t *testing.T, s *schedule, cancel, closing bool) {
	st := &stage{schedule: s}
	f := &fake{Timers: &clock{time.Now()}}
	wait, closer := &signal{stage: st}, &signal{stage: st}
	waiters := []*signal{closer, wait}
	d := build(Config{Network: f, Oracle: f, Placement: f, Timers: f, Seed: 1, LetPanic: true, Host: Host{
		NewWaiter: func() Waiter { w := waiters[0]; waiters = waiters[1:]; return w },
	}})
	pool := NewPool[pausing](d, key.Codec{})
	op := pool.Op()
	op.Machine = pausing{toy: toy{want: 2, answerAt: 1}, stage: st}
	m := &op.Machine
	var err error
	st.act(func() bool { return wait.stuck(true) }, func() {
		err = op.Run(wait)
		op.Release()
	})
	for i := range 2 {
		st.act(func() bool { return len(f.held) < 2 }, func() { f.held[i].reply() })
	}
	st.act(func() bool { return len(f.held) < 2 }, func() { f.held[0].reply() })
	ended := st.actLoop(d, d.loopFor(op.op.id))
	if cancel {
		st.act(nil, func() { st.cancelled = true })
	}
	if closing { // as Close does when its context is over
		st.act(func() bool { return d.aborted.Load() && !*ended }, func() {
			d.closing.Store(true)
			d.aborted.Store(true)
			st.pause()
			d.abandon(true)
		})
	}
	st.play()
	d.aborted.Store(true) // ends the loop
	for _, a := range st.actors {
		a.stop()
	}

	require.Zero(t, d.live.Load(), "nobody is left behind")
	if m.told > 1 || len(m.got) > 3 {
		t.Errorf("told %d times, %d replies", m.told, len(m.got))
	}
	switch {
	case errors.Is(err, ErrClosed):
		require.True(t, closing)
		require.Equal(t, len(m.seen) == 0, len(pool.free) == 1, "what was begun is not used again")
	case m.cancelled:
		require.True(t, cancel)
		require.Len(t, pool.free, 1)
	case closing && m.replies < 2:
		require.NoError(t, err)
		require.Empty(t, pool.free)
	default:
		require.NoError(t, err)
		require.Equal(t, 2, m.replies, "no answer was lost")
		require.Len(t, pool.free, 1)
	}
	for _, r := range f.held {
		r.reply() // late
	}
	require.Empty(t, op.op.events)
}
