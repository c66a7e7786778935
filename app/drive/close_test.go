package drive

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

func TestCloseWaitsForOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		pool := toys(d)
		began := time.Now()
		delay := time.Second
		f.submit = func(r request) {
			time.AfterFunc(delay, r.reply)
			delay += time.Second
		}
		waits := make(chan error)
		go func() {
			op := pool.Op()
			op.Machine.init(3, 2) // answers after two seconds, is done after three
			err := op.Run(context.Background())
			op.Release()
			waits <- err
		}()
		closed := make(chan time.Duration)
		synctest.Wait()
		go func() {
			finish(t, d)
			closed <- time.Since(began)
		}()
		synctest.Wait()
		require.Equal(t, ErrClosed, pool.Op().Run(context.Background()))
		require.Equal(t, ErrClosed, d.Sleep(context.Background(), time.Second))
		require.Equal(t, ErrClosed, d.Close(context.Background()))
		require.NoError(t, <-waits)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, 3*time.Second, <-closed)
	})
}

// When Close may wait no longer, callers are released and hosted machines dropped.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		pool := toys(d)
		var requests []request
		hosted := pool.Op()
		hosted.Machine.init(2, 1)
		time.AfterFunc(time.Millisecond, func() {
			requests = f.take()
			requests[0].reply()
		})
		require.NoError(t, hosted.Run(context.Background()))
		hosted.Release()

		waits := make(chan error)
		released := make(chan bool)
		go func() {
			op := pool.Op()
			op.Machine.init(1, 1)
			err := op.Run(context.Background())
			waits <- err
			pass(time.Second)
			op.Release()
			close(released)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		closed := make(chan error)
		began := time.Now()
		go func() { closed <- d.Close(ctx) }()
		require.Equal(t, ErrClosed, <-waits)
		require.Equal(t, context.DeadlineExceeded, <-closed)
		require.Equal(t, 2*time.Second, time.Since(began), "Close returns when no operation is in use any more")
		<-released
		for _, r := range append(f.take(), requests...) {
			r.reply()
		}
		require.Equal(t, 1, hosted.Machine.replies)
		require.Empty(t, pool.free, "what did not end by itself is not used again")
		f.sink.Post(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactStoreAlive}})
		require.Empty(t, d.tables.storeOp.events, "tables are closed, too")
	})
}

// A loop that never runs out of work ends nevertheless.
func TestCloseEndsBusyLoops(t *testing.T) {
	d, f := start(nil)
	f.submit = request.reply
	op := NewPool[chain](d, key.Codec{}).Op()
	op.Machine = chain{want: math.MaxInt}
	require.NoError(t, op.Run(context.Background()))
	op.Release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, context.Canceled, d.Close(ctx))
}

// An operation that is handed over after Close has given up is dropped at once.
func TestHandOverAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		f.submit = func(r request) {
			if r.tok.Gen == 1 {
				r.reply()
			}
		}
		op := toys(d).Op()
		op.Machine.init(2, 1)
		require.NoError(t, op.Run(context.Background()))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		closed := make(chan error)
		go func() { closed <- d.Close(ctx) }()
		synctest.Wait()
		op.Release()
		require.Equal(t, context.Canceled, <-closed)
	})
}

// Two drivers in one process share nothing.
func TestTwoDrivers(t *testing.T) {
	a, fa := start(nil)
	b, fb := start(nil)
	fa.submit, fb.submit = request.reply, request.reply
	finish(t, a)
	op := toys(b).Op()
	op.Machine.init(1, 1)
	require.NoError(t, op.Run(context.Background()))
	op.Release()
	require.Equal(t, a.draws.Load()+1, b.draws.Load())
	finish(t, b)
}

// saboteur panics when a machine is visited in the way that it waits for.
type saboteur struct {
	machine string
	kind    ports.EventKind
}

func (s *saboteur) Visit(machine, _ string, kind ports.EventKind) {
	if machine == s.machine && kind == s.kind {
		panic("sabotage")
	}
}

// sabotaged opens a driver whose machines' panics are caught.
func sabotaged(s *saboteur) (*Driver, *fake, *bytes.Buffer) {
	var log bytes.Buffer
	d, f := start(func(cfg *Config) {
		cfg.LetPanic, cfg.Visitor = false, s
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	return d, f, &log
}

func TestBrokenOperation(t *testing.T) {
	d, f, log := sabotaged(&saboteur{machine: "toy", kind: ports.EventLost})
	f.submit = func(r request) {
		r.reply()
		r.sink.Post(ports.Event{Kind: ports.EventLost, Tok: r.tok})
	}
	pool := toys(d)
	op := pool.Op()
	op.Machine.init(2, 2)
	err := op.Run(context.Background())
	require.Equal(t, &BrokenError{Machine: "toy", Panic: "sabotage", Committing: true}, err)
	require.EqualError(t, err, "internal error in toy: sabotage")
	require.Contains(t, log.String(), "sabotage")
	op.Release()
	require.Empty(t, pool.free)
	finish(t, d)
}

func TestBrokenHostedOperation(t *testing.T) {
	d, f, log := sabotaged(&saboteur{machine: "toy", kind: ports.EventLost})
	var requests []request
	f.submit = func(r request) {
		requests = append(requests, r)
		if len(requests) == 2 {
			requests[0].reply()
		}
	}
	pool := toys(d)
	op := pool.Op()
	op.Machine.init(2, 1)
	require.NoError(t, op.Run(context.Background()))
	op.Release()
	requests[1].sink.Post(ports.Event{Kind: ports.EventLost, Tok: requests[1].tok})
	finish(t, d)
	require.Empty(t, pool.free)
	require.Contains(t, log.String(), "sabotage")
}

// A machine that cannot even say what it is was committing for all we know.
func TestBrokenBeyondWords(t *testing.T) {
	require.Equal(t, &BrokenError{Machine: "a machine", Panic: "x", Committing: true}, diagnose(mute{}, "x"))
	require.False(t, diagnose(&sleep{}, "x").Committing)
}

type mute struct{ sm.Machine }

func (mute) String() string { panic("no words") }

// With a broken table no operation could trust what it learns: all of them end.
func TestBrokenTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f, _ := sabotaged(&saboteur{machine: "route.StoreTable", kind: ports.EventLearn})
		want := &BrokenError{
			Machine: "route.StoreTable calm: 0 stores, 0 waiters", Panic: "sabotage",
		}
		waits := make(chan error)
		go func() {
			op := toys(d).Op()
			op.Machine.init(1, 1)
			err := op.Run(context.Background())
			op.Release()
			waits <- err
		}()
		synctest.Wait()
		f.sink.Post(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactStoreAlive}})
		require.Equal(t, want, <-waits)
		require.Equal(t, want, toys(d).Op().Run(context.Background()))
		finish(t, d)
	})
}

func TestLetPanic(t *testing.T) {
	d, _ := start(func(cfg *Config) { cfg.Visitor = &saboteur{"toy", ports.EventStart} })
	op := toys(d).Op()
	require.PanicsWithValue(t, "sabotage", func() { _ = op.Run(context.Background()) })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	op.op.closed = true
	op.Release()
	require.NoError(t, d.Close(ctx))
}
