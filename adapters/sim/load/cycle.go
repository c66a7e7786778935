package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// CycleLoad keeps nodes in a ring, each holding the number of the next. A transaction takes a node and swaps its two
// successors; whoever sees half of one sees a ring that is broken (the workload of FoundationDB's tests).
type CycleLoad struct {
	book
	nodes int
}

// NewCycle returns the workload on a ring of the given number of nodes, at least 4.
func NewCycle(nodes int) *CycleLoad { return &CycleLoad{nodes: nodes} }

// Name implements [Workload].
func (c *CycleLoad) Name() string { return "cycle" }

// Splits implements [Workload].
func (c *CycleLoad) Splits() [][]byte {
	return [][]byte{[]byte(node(c.nodes / 3)), []byte(node(2 * c.nodes / 3)), []byte("receipt/")}
}

// Setup implements [Workload].
func (c *CycleLoad) Setup(ctx context.Context, db *app.Client) error {
	return db.Update(ctx, func(_ context.Context, tx *app.Txn) error {
		for i := range c.nodes {
			if err := tx.Put([]byte(node(i)), []byte(strconv.Itoa((i+1)%c.nodes))); err != nil {
				return err
			}
		}
		return nil
	})
}

// Step implements [Workload].
func (c *CycleLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	if t.choose(4) == 0 {
		return c.look(ctx, t.DB)
	}
	first := t.choose(c.nodes)
	_, err := c.update(ctx, t, func(ctx context.Context, e entry) error {
		at := [4]int{first}
		for i := range 3 {
			next, err := e.get(ctx, node(at[i]))
			if err != nil {
				return err
			}
			if at[i+1], err = strconv.Atoi(next); err != nil {
				return fmt.Errorf("node %d: %w", at[i], err)
			}
		}
		for i, next := range []int{at[2], at[3], at[1]} {
			if err := e.put(node(at[[]int{0, 1, 2}[i]]), strconv.Itoa(next)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// look reads all nodes in one snapshot and walks the ring.
func (c *CycleLoad) look(ctx context.Context, db *app.Client) error {
	values, err := c.view(ctx, db, c.keys())
	if err != nil {
		return err
	}
	met := make([]bool, c.nodes)
	at, steps := 0, 0
	for ; at >= 0 && at < c.nodes && !met[at]; steps++ {
		met[at] = true
		if at, err = strconv.Atoi(values[at]); err != nil {
			at = -1
		}
	}
	if at != 0 || steps != c.nodes {
		c.wrong = append(c.wrong, fmt.Sprintf("a snapshot shows a ring of %d nodes instead of %d: %v", steps, c.nodes,
			values))
	}
	return nil
}

// Settle implements [Workload].
func (c *CycleLoad) Settle(ctx context.Context, db *app.Client) error {
	if err := c.look(ctx, db); err != nil {
		return err
	}
	return c.settle(ctx, db, c.keys())
}

// Check implements [Workload].
func (c *CycleLoad) Check(store check.Store) []string {
	return slices.Concat(c.wrong, c.history.Wrong(c.keys(), store))
}

func (c *CycleLoad) keys() []string {
	keys := make([]string, c.nodes)
	for i := range keys {
		keys[i] = node(i)
	}
	return keys
}

func node(i int) string { return fmt.Sprintf("node/%03d", i) }
