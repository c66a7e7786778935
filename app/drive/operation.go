package drive

import (
	"context"
	"sync"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// runner says who steps an operation's machine.
type runner uint8

const (
	// nobody: the operation is not begun or is finished; what is posted is dropped.
	nobody runner = iota
	// caller: the goroutine that called Run.
	caller
	// hosted: a loop.
	hosted
)

// operation is a root machine with its mailbox. Everything but the mailbox belongs
// to the runner, and goes over to the next one under the mailbox's lock.
//
//	nobody ──run──▶ caller ──Release──▶ hosted ──Done──▶ nobody
//	  ▲               │ Done, broken, closed
//	  └───────────────┘
type operation struct {
	driver  *Driver
	machine sm.Machine
	id      uint64
	env     sm.Env
	out     sm.Effects
	// seen are the views that env holds.
	seen *views
	// now is the newest instant that the machine has seen.
	now ports.Instant
	// batch holds the events that were taken from the mailbox; those before next
	// were stepped.
	batch []ports.Event
	next  int
	// entered: the operation counts as live, begun since it was last idle.
	entered, answered, cancelled, closed bool

	broken  *BrokenError
	flights flights
	waiter  Waiter
	loop    *loop
	// after, when set, runs between a step and its effects (tables publish there).
	after func()
	// owner takes the operation back when its machine is done; nil for tables.
	owner recycler

	mailbox
}

// mailbox is what other goroutines may touch.
type mailbox struct {
	mu     sync.Mutex
	runner runner
	// events were posted and not yet taken, oldest first.
	events []ports.Event
	// waiting: the caller has found the mailbox empty and wants to be woken.
	waiting bool
	// queued: the loop will look into the mailbox, or does so.
	queued bool
	// past is the newest generation of the operation's former lives.
	past uint32
}

type recycler interface{ recycle() }

// prepare makes an operation for a machine; it is done once in its life.
func (o *operation) prepare(d *Driver, machine sm.Machine, codec key.Codec) {
	o.driver, o.machine = d, machine
	o.env.Codec, o.env.Knobs, o.env.Visitor = codec, &d.cfg.Knobs, d.cfg.Visitor
	d.registry.add(o)
}

// Post implements [ports.Sink]. An answer that nobody waits for any more is
// dropped, here if the operation is finished or lives anew, otherwise by its
// machine.
func (o *operation) Post(ev ports.Event) {
	if ev.Now == 0 {
		ev.Now = o.driver.cfg.Timers.Now()
	}
	o.mu.Lock()
	if o.runner == nobody || o.outlived(ev.Tok) {
		o.mu.Unlock()
		if ev.Lease != nil {
			ev.Lease.Release()
		}
		return
	}
	o.events = append(o.events, ev)
	wake, queue := o.waiting, o.runner == hosted && !o.queued
	o.waiting = false
	o.queued = o.queued || queue
	o.mu.Unlock()
	switch {
	case wake:
		o.waiter.Wake()
	case queue:
		o.loop.add(o)
	}
}

// outlived reports whether a token was given out in a former life of the operation. Its machine would ignore the
// answer, but only after its caller was woken; and there are many: every commit arms a timer for its first heartbeat,
// which cannot be disarmed and mostly fires when the operation serves somebody else. Tables have one life. The lock is
// held.
func (o *operation) outlived(tok ports.Tok) bool {
	return o.owner != nil && int32(tok.Gen-o.past) <= 0
}

// run begins the machine and steps it until it has answered.
func (o *operation) run(ctx context.Context) error {
	if err := o.driver.enter(); err != nil {
		return err
	}
	o.entered = true
	o.begin(caller)
	for {
		for o.next < len(o.batch) {
			o.step()
			switch {
			case o.broken != nil:
				return o.broken
			case o.answered || o.machine.Done():
				return nil
			}
		}
		if err := o.await(ctx); err != nil {
			o.closed = true
			return err
		}
	}
}

// begin opens the mailbox and puts EventStart in front of everything.
func (o *operation) begin(by runner) {
	o.env.Rand = sm.NewRand(o.driver.Draw())
	o.batch = append(o.batch[:0], ports.Event{Kind: ports.EventStart, Now: o.driver.cfg.Timers.Now()})
	o.next = 0
	o.mu.Lock()
	o.runner, o.past = by, o.env.Gen()
	o.mu.Unlock()
}

// await takes the next events, waiting for them if need be. When ctx has ended,
// EventCancel comes behind what had been posted before; after that ctx is of no
// interest.
func (o *operation) await(ctx context.Context) error {
	if o.cancelled {
		ctx = context.Background()
	}
	for {
		if o.driver.aborted.Load() {
			return o.driver.refusal()
		}
		posted := o.take()
		if ctx.Err() != nil {
			o.cancelled = true
			o.batch = append(o.batch, ports.Event{Kind: ports.EventCancel, Now: o.driver.cfg.Timers.Now()})
			return nil
		}
		if posted {
			return nil
		}
		if !o.driver.aborted.Load() { // set before the waiting callers are woken
			o.waiter.Wait(ctx)
		}
	}
}

// take moves what was posted into the batch, which must be stepped to its end. It
// returns false when there is nothing: from then on a post wakes the caller.
func (o *operation) take() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batch, o.events = o.events, o.batch[:0]
	o.next = 0
	o.waiting = len(o.batch) == 0 && o.runner == caller
	return len(o.batch) > 0
}

// release is the caller's farewell.
func (o *operation) release() {
	switch {
	case !o.entered:
		o.owner.recycle()
	case o.broken == nil && !o.closed && !o.machine.Done():
		o.handOver()
	default:
		o.finish()
	}
}

// handOver makes a loop the runner, with whatever was posted meanwhile.
func (o *operation) handOver() {
	o.loop = o.driver.loopFor(o.id)
	if last := len(o.batch) - 1; o.next <= last && o.batch[last].Kind == ports.EventCancel {
		o.batch = o.batch[:last] // whoever was to be cancelled has left with an answer
	}
	o.mu.Lock()
	dropped := o.driver.aborted.Load() // set before Close looks for hosted operations
	if !dropped {
		o.runner, o.waiting = hosted, false
		o.queued = o.next < len(o.batch) || len(o.events) > 0
	}
	queued := o.queued
	o.mu.Unlock()
	switch {
	case dropped:
		o.closed = true
		o.finish()
	case queued:
		o.loop.add(o)
	}
}

// turn is a loop's visit: it steps what was posted before it came.
func (o *operation) turn() {
	if o.next == len(o.batch) {
		o.take()
	}
	for o.next < len(o.batch) {
		o.step()
		switch {
		case o.broken != nil && o.owner == nil:
			o.driver.fail(o.broken)
			return
		case o.broken != nil || o.machine.Done():
			o.finish()
			return
		}
	}
	o.mu.Lock()
	o.queued = len(o.events) > 0
	queued := o.queued
	o.mu.Unlock()
	if queued {
		o.loop.add(o)
	}
}

// finish closes the mailbox and gives the operation back. One whose machine did not
// end by itself is never used again.
func (o *operation) finish() {
	o.mu.Lock()
	o.runner, o.waiting, o.queued = nobody, false, false
	left := o.events
	o.mu.Unlock()
	drop(o.batch[o.next:])
	drop(left)
	o.batch, o.events, o.next = o.batch[:0], left[:0], 0
	o.complain()
	o.driver.abandoned(&o.flights, o.now)
	reusable := o.broken == nil && !o.closed
	o.entered, o.answered, o.cancelled = false, false, false
	o.seen, o.env.Regions, o.env.Stores, o.env.Txns = nil, nil, nil, nil
	if reusable {
		o.owner.recycle()
	} else {
		o.driver.registry.remove(o)
	}
	o.driver.leave()
}

// complain passes on what the machine met after its answer. A broken machine is not
// asked: its panic has been told.
func (o *operation) complain() {
	tell := o.driver.cfg.Trouble
	if tell == nil || o.broken != nil {
		return
	}
	if m, ok := o.machine.(interface{ Trouble() *sm.Failure }); ok {
		if trouble := m.Trouble(); trouble != nil {
			tell(trouble)
		}
	}
}

// silence closes the mailbox of a table.
func (o *operation) silence() {
	o.mu.Lock()
	o.runner = nobody
	left := o.events
	o.events = nil
	o.mu.Unlock()
	drop(o.batch[o.next:])
	drop(left)
}

// drop releases what events of a finished operation lend.
func drop(events []ports.Event) {
	for i := range events {
		if lease := events[i].Lease; lease != nil {
			lease.Release()
		}
	}
	clear(events)
}
