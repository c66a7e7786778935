package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

func newWorld(t *testing.T) *sim.World {
	w, err := sim.New(sim.Config{Chooser: sim.Boring{}})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func TestTasksTakeTurns(t *testing.T) {
	w := newWorld(t)
	var log []string
	for _, name := range []string{"a", "b"} {
		w.Go(name, func(tk *sim.Task) {
			for i := range 3 {
				require.Same(t, tk, w.Current())
				log = append(log, fmt.Sprint(tk.Name(), i, " at ", time.Duration(w.Now())))
				tk.Sleep(time.Second)
			}
		})
	}
	require.Empty(t, log, "a task begins as an event")
	w.Run(ports.Never, nil)
	require.Nil(t, w.Current())
	require.Equal(t, []string{
		"a0 at 1s", "b0 at 1s", "a1 at 2s", "b1 at 2s", "a2 at 3s", "b2 at 3s",
	}, log)
}

func TestParkAndUnpark(t *testing.T) {
	w := newWorld(t)
	steps := 0
	task := w.Go("t", func(tk *sim.Task) {
		tk.Park()
		steps++
		tk.Unpark()
		tk.Unpark() // twice is once
		tk.Park()   // returns at once
		steps++
		tk.Park()
		steps++
	})
	w.Step()
	require.Zero(t, steps)
	task.Unpark()
	task.Unpark()
	require.Zero(t, steps, "going on is an event")
	w.Run(ports.Never, nil)
	require.Equal(t, 2, steps)
	require.False(t, task.Done())
	task.Unpark()
	w.Run(ports.Never, nil)
	require.Equal(t, 3, steps)
	require.True(t, task.Done())
	task.Unpark()
	require.False(t, w.Step(), "nothing is left to do")
}

func TestTasksStartTasks(t *testing.T) {
	w := newWorld(t)
	sum := 0
	w.Go("outer", func(outer *sim.Task) {
		inner := w.Go("inner", func(*sim.Task) {
			sum++
			outer.Unpark()
		})
		outer.Park()
		require.True(t, inner.Done() || sum == 1)
		sum++
	})
	w.Run(ports.Never, nil)
	require.Equal(t, 2, sum)
}

func TestCloseUnwindsTasks(t *testing.T) {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	unwound := 0
	for range 3 {
		w.Go("t", func(tk *sim.Task) {
			defer func() {
				unwound++
				tk.Park() // a deferred call that waits is unwound, too
				unwound += 100
			}()
			tk.Park()
			unwound += 1000
		})
	}
	w.Run(ports.Never, nil)
	w.Go("never begun", func(*sim.Task) { unwound += 1000 })
	w.Close()
	require.Equal(t, 3, unwound)
}

func TestAbandonedTasksStayWhereTheyAre(t *testing.T) {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	unwound, went := false, false
	task := w.Go("t", func(tk *sim.Task) {
		defer func() { unwound = true }()
		tk.Park()
		went = true
	})
	w.Step()
	task.Abandon()
	task.Unpark()
	w.Run(ports.Never, nil)
	require.False(t, went || unwound)
	w.Close()
	require.True(t, unwound)
	require.False(t, went)
}

func TestPanicsOfTasksReachWhoStepsTheWorld(t *testing.T) {
	w := newWorld(t)
	w.Go("t", func(*sim.Task) { panic("broken") })
	require.PanicsWithValue(t, "broken", func() { w.Run(ports.Never, nil) })
}

func TestRunStopsInTime(t *testing.T) {
	w := newWorld(t)
	var at []ports.Instant
	w.After(w.Now().Add(5*time.Second), func() { at = append(at, w.Now()) })
	w.After(0, func() { at = append(at, w.Now()) }) // an instant that has passed is now
	require.False(t, w.Run(ports.Instant(3*time.Second), nil))
	require.Equal(t, ports.Instant(3*time.Second), w.Now())
	require.Equal(t, []ports.Instant{ports.Instant(time.Second)}, at)
	require.True(t, w.Run(ports.Never, func() bool { return len(at) == 2 }))
	require.Equal(t, ports.Instant(6*time.Second), w.Now())
	require.Equal(t, ports.Never, w.Next())
	require.False(t, w.Run(ports.Never, func() bool { return false }), "nothing happens any more")
}

func TestNotesAreInTheHash(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	require.Equal(t, a.Hash(), b.Hash())
	a.Note(1)
	b.Note(2)
	require.NotEqual(t, a.Hash(), b.Hash())
	b.Logf("nothing listens")
}
