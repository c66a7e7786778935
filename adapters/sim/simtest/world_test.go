package simtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/tikvx/tikvx/adapters/sim/simtest.waitForEver"))
}

func write(ctx context.Context, db *app.Client, key string) error {
	return db.Update(ctx, func(_ context.Context, tx *app.Txn) error { return tx.Put([]byte(key), []byte("v")) })
}

// Each way in which a run can fail, and what is said about it.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		test       Test
		kind, text string
	}{
		"a check":   {func(w *World, _ *app.Client) { w.Errorf("%d is odd", 3) }, "check", "3 is odd"},
		"no error":  {func(w *World, _ *app.Client) { w.NoErr(errors.New("e")) }, "check", "e"},
		"testify":   {func(w *World, _ *app.Client) { require.Equal(w, 1, 2) }, "check", "Not equal: expected: 1 actual : 2"},
		"giving up": {func(w *World, _ *app.Client) { w.FailNow() }, "check", "the test gave up"},
		"a bad script": {func(w *World, _ *app.Client) {
			w.Script("explode")
		}, "check", `sim: script: line 1: no action "explode"`},
		"a panic": {func(*World, *app.Client) { panic("ouch") }, "panic", "ouch"},
		"a task's panic": {func(w *World, _ *app.Client) {
			w.Go("t", func(context.Context) error { panic("ouch") })
		}, "panic", "t: ouch"},
		"a task's error": {func(w *World, _ *app.Client) {
			w.Go("t", func(context.Context) error { return errors.New("e") })
		}, "error", "t: e"},
		"a task that waits": {func(w *World, _ *app.Client) {
			w.Go("t", func(ctx context.Context) error { <-ctx.Done(); return nil })
			w.Wait()
		}, "stuck", "t has not ended 1m0s after the cluster was healed"},
		"a task that sleeps": {func(w *World, db *app.Client) {
			w.Go("t", func(ctx context.Context) error {
				for {
					time.Sleep(time.Second)
					_ = write(ctx, db, "k")
				}
			})
		}, "stuck", "t has not ended 1m0s after the cluster was healed"},
		"a test that waits": {func(w *World, _ *app.Client) { <-w.Context().Done() },
			"stuck", "the test has not ended after 6h0m0s"},
		"a task that calls Wait": {func(w *World, _ *app.Client) {
			w.Go("t", func(context.Context) error { w.Wait(); return nil })
		}, "check", "Wait was called by a task: it is for the test itself"},
		"a client's panic": {func(w *World, db *app.Client) {
			_ = db.Update(w.Context(), func(context.Context, *app.Txn) error { panic("inside") })
		}, "panic", "inside"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Try(t, sim.Config{}, 1, c.test)
			require.True(t, r.Failed())
			require.Equal(t, c.kind, r.Failures[0].Kind)
			require.Equal(t, c.text, firstLines(r.Failures[0].Text, len(c.text)))
			require.Equal(t, r.Hash, Try(t, sim.Config{}, 1, c.test).Hash)
		})
	}
}

func firstLines(text string, n int) string {
	flat := []byte(text[:min(n, len(text))])
	for i, c := range flat {
		if c == '\n' {
			flat[i] = ' '
		}
	}
	return string(flat)
}

// Whoever cannot be ended is named; the bubble's own complaint follows.
func TestATaskThatCannotBeEnded(t *testing.T) {
	r := Try(t, sim.Config{}, 1, func(w *World, _ *app.Client) {
		w.Go("t", func(context.Context) error { return waitForEver() })
		w.Wait()
	})
	require.Len(t, r.Failures, 3)
	require.Equal(t, "stuck: t cannot be ended: it waits neither for the cluster nor for its context",
		r.Failures[1].String())
	require.Contains(t, r.Failures[2].Text, "deadlock")
}

func waitForEver() error { select {} }

// Time is virtual: a task may sleep for hours, and faults begin with the first task and end when the cluster is healed.
func TestPhases(t *testing.T) {
	began := time.Now()
	r := Try(t, sim.Config{Faults: sim.AllFaults}, 3, func(w *World, db *app.Client) {
		for i := range 50 {
			w.NoErr(write(w.Context(), db, fmt.Sprint(i)))
		}
		w.Do(func(world *sim.World) { require.Zero(w, world.Counts()) })
		start := time.Now()
		w.Go("sleeper", func(ctx context.Context) error { time.Sleep(4 * time.Second); return nil })
		w.Go("waiter", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			<-ctx.Done()
			return nil
		})
		w.Wait()
		require.Equal(w, 4*time.Second, time.Since(start))
		w.Do(func(world *sim.World) {
			require.NotZero(w, world.Counts())
			require.True(w, world.Healed())
		})
		require.EqualValues(w, 3, w.Seed())
		require.NoError(w, write(w.Context(), w.Client("other"), "k"))
	})
	require.Empty(t, r.Failures)
	require.Less(t, time.Since(began), 3*time.Second)
}

// Tasks that wake each other, and contexts that end while the cluster is silent, have their place in the order.
func TestTasksThatMeetRepeat(t *testing.T) {
	test := func(w *World, db *app.Client) {
		numbers := make(chan int)
		var mu sync.Mutex
		w.Go("sender", func(ctx context.Context) error {
			defer close(numbers)
			for i := range w.Choose(8) + 8 {
				numbers <- i
				_ = write(ctx, db, fmt.Sprint("sent", i))
			}
			return nil
		})
		for i := range 3 {
			w.Go(fmt.Sprint("receiver", i), func(ctx context.Context) error {
				for n := range numbers {
					ctx, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
					_ = write(ctx, db, fmt.Sprint("received", n))
					cancel()
					mu.Lock()
					runtime.Gosched()
					mu.Unlock()
				}
				return nil
			})
		}
	}
	for seed := range uint64(10) {
		one := Try(t, sim.Config{Faults: sim.AllFaults}, seed, test)
		require.Empty(t, one.Failures)
		require.Equal(t, one.Hash, Try(t, sim.Config{Faults: sim.AllFaults}, seed, test).Hash)
	}
}

// A goroutine that was not started with Go may use the client; alone at its instant it even repeats.
func TestStrays(t *testing.T) {
	test := func(w *World, db *app.Client) {
		w.Go("t", func(ctx context.Context) error {
			err := make(chan error)
			go func() { err <- write(ctx, db, "k") }()
			return <-err
		})
	}
	one := Try(t, sim.Config{}, 1, test)
	require.Empty(t, one.Failures)
	require.Equal(t, one.Hash, Try(t, sim.Config{}, 1, test).Hash)
}

// A mutex that is held across a call stops everything; the watchdog says so with the stacks.
func TestWatchdog(t *testing.T) {
	barked := make(chan string)
	d := watchWith(time.Millisecond, func(stacks string) { barked <- stacks })
	require.Contains(t, <-barked, "TestWatchdog")
	d.stop()
	d = watchWith(time.Hour, nil)
	d.stop()
}
