package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// RegisterOp is one call on a raw register, as its client saw it.
type RegisterOp struct {
	Register int
	// Kind says which of the others are set.
	Kind RegisterKind
	// Old and New belong to a swap; an empty Old means that the key was absent.
	Old, New string
	// Found is what was read, or what a swap found; empty means absent.
	Found   string
	Swapped bool
	// Unknown: no answer came; the swap may have happened at any time since.
	// NotApplied: it never will.
	Unknown, NotApplied bool
	Client              int
	Began, Ended        ports.Instant
}

// RegisterKind says what is done to a register.
type RegisterKind uint8

// The calls.
const (
	RegisterRead RegisterKind = iota
	RegisterSwap
)

// RegisterLoad compares and swaps raw keys. Every value is written once only, so
// that a swap that is delivered late or twice can succeed at one place at most.
type RegisterLoad struct {
	registers int
	tally     Tally
	clients   map[string]int
	// Ops is what all clients saw.
	Ops []RegisterOp
}

// NewRegister returns the workload on the given number of registers, at least 2.
func NewRegister(registers int) *RegisterLoad {
	return &RegisterLoad{registers: registers, clients: map[string]int{}}
}

// Registers is a workload whose calls can be put into one order.
type Registers interface{ Calls() []RegisterOp }

// Calls implements [Registers].
func (r *RegisterLoad) Calls() []RegisterOp { return r.Ops }

// Name implements [Workload].
func (r *RegisterLoad) Name() string { return "register" }

// RawKeys implements [Workload].
func (r *RegisterLoad) RawKeys() bool { return true }

// Splits implements [Workload].
func (r *RegisterLoad) Splits() [][]byte { return [][]byte{register(r.registers / 2)} }

// Setup implements [Workload].
func (r *RegisterLoad) Setup(context.Context, *app.Client) error { return nil }

// Done implements [Workload].
func (r *RegisterLoad) Done() Tally { return r.tally }

// Txns implements [Workload].
func (r *RegisterLoad) Txns() []check.Txn { return nil }

// Step implements [Workload].
func (r *RegisterLoad) Step(t *Task) error {
	client, ok := r.clients[t.Name]
	if !ok {
		client = len(r.clients)
		r.clients[t.Name] = client
	}
	ctx, cancel := t.context()
	defer cancel()
	raw := t.DB.Raw(app.Atomic())
	op := RegisterOp{Register: t.choose(r.registers), Client: client, Began: t.World.Now()}
	value, err := raw.Get(ctx, register(op.Register))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	op.Found, op.Ended = string(value), t.World.Now()
	r.Ops = append(r.Ops, op)
	if t.choose(3) == 0 {
		return nil
	}
	return r.swap(ctx, t, raw, op)
}

// swap replaces what was read. It is kept as unknown until it is answered: a client
// that crashes meanwhile may have written.
func (r *RegisterLoad) swap(ctx context.Context, t *Task, raw *app.Raw, op RegisterOp) error {
	op.Kind, op.Old, op.New, op.Began = RegisterSwap, op.Found, t.unique(), t.World.Now()
	op.Found, op.Unknown = "", true
	at := len(r.Ops)
	r.Ops = append(r.Ops, op)
	var result app.Swap
	var err error
	if op.Old == "" {
		result, err = raw.PutIfAbsent(ctx, register(op.Register), []byte(op.New))
	} else {
		result, err = raw.CompareAndSwap(ctx, register(op.Register), []byte(op.Old), []byte(op.New))
	}
	r.tally.count(app.OutcomeOf(err))
	switch app.OutcomeOf(err) {
	case app.Committed:
		op.Found, op.Swapped, op.Unknown = string(result.Previous), result.Swapped, false
	case app.Aborted:
		op.NotApplied, op.Unknown = true, false
	case app.Unknown:
	}
	op.Ended = t.World.Now()
	r.Ops[at] = op
	if op.Unknown {
		return nil // a swap is lost with a connection that breaks, if only because its store was down long ago
	}
	return err
}

// Settle implements [Workload].
func (r *RegisterLoad) Settle(ctx context.Context, db *app.Client) error {
	for i := range r.registers {
		if _, err := db.Raw(app.Atomic()).Get(ctx, register(i)); err != nil && !errors.Is(err, app.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Check implements [Workload]. Whether the calls can be put in one order is for a
// checker of linearizability to say.
func (r *RegisterLoad) Check(check.Store) []string { return nil }

func register(i int) []byte { return fmt.Appendf(nil, "register/%02d", i) }
