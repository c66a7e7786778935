package drive

import (
	"context"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
)

// Pool is a free list of operations with root machines of type T. It belongs to
// one driver. Safe for concurrent use.
type Pool[T any] struct {
	driver  *Driver
	codec   key.Codec
	machine func(*T) sm.Machine
}

// NewPool returns an empty pool: drive.NewPool[read.Get](d, codec).
func NewPool[T any, P interface {
	*T
	sm.Machine
}](d *Driver, codec key.Codec) *Pool[T] {
	return &Pool[T]{driver: d, codec: codec, machine: func(t *T) sm.Machine { return P(t) }}
}

// Op returns an operation. Its Machine is as the last user left it: initialise it.
func (p *Pool[T]) Op() *Op[T] { return &Op[T]{} }

// Op is an operation: a root machine with a mailbox. From [Pool.Op] to
// [Op.Release] it belongs to one caller.
type Op[T any] struct {
	// Machine is the root machine. It may be touched before Run, and read between
	// Run and Release.
	Machine T
}

// Run begins the machine and runs it on the calling goroutine until it has
// answered. When ctx ends first, the machine is cancelled and still answers by
// itself, soon. Run returns nil when the machine has answered, whatever the answer
// is; otherwise [ErrClosed] or a [BrokenError]. Called once.
func (o *Op[T]) Run(ctx context.Context) error { return nil }

// Release gives the operation up: to its pool, or, when its machine lives on after
// its answer, to a hosted loop first. Called once, also without Run, and in the same
// function as Run: until then nobody steps the machine.
func (o *Op[T]) Release() {}
