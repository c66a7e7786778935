package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// SwapLoad compares and swaps raw keys. Every value is written once only, so
// that a swap that is delivered late or twice can succeed at one place at most.
type SwapLoad struct {
	registers int
	tally     Tally
	clients   map[string]int
	// Ops is what all clients saw.
	Ops []RegisterOp
}

// NewSwap returns the workload on the given number of registers, at least 2.
func NewSwap(registers int) *SwapLoad {
	return &SwapLoad{registers: registers, clients: map[string]int{}}
}

// Calls implements [Registers].
func (r *SwapLoad) Calls() []RegisterOp { return r.Ops }

// Name implements [Workload].
func (r *SwapLoad) Name() string { return "raw-cas" }

// RawKeys implements [Workload].
func (r *SwapLoad) RawKeys() bool { return true }

// Splits implements [Workload].
func (r *SwapLoad) Splits() [][]byte { return [][]byte{cell(r.registers / 2)} }

// Setup implements [Workload].
func (r *SwapLoad) Setup(context.Context, *app.Client) error { return nil }

// Done implements [Workload].
func (r *SwapLoad) Done() Tally { return r.tally }

// Txns implements [Workload].
func (r *SwapLoad) Txns() []check.Txn { return nil }

// Step implements [Workload].
func (r *SwapLoad) Step(t *Task) error {
	client, ok := r.clients[t.Name]
	if !ok {
		client = len(r.clients)
		r.clients[t.Name] = client
	}
	ctx, cancel := t.context()
	defer cancel()
	raw := t.DB.Raw(app.Atomic())
	op := RegisterOp{Register: t.choose(r.registers), Client: client, Began: t.World.Now()}
	value, err := raw.Get(ctx, cell(op.Register))
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
func (r *SwapLoad) swap(ctx context.Context, t *Task, raw *app.Raw, op RegisterOp) error {
	op.Kind, op.Old, op.New, op.Began = RegisterSwap, op.Found, t.unique(), t.World.Now()
	op.Found, op.Unknown = "", true
	at := len(r.Ops)
	r.Ops = append(r.Ops, op)
	var result app.Swap
	var err error
	if op.Old == "" {
		result, err = raw.PutIfAbsent(ctx, cell(op.Register), []byte(op.New))
	} else {
		result, err = raw.CompareAndSwap(ctx, cell(op.Register), []byte(op.Old), []byte(op.New))
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
func (r *SwapLoad) Settle(ctx context.Context, db *app.Client) error {
	for i := range r.registers {
		if _, err := db.Raw(app.Atomic()).Get(ctx, cell(i)); err != nil && !errors.Is(err, app.ErrNotFound) {
			return err
		}
	}
	return nil
}

// Check implements [Workload]. Whether the calls can be put in one order is for a
// checker of linearizability to say.
func (r *SwapLoad) Check(check.Store) []string { return nil }

func cell(i int) []byte { return fmt.Appendf(nil, "cell/%02d", i) }
