package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// BatchLoad puts, deletes, reads and scans raw keys, many at a time, swaps some, and gives others a life. What a batch
// guarantees it guarantees for each key, so it counts as a call on each of its keys that lasts as long as the batch.
//
// TiKV applies a raw write twice if it arrives twice, and the second time may be after another's write. Where that
// cannot have happened, the calls on each key must fit into one order. Everywhere no key may show what nobody has
// written to it, what was not applied, or what should not live any more.
type BatchLoad struct {
	book
	values  rawValues
	clients map[string]int
	ops     []RegisterOp
}

// The families of keys: those that are also swapped; those of which ranges are removed; and those that have a life, of
// which each belongs to one task.
const (
	rawSwapped = iota
	rawPlain
	rawMortal
	rawFamilies
)

// perFamily is the number of keys of a family; tasks beyond it have no mortal key.
const perFamily = 12

// NewBatch returns the workload.
func NewBatch() *BatchLoad {
	return &BatchLoad{clients: map[string]int{}, values: rawValues{known: map[string]*rawValue{}}}
}

// Calls implements [Registers].
func (b *BatchLoad) Calls() []RegisterOp {
	if b.values.repeated() {
		return nil
	}
	return b.values.definite(b.ops)
}

// Name implements [Workload].
func (b *BatchLoad) Name() string { return "raw-batch" }

// RawKeys implements [Workload].
func (b *BatchLoad) RawKeys() bool { return true }

// Splits implements [Workload].
func (b *BatchLoad) Splits() [][]byte {
	return [][]byte{rawKey(perFamily / 2), rawKey(perFamily + perFamily/2), rawKey(rawMortal * perFamily)}
}

// Setup implements [Workload].
func (b *BatchLoad) Setup(context.Context, *app.Client) error { return nil }

// Step implements [Workload].
func (b *BatchLoad) Step(t *Task) error {
	if _, ok := b.clients[t.Name]; !ok {
		b.clients[t.Name] = len(b.clients)
	}
	b.values.world = t.World
	ctx, cancel := t.context()
	defer cancel()
	c := rawCall{load: b, t: t, raw: t.DB.Raw(), began: t.World.Now()}
	switch t.choose(8) {
	case 0:
		return c.batchGet(ctx)
	case 1:
		return c.scan(ctx)
	case 2:
		return c.batchDelete(ctx)
	case 3:
		return c.deleteRange(ctx)
	case 4, 5:
		return c.swap(ctx)
	case 6:
		return c.ownMortal(ctx)
	}
	return c.batchPut(ctx)
}

// Settle implements [Workload]. It waits until nothing may live any more that has a life.
func (b *BatchLoad) Settle(ctx context.Context, db *app.Client) error {
	if b.values.world == nil {
		return nil
	}
	w := b.values.world
	w.Current().Sleep(longestLife + belated)
	var order []int
	for k := range rawFamilies * perFamily {
		order = append(order, k)
	}
	c := rawCall{load: b, t: &Task{World: w, DB: db, Name: "audit"}, raw: db.Raw(), began: w.Now()}
	return c.read(ctx, order, len(order))
}

// Check implements [Workload].
func (b *BatchLoad) Check(check.Store) []string { return b.values.wrong() }

// rawCall is one call of a task.
type rawCall struct {
	load  *BatchLoad
	t     *Task
	raw   *app.Raw
	began ports.Instant
}

// subset draws keys of the first families.
func (c *rawCall) subset(families int) []int {
	list := make([]int, 1+c.t.choose(6))
	for i := range list {
		list[i] = c.t.choose(families * perFamily)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *rawCall) batchGet(ctx context.Context) error {
	keys := c.subset(rawFamilies)
	pairs, err := c.raw.BatchGet(ctx, rawKeys(keys))
	if err != nil {
		return err
	}
	for _, k := range keys {
		value, err := pairs.Get(rawKey(k))
		if err != nil {
			value = nil
		}
		c.saw(k, string(value))
	}
	return nil
}

// scan reads a range, all of it or its first pairs, from either end.
func (c *rawCall) scan(ctx context.Context) error {
	from := c.t.choose(rawFamilies * perFamily)
	to := from + 1 + c.t.choose(rawFamilies*perFamily-from)
	order := make([]int, 0, to-from)
	for k := from; k < to; k++ {
		order = append(order, k)
	}
	opts, limit := []app.ScanOption{app.Range(rawKey(from), rawKey(to))}, len(order)
	if c.t.choose(2) == 0 {
		limit = 1 + c.t.choose(8)
		opts = append(opts, app.Limit(limit))
	}
	if c.t.choose(2) == 0 {
		slices.Reverse(order)
		opts = append(opts, app.Reverse())
	}
	return c.read(ctx, order, limit, opts...)
}

// read scans keys that come in an order. What comes before a key that is shown, and is not shown, is absent.
func (c *rawCall) read(ctx context.Context, order []int, limit int, opts ...app.ScanOption) error {
	found := 0
	for kv, err := range c.raw.Scan(ctx, opts...) {
		if err != nil {
			return err
		}
		at := slices.IndexFunc(order, func(k int) bool { return string(rawKey(k)) == string(kv.Key) })
		if at < 0 || found == limit {
			c.load.values.report("a scan shows %q, which is not next", kv.Key)
			return nil
		}
		for _, k := range order[:at] {
			c.saw(k, "")
		}
		c.saw(order[at], string(kv.Value))
		order = order[at+1:]
		found++
	}
	if found < limit {
		for _, k := range order {
			c.saw(k, "")
		}
	}
	return nil
}

// saw keeps what one key showed.
func (c *rawCall) saw(k int, value string) {
	c.load.values.saw(k, value, c.began)
	if k < rawMortal*perFamily {
		c.load.ops = append(c.load.ops, RegisterOp{
			Register: k, Client: c.client(), Found: value, Began: c.began, Ended: c.t.World.Now(),
		})
	}
}

func (c *rawCall) client() int { return c.load.clients[c.t.Name] }

// batchPut puts a value of its own to each of some keys, and to the task's mortal one.
func (c *rawCall) batchPut(ctx context.Context) error {
	keys := c.subset(rawMortal)
	if mine, ok := c.mortal(); ok {
		keys = append(keys, mine)
	}
	pairs, values := make([]app.KV, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		values[i] = c.t.unique()
		pairs[i] = app.KV{Key: rawKey(k), Value: []byte(values[i])}
		if k >= rawMortal*perFamily {
			pairs[i].TTL = time.Duration(1+c.t.choose(3)) * time.Second
		}
		c.load.values.begin(values[i], rawValue{key: k, life: pairs[i].TTL, began: c.began})
	}
	return c.write(keys, values, func() error { return c.raw.BatchPut(ctx, pairs) })
}

func (c *rawCall) batchDelete(ctx context.Context) error {
	keys := c.subset(rawMortal)
	return c.write(keys, make([]string, len(keys)), func() error { return c.raw.BatchDelete(ctx, rawKeys(keys)) })
}

// deleteRange removes a few keys that follow each other. TiKV takes no latches of single keys for that, so that they
// must not be swapped.
func (c *rawCall) deleteRange(ctx context.Context) error {
	from := perFamily + c.t.choose(perFamily)
	to := min(from+1+c.t.choose(4), 2*perFamily)
	var keys []int
	for k := from; k < to; k++ {
		keys = append(keys, k)
	}
	return c.write(keys, make([]string, len(keys)), func() error {
		return c.raw.DeleteRange(ctx, rawKey(from), rawKey(to))
	})
}

// write keeps a write of values, empty ones for deletions, to keys. Until it is answered it is kept as unknown: its
// client may crash.
func (c *rawCall) write(keys []int, values []string, call func() error) error {
	at := len(c.load.ops)
	for i, k := range keys {
		c.load.ops = append(c.load.ops, RegisterOp{
			Register: k, Client: c.client(), Kind: RegisterWrite, New: values[i], Unknown: true, Began: c.began,
		})
	}
	err := call()
	c.load.tally.count(app.OutcomeOf(err))
	for i, k := range keys {
		op, outcome := &c.load.ops[at+i], keyOutcome(err, rawKey(k))
		op.Ended, op.Unknown, op.NotApplied = c.t.World.Now(), outcome == app.Unknown, outcome == app.NotApplied
		c.load.values.end(values[i], outcome, op.Ended)
	}
	if app.OutcomeOf(err) == app.Unknown {
		return nil // as a swap
	}
	return err
}

// keyOutcome returns what became of one key of a batch.
func keyOutcome(err error, key []byte) app.Outcome {
	var e *app.Error
	if errors.As(err, &e) {
		for _, k := range e.Keys {
			if string(k.Key) == string(key) {
				return k.Outcome
			}
		}
	}
	return app.OutcomeOf(err)
}

// swap reads a key and replaces, inserts or removes what it showed.
func (c *rawCall) swap(ctx context.Context) error {
	k, raw := c.t.choose(perFamily), c.raw.With(app.Atomic())
	value, err := raw.Get(ctx, rawKey(k))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	c.saw(k, string(value))
	c.began = c.t.World.Now()
	op := RegisterOp{
		Register: k, Client: c.client(), Kind: RegisterSwap, Old: string(value), Unknown: true, Began: c.began,
	}
	remove := len(value) > 0 && c.t.choose(3) == 0
	if !remove {
		op.New = c.t.unique()
		c.load.values.begin(op.New, rawValue{key: k, began: c.began})
	}
	at := len(c.load.ops)
	c.load.ops = append(c.load.ops, op)
	var result app.Swap
	switch {
	case remove:
		result, err = raw.CompareAndDelete(ctx, rawKey(k), value)
	case len(value) == 0:
		result, err = raw.PutIfAbsent(ctx, rawKey(k), []byte(op.New))
	default:
		result, err = raw.CompareAndSwap(ctx, rawKey(k), value, []byte(op.New))
	}
	outcome := app.OutcomeOf(err)
	c.load.tally.count(outcome)
	op.Ended, op.Unknown, op.NotApplied = c.t.World.Now(), outcome == app.Unknown, outcome == app.NotApplied
	op.Found, op.Swapped = string(result.Previous), result.Swapped
	c.load.values.saw(k, op.Found, c.began)
	if outcome == app.Applied && !op.Swapped {
		outcome = app.NotApplied
	}
	c.load.ops[at] = op
	c.load.values.end(op.New, outcome, op.Ended)
	if op.Unknown {
		return nil
	}
	return err
}

// mortal returns the task's own key that has a life.
func (c *rawCall) mortal() (int, bool) {
	return rawMortal*perFamily + c.client(), c.client() < perFamily
}

// ownMortal reads the task's mortal key, which nobody else writes, and how long it has to live.
func (c *rawCall) ownMortal(ctx context.Context) error {
	k, ok := c.mortal()
	if !ok {
		return nil
	}
	value, err := c.raw.Get(ctx, rawKey(k))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	c.load.values.saw(k, string(value), c.began)
	c.load.values.own(k, string(value), c.t.World.Now())
	left, err := c.raw.TTL(ctx, rawKey(k))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	if err == nil {
		c.load.values.left(k, left)
	}
	return nil
}

// rawKey returns a key; the keys ascend with their numbers.
func rawKey(i int) []byte { return fmt.Appendf(nil, "raw/%02d", i) }

func rawKeys(numbers []int) [][]byte {
	keys := make([][]byte, len(numbers))
	for i, n := range numbers {
		keys[i] = rawKey(n)
	}
	return keys
}
