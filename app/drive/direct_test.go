package drive

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// world is a small simulated host: one goroutine, virtual time, callers that are
// coroutines.
type world struct {
	*fake
	rand     sm.Rand
	now      ports.Instant
	pending  []pending
	running  *task
	runnable []*task
	trace    strings.Builder
}

type pending struct {
	at   ports.Instant
	fire func()
}

type task struct {
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
}

// yielder is the waiter of a coroutine.
type yielder struct {
	world *world
	task  *task
	ready bool
}

func (y *yielder) Wait(ctx context.Context) {
	if !y.ready && ctx.Err() == nil {
		y.task = y.world.running
		y.task.yield(struct{}{})
	}
	y.task, y.ready = nil, false
}

func (y *yielder) Wake() {
	y.ready = true
	if y.task != nil {
		y.world.runnable = append(y.world.runnable, y.task)
		y.task = nil
	}
}

func (w *world) Now() ports.Instant { return w.now }

func (w *world) Arm(at ports.Instant, tok ports.Tok, sink ports.Sink) {
	w.at(at, func() { sink.Post(ports.Event{Kind: ports.EventTimer, Tok: tok, Now: w.now}) })
}

// Submit answers after a random time, and sometimes at once or not at all.
func (w *world) Submit(_ ports.Endpoint, _ *ports.Header, _ ports.Request, _ ports.Instant, tok ports.Tok,
	sink ports.Sink) {
	fmt.Fprintf(&w.trace, "%d submit %x.%d\n", w.now, tok.Addr, tok.Gen)
	r := request{tok, sink}
	switch n := w.rand.Below(8); n {
	case 0:
		r.reply()
	case 1:
		w.at(w.now.Add(time.Second), func() { sink.Post(ports.Event{Kind: ports.EventUnsent, Tok: tok, Now: w.now}) })
	default:
		w.at(w.now.Add(time.Duration(n)*time.Millisecond), r.reply)
	}
}

// Visit implements [sm.Visitor].
func (w *world) Visit(machine, state string, kind ports.EventKind) {
	fmt.Fprintf(&w.trace, "%d %s %s %d\n", w.now, machine, state, kind)
}

func (w *world) at(at ports.Instant, fire func()) {
	w.pending = append(w.pending, pending{max(at, w.now), fire})
}

// spawn begins a coroutine.
func (w *world) spawn(f func()) {
	t := &task{}
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f()
	})
	w.runnable = append(w.runnable, t)
}

// run plays until nothing is runnable and stop says so.
func (w *world) run(stop func() bool) {
	for {
		for len(w.runnable) > 0 {
			t := w.runnable[0]
			w.runnable = w.runnable[1:]
			w.running = t
			t.resume()
			w.running = nil
		}
		if stop() {
			return
		}
		first := 0
		for i := range w.pending {
			if w.pending[i].at < w.pending[first].at {
				first = i
			}
		}
		p := w.pending[first]
		w.pending = slices.Delete(w.pending, first, first+1)
		w.now = p.at
		p.fire()
	}
}

// open opens a driver on the world.
func (w *world) open(seed uint64) *Driver {
	w.fake, w.rand = &fake{}, sm.NewRand(seed)
	knobs := sm.DefaultKnobs()
	knobs.RegionTTL, knobs.RegionTTLJitter = time.Second, time.Second
	return New(Config{
		Network: w, Oracle: w, Placement: w, Timers: w, Knobs: knobs, Seed: seed, Visitor: w, LetPanic: true,
		Host: Host{
			NewWaiter: func() Waiter { return &yielder{world: w} },
			Direct:    true,
			Until:     func(at time.Time) time.Duration { return at.Sub(time.Unix(0, int64(w.now))) },
		},
	})
}

// play runs a workload of coroutines to its end and returns the trace.
func play(t *testing.T, seed uint64) string {
	w := &world{}
	d := w.open(seed)
	points, pool := points(d), toys(d)
	left := 0
	ctx, cancel := context.WithCancel(context.Background())
	for i := range 5 {
		left++
		w.spawn(func() {
			defer func() { left-- }()
			for n := range 20 {
				if err := d.Sleep(ctx, time.Duration(n*i)*10*time.Millisecond); err != nil {
					return
				}
				op := points.Op()
				op.Machine.InitGet([]byte("k"), raw.Options{}, d.Deadline(ctx, time.Minute))
				require.NoError(t, op.Run(ctx))
				op.Release()
				live := pool.Op()
				live.Machine.init(4, 1)
				require.NoError(t, live.Run(ctx))
				live.Release()
			}
		})
	}
	w.at(ports.Instant(4*time.Second), func() {
		cancel()
		d.abandon(false) // the world resumes who waits under the context
	})
	closed := false
	w.run(func() bool { return left == 0 })
	w.spawn(func() {
		require.NoError(t, d.Close(context.Background()))
		closed = true
	})
	w.run(func() bool { return closed })
	return w.trace.String()
}

// On a direct host equal seeds give equal runs, to the last transition.
func TestDirectIsDeterministic(t *testing.T) {
	first := play(t, 7)
	require.Contains(t, first, "route.RegionTable")
	for _, kind := range []ports.EventKind{ports.EventCancel, ports.EventSweep, ports.EventUnsent, ports.EventTell} {
		require.Contains(t, first, fmt.Sprintf(" %d\n", kind), "not seen: %d", kind)
	}
	require.Equal(t, first, play(t, 7))
	require.NotEqual(t, first, play(t, 8))
}

// A post from inside a step waits for its turn, however deep it would nest.
func TestDirectDoesNotNest(t *testing.T) {
	w := &world{}
	d := w.open(1)
	f := &fake{submit: request.reply}
	d.cfg.Network = f
	op := NewPool[chain](d, key.Codec{}).Op()
	op.Machine = chain{want: 100_000}
	require.NoError(t, op.Run(context.Background()))
	op.Release()
	require.Equal(t, op.Machine.want, op.Machine.replies)
	require.NoError(t, d.Close(context.Background()))
}

// A loop that runs does not run another machine within the step of one.
func TestDirectTakesTurns(t *testing.T) {
	w := &world{}
	d := w.open(1)
	f := &fake{}
	d.cfg.Network = f
	pool := NewPool[chain](d, key.Codec{})
	var ops []*Op[chain]
	for range 1 + operationLoops {
		op := pool.Op()
		op.Machine = chain{want: 2}
		require.NoError(t, op.Run(context.Background()))
		ops = append(ops, op)
	}
	a, b := ops[0], ops[operationLoops]
	require.Same(t, d.loopFor(a.op.id), d.loopFor(b.op.id))
	sent := f.take()
	for _, op := range ops {
		op.Release()
	}
	f.submit = func(request) {
		f.submit = nil
		sent[operationLoops].reply()
		require.Zero(t, b.Machine.replies, "stepped within another's step")
	}
	sent[0].reply()
	require.Equal(t, 1, a.Machine.replies)
	require.Equal(t, 1, b.Machine.replies)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, context.Canceled, d.Close(ctx))
}

// chain answers at once and then sends one request after the other.
type chain struct {
	want, replies int
	stepping      bool
	header        ports.Header
	request       ports.RawGetRequest
}

func (m *chain) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if m.stepping {
		panic("nested")
	}
	m.stepping = true
	if ev.Kind == ports.EventStart {
		out.Answer()
	} else {
		m.replies++
	}
	if !m.Done() {
		out.Send(env.Token(), ports.Endpoint{Store: 1}, &m.header, &m.request, ports.Never)
	}
	m.stepping = false
}

func (m *chain) Done() bool           { return m.replies == m.want }
func (m *chain) Forget()              {}
func (m *chain) Fingerprint(*sm.Hash) {}
func (m *chain) String() string       { return "chain" }

// Close on a direct host drops what is hosted, too.
func TestDirectCloseGivesUp(t *testing.T) {
	w := &world{}
	d := w.open(1)
	f := &fake{}
	d.cfg.Network = f
	var got []error
	w.spawn(func() {
		op := toys(d).Op()
		op.Machine.init(1, 1)
		got = append(got, op.Run(context.Background()))
		op.Release()
	})
	w.spawn(func() {
		op := NewPool[chain](d, key.Codec{}).Op()
		op.Machine = chain{want: 1}
		require.NoError(t, op.Run(context.Background()))
		op.Release()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		got = append(got, d.Close(ctx))
	})
	w.run(func() bool { return len(got) == 2 })
	require.Equal(t, []error{ErrClosed, context.Canceled}, got)
	require.Zero(t, d.live.Load())
}
