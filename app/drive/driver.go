package drive

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// ErrClosed is returned for operations on a driver that is closing, and for those
// that Close gave up.
var ErrClosed = errors.New("client is closed")

// BrokenError reports a machine that broke one of its own invariants: a bug. The
// operation ends there; nothing is known about what it had sent.
type BrokenError struct {
	// Machine is what the machine said about itself, without keys or values.
	Machine string
	// Panic is what it panicked with.
	Panic string
	// Committing: a request that can decide a commit had been submitted, so that
	// the outcome of the transaction is unknown.
	Committing bool
}

// Error implements error.
func (e *BrokenError) Error() string { return "internal error in " + e.Machine + ": " + e.Panic }

// Config is what a driver needs. Ports must be safe for concurrent use unless the
// host is direct.
type Config struct {
	Network   ports.Network
	Oracle    ports.Oracle
	Placement ports.Placement
	Timers    ports.Timers
	// Observer watches; nil means nobody does.
	Observer ports.Observer
	Knobs    sm.Knobs
	// Seed is the origin of all randomness: equal seeds give equal sequences.
	Seed uint64
	// Logger is told about broken invariants; nil means silence.
	Logger *slog.Logger
	// Trouble, when set, is told once what a machine met after it had answered, when
	// its caller could not be told any more. It is called from every goroutine that
	// runs machines and must not call back into the driver.
	Trouble func(*sm.Failure)
	// Visitor counts visited transitions; nil in production. It is called from
	// every goroutine that runs machines.
	Visitor sm.Visitor
	Host    Host
	// LetPanic lets a machine's panic through, for tests and simulated runs.
	LetPanic bool
}

// operationLoops is the number of loops that host operations; the tables have one
// of their own.
const operationLoops = 2

// Driver runs machines. Safe for concurrent use, unless the host is direct.
type Driver struct {
	cfg      Config
	registry registry
	tables   tables
	views    atomic.Pointer[views]
	marks    marks
	notes    notes
	sleeps   *Pool[sleep]
	draws    atomic.Uint64

	// loops are those of operations, preceded by that of the tables.
	loops []*loop
	ended sync.WaitGroup

	// live counts the operations that run, hosted ones included.
	live atomic.Int64
	// closing refuses new operations, aborted ends those that run; both for good.
	closing, aborted atomic.Bool
	// closer is where Close waits for live to fall to 0.
	closer Waiter
	// failure is why everything was aborted, when a table broke.
	failure atomic.Pointer[BrokenError]
}

// New starts a driver. The network must not have been watched before.
func New(cfg Config) *Driver {
	d := build(cfg)
	if !cfg.Host.Direct {
		for _, l := range d.loops {
			d.ended.Add(1)
			go l.run(&d.ended)
		}
	}
	return d
}

// build makes a driver whose loops nobody runs yet.
func build(cfg Config) *Driver {
	if cfg.Host.NewWaiter == nil {
		cfg.Host.NewWaiter = newBlocking
	}
	if cfg.Host.Until == nil {
		cfg.Host.Until = time.Until
	}
	d := &Driver{cfg: cfg}
	d.sleeps = NewPool[sleep](d, key.Codec{})
	d.closer = cfg.Host.NewWaiter()
	for range 1 + operationLoops {
		d.loops = append(d.loops, newLoop(d))
	}
	cfg.Network.Watch(&watcher{d})
	d.tables.open(d, d.loops[0])
	return d
}

// Close refuses new operations with [ErrClosed] and waits for those that run, also
// those that were handed over. When ctx is done first, callers that still wait get
// ErrClosed and hosted operations are dropped where they are; then Close returns
// the context's error. No goroutine of the driver outlives Close. What the ports
// post afterwards is ignored. The ports are not closed. A second Close returns
// ErrClosed at once.
func (d *Driver) Close(ctx context.Context) error {
	if !d.closing.CompareAndSwap(false, true) {
		return ErrClosed
	}
	var err error
	for d.live.Load() > 0 && !d.aborted.Load() {
		if err = ctx.Err(); err != nil {
			break
		}
		d.closer.Wait(ctx)
	}
	d.aborted.Store(true)
	for _, l := range d.loops {
		l.signal()
	}
	d.ended.Wait()
	d.abandon(true)
	for d.live.Load() > 0 {
		d.closer.Wait(context.Background())
	}
	return err
}

// abandon wakes the callers that wait, after the driver was aborted. With the loops
// at rest, it also drops the operations that they ran.
func (d *Driver) abandon(atRest bool) {
	for _, o := range d.registry.all() {
		o.mu.Lock()
		wake := o.waiting
		o.waiting = false
		mine := atRest && o.runner == hosted
		o.mu.Unlock()
		switch {
		case wake:
			o.waiter.Wake()
		case mine && o.owner != nil:
			o.closed = true
			o.finish()
		case mine:
			o.silence()
		}
	}
}

// enter counts an operation in, unless the driver is closed.
func (d *Driver) enter() error {
	d.live.Add(1)
	if d.closing.Load() || d.aborted.Load() {
		d.leave()
		return d.refusal()
	}
	return nil
}

func (d *Driver) leave() {
	if d.live.Add(-1) == 0 && d.closing.Load() {
		d.closer.Wake()
	}
}

// refusal says why the driver runs nothing any more.
func (d *Driver) refusal() error {
	if broken := d.failure.Load(); broken != nil {
		return broken
	}
	return ErrClosed
}

// fail ends everything because a table broke an invariant: no operation could trust
// what it learns from then on. The loops stop at once.
func (d *Driver) fail(broken *BrokenError) {
	d.failure.Store(broken)
	d.aborted.Store(true)
	d.abandon(false)
	if d.closing.Load() {
		d.closer.Wake()
	}
}

// admit is where the host may hold whoever begins something.
func (d *Driver) admit() {
	if enter := d.cfg.Host.Enter; enter != nil {
		enter()
	}
}

// loopFor picks the loop that hosts an operation.
func (d *Driver) loopFor(id uint64) *loop { return d.loops[1+id%operationLoops] }

// Now returns the present instant of the host's clock.
func (d *Driver) Now() ports.Instant { return d.cfg.Timers.Now() }

// Deadline returns the instant at which ctx ends, or, when it has no deadline, the
// one that is fallback away.
func (d *Driver) Deadline(ctx context.Context, fallback time.Duration) ports.Instant {
	d.admit()
	left := fallback
	if at, ok := ctx.Deadline(); ok {
		left = d.cfg.Host.Until(at)
	}
	return max(d.Now().Add(left), 1) // 0 would mean that there is none
}

// Clock returns the client's low-resolution timestamp with the instant of its
// arrival; zero before the first.
func (d *Driver) Clock() sm.Clock { return d.views.Load().clock }

// Draw returns the next number of the driver's seeded sequence.
func (d *Driver) Draw() uint64 {
	// The n-th number of a SplitMix64 sequence is that of the origin n steps on.
	r := sm.NewRand(d.cfg.Seed + d.draws.Add(1)*0x9e3779b97f4a7c15)
	return r.Uint64()
}
