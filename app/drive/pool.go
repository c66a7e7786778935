package drive

import (
	"context"
	"sync"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
)

// maxIdle bounds the operations that a pool keeps.
const maxIdle = 256

// Pool is a free list of operations with root machines of type T. It belongs to
// one driver. Safe for concurrent use.
//
// It is a plain list and not a sync.Pool, so that simulated runs reuse operations
// in the same order every time. What waits in it holds no user's memory: a machine
// is zeroed, or, if it has a method Forget, told to drop what it was given and what
// it found, and may keep memory of its own.
type Pool[T any] struct {
	driver  *Driver
	codec   key.Codec
	machine func(*T) sm.Machine

	mu   sync.Mutex
	free []*Op[T]
}

// NewPool returns an empty pool: drive.NewPool[read.Get](d, codec).
func NewPool[T any, P interface {
	*T
	sm.Machine
}](d *Driver, codec key.Codec) *Pool[T] {
	return &Pool[T]{driver: d, codec: codec, machine: func(t *T) sm.Machine { return P(t) }}
}

// Op returns an operation, whose Machine has to be initialised.
func (p *Pool[T]) Op() *Op[T] {
	p.driver.admit()
	p.mu.Lock()
	if last := len(p.free) - 1; last >= 0 {
		o := p.free[last]
		p.free[last], p.free = nil, p.free[:last]
		p.mu.Unlock()
		return o
	}
	p.mu.Unlock()
	o := &Op[T]{pool: p}
	machine := p.machine(&o.Machine)
	o.forgetful, _ = machine.(interface{ Forget() })
	o.op.owner, o.op.waiter = o, p.driver.cfg.Host.NewWaiter()
	o.op.prepare(p.driver, machine, p.codec)
	return o
}

// Op is an operation: a root machine with a mailbox. From [Pool.Op] to
// [Op.Release] it belongs to one caller.
type Op[T any] struct {
	// Machine is the root machine. It may be touched before Run, and read between
	// Run and Release.
	Machine T

	pool *Pool[T]
	op   operation
	// forgetful is the machine, if it drops by itself what it need not keep.
	forgetful interface{ Forget() }
}

// Run begins the machine and runs it on the calling goroutine until it has
// answered. When ctx ends first, the machine is cancelled and still answers by
// itself, soon. Run returns nil when the machine has answered, whatever the answer
// is; otherwise [ErrClosed] or a [BrokenError]. Called once.
func (o *Op[T]) Run(ctx context.Context) error { return o.op.run(ctx) }

// Release gives the operation up: to its pool, or, when its machine lives on after
// its answer, to a hosted loop first. Called once, also without Run, and in the same
// function as Run: until then nobody steps the machine.
func (o *Op[T]) Release() { o.op.release() }

// recycle puts the operation back. Its generations go on, so that answers to its
// former life find nobody waiting.
func (o *Op[T]) recycle() {
	if o.forgetful != nil {
		o.forgetful.Forget()
	} else {
		var zero T
		o.Machine = zero
	}
	p := o.pool
	p.mu.Lock()
	kept := len(p.free) < maxIdle
	if kept {
		p.free = append(p.free, o)
	}
	p.mu.Unlock()
	if !kept {
		p.driver.registry.remove(&o.op)
	}
}
