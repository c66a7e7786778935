package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// AppendLoad appends elements to lists and reads lists, several in one transaction, so that everything that was wrong
// can be told from what the clients saw ([check.ListAppend]).
type AppendLoad struct {
	book
	slots []int
	names map[string]bool
	keys  []string
	next  int64
	txns  []check.AppendTxn
}

// full is the length at which a list is left alone and another takes its place.
const full = 24

// NewAppend returns the workload on the given number of lists at a time.
func NewAppend(lists int) *AppendLoad {
	return &AppendLoad{slots: make([]int, lists), names: map[string]bool{}}
}

// Name implements [Workload].
func (a *AppendLoad) Name() string { return "list-append" }

// Splits implements [Workload].
func (a *AppendLoad) Splits() [][]byte {
	return [][]byte{fmt.Appendf(nil, "list/%02d", len(a.slots)/2), []byte("receipt/")}
}

// Setup implements [Workload].
func (a *AppendLoad) Setup(context.Context, *app.Client) error { return nil }

// Step implements [Workload].
func (a *AppendLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	plan := make([]check.AppendOp, 1+t.choose(4))
	writes := false
	for i := range plan {
		plan[i].Key = a.key(t.choose(len(a.slots)))
		if t.choose(3) > 0 {
			writes = true
			a.next++
			plan[i].Element = a.next
		}
	}
	if !writes {
		return a.read(ctx, t, plan)
	}
	// Until it is answered, nothing is known but what it may append: its client may crash.
	at := len(a.txns)
	seen := check.AppendTxn{Name: "unanswered of " + t.Name, Began: t.World.Now(), Ops: slices.Clone(plan)}
	seen.Ops = slices.DeleteFunc(seen.Ops, func(op check.AppendOp) bool { return op.Element == 0 })
	a.txns = append(a.txns, seen)
	done, err := a.update(ctx, t, func(ctx context.Context, e entry) error {
		seen.Ops = seen.Ops[:0:0]
		for _, op := range plan {
			if err := a.run(ctx, e, op, &seen); err != nil {
				return err
			}
		}
		return nil
	})
	seen.Name, seen.Ended, seen.Outcome = done.Receipt, done.Ended, done.Outcome
	a.txns[at] = seen
	return err
}

// run does one operation. Appending reads the list, too, and what was read is kept.
func (a *AppendLoad) run(ctx context.Context, e entry, op check.AppendOp, seen *check.AppendTxn) error {
	value, err := e.tx.Get(ctx, []byte(op.Key))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	seen.Ops = append(seen.Ops, check.AppendOp{Key: op.Key, List: parse(string(value))})
	if op.Element == 0 {
		return nil
	}
	seen.Ops = append(seen.Ops, op)
	text := strconv.FormatInt(op.Element, 10)
	if err == nil {
		text = string(value) + " " + text
	}
	if strings.Count(text, " ") >= full {
		a.retire(op.Key)
	}
	return e.put(op.Key, text)
}

// read reads lists in one snapshot.
func (a *AppendLoad) read(ctx context.Context, t *Task, plan []check.AppendOp) error {
	seen := check.AppendTxn{Name: "read " + t.unique(), Began: t.World.Now(), Outcome: check.Committed}
	var keys []string
	for _, op := range plan {
		if !slices.Contains(keys, op.Key) {
			keys = append(keys, op.Key)
		}
	}
	values, err := a.view(ctx, t.DB, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		seen.Ops = append(seen.Ops, check.AppendOp{Key: k, List: parse(values[i])})
	}
	seen.Ended = t.World.Now()
	a.txns = append(a.txns, seen)
	return nil
}

// key returns the list that has a slot now.
func (a *AppendLoad) key(slot int) string {
	name := fmt.Sprintf("list/%02d/%04d", slot, a.slots[slot])
	if !a.names[name] {
		a.names[name] = true
		a.keys = append(a.keys, name)
	}
	return name
}

// retire gives the slot of a list to a new one.
func (a *AppendLoad) retire(key string) {
	for slot := range a.slots {
		if a.key(slot) == key {
			a.slots[slot]++
		}
	}
}

// parse reads a list.
func parse(value string) []int64 {
	var list []int64
	for _, word := range strings.Fields(value) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			n = -1 // nobody appends that
		}
		list = append(list, n)
	}
	return list
}

// Settle implements [Workload].
func (a *AppendLoad) Settle(ctx context.Context, db *app.Client) error {
	return a.settle(ctx, db, a.keys)
}

// Check implements [Workload].
func (a *AppendLoad) Check(store check.Store) []string {
	return slices.Concat(a.wrong, check.ListAppend(a.txns), a.history.Wrong(a.keys, store))
}
