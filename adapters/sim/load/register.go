package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// RegisterLoad reads and replaces single keys, each in a transaction of its own. Snapshot isolation with external
// consistency makes such calls linearizable, as those on raw registers.
type RegisterLoad struct {
	book
	registers int
	clients   map[string]int
	// Ops is what all clients saw.
	Ops []RegisterOp
}

// NewRegister returns the workload on the given number of keys, at least 2.
func NewRegister(registers int) *RegisterLoad {
	return &RegisterLoad{registers: registers, clients: map[string]int{}}
}

// Name implements [Workload].
func (p *RegisterLoad) Name() string { return "register" }

// Splits implements [Workload].
func (p *RegisterLoad) Splits() [][]byte { return [][]byte{[]byte(registerKey(p.registers / 2))} }

// Setup implements [Workload].
func (p *RegisterLoad) Setup(context.Context, *app.Client) error { return nil }

// Calls implements [Registers].
func (p *RegisterLoad) Calls() []RegisterOp { return p.Ops }

// Step implements [Workload].
func (p *RegisterLoad) Step(t *Task) error {
	client, ok := p.clients[t.Name]
	if !ok {
		client = len(p.clients)
		p.clients[t.Name] = client
	}
	ctx, cancel := t.context()
	defer cancel()
	op := RegisterOp{Register: t.choose(p.registers), Client: client, Began: t.World.Now()}
	if t.choose(3) == 0 {
		return p.read(ctx, t, op)
	}
	op.Kind, op.New, op.Unknown = RegisterSwap, t.unique(), true
	at := len(p.Ops)
	// Before its first read nothing can be said about the call, nor can it have written.
	p.Ops = append(p.Ops, RegisterOp{Register: op.Register, Client: client, Kind: RegisterSwap, NotApplied: true})
	done, err := p.update(ctx, t, func(ctx context.Context, e entry) error {
		value, err := e.get(ctx, registerKey(op.Register))
		if err != nil {
			return err
		}
		op.Old, op.Found = value, ""
		p.Ops[at] = op
		return e.put(registerKey(op.Register), op.New)
	})
	op.Ended = done.Ended
	switch done.Outcome {
	case check.Committed:
		op.Found, op.Swapped, op.Unknown = op.Old, true, false
	case check.Aborted:
		op.NotApplied, op.Unknown = true, false
	case check.Unknown:
	}
	p.Ops[at] = op
	return err
}

// read reads the newest value, at a timestamp or at the greatest there is.
func (p *RegisterLoad) read(ctx context.Context, t *Task, op RegisterOp) error {
	var snap *app.Snapshot
	if t.choose(2) == 0 {
		snap = t.DB.SnapshotAt(ports.MaxTimestamp)
	} else {
		var err error
		if snap, err = t.DB.Snapshot(ctx); err != nil {
			return err
		}
	}
	value, err := snap.Get(ctx, []byte(registerKey(op.Register)))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	op.Found, op.Ended = string(value), t.World.Now()
	p.Ops = append(p.Ops, op)
	return nil
}

// Settle implements [Workload].
func (p *RegisterLoad) Settle(ctx context.Context, db *app.Client) error {
	return p.settle(ctx, db, p.keys())
}

// Check implements [Workload].
func (p *RegisterLoad) Check(store check.Store) []string {
	return slices.Concat(p.wrong, p.history.Wrong(p.keys(), store))
}

func (p *RegisterLoad) keys() []string {
	keys := make([]string, p.registers)
	for i := range keys {
		keys[i] = registerKey(i)
	}
	return keys
}

func registerKey(i int) string { return fmt.Sprintf("register/%02d", i) }
