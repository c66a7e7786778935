package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// OwnLoad lets transactions read what they have written: each does a few things at random (puts, deletions, insertions,
// savepoints and the way back to them, reads of every kind), and each read must show what a plain map shows that began
// as the transaction's snapshot. What is committed in the end must be what the map holds.
type OwnLoad struct {
	book
	keys  int
	plans []ownPlan
}

// ownPlan is what a transaction wanted to leave behind.
type ownPlan struct {
	txn  check.Txn
	left ownState
}

// NewOwn returns the workload on the given number of keys.
func NewOwn(keys int) *OwnLoad { return &OwnLoad{keys: keys} }

// Name implements [Workload].
func (o *OwnLoad) Name() string { return "own-writes" }

// Splits implements [Workload].
func (o *OwnLoad) Splits() [][]byte {
	return [][]byte{[]byte(ownKey(o.keys / 3)), []byte(ownKey(2 * o.keys / 3)), []byte("receipt/")}
}

// Setup implements [Workload].
func (o *OwnLoad) Setup(context.Context, *app.Client) error { return nil }

// Step implements [Workload].
func (o *OwnLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	var left ownState
	done, err := o.update(ctx, t, func(ctx context.Context, e entry) error {
		s := ownTxn{load: o, t: t, tx: e.tx}
		if err := s.begin(ctx, e); err != nil {
			return err
		}
		for range 3 + t.choose(12) {
			if err := s.act(ctx); err != nil {
				return err
			}
		}
		left = s.now
		return nil
	})
	if done.Outcome == check.Committed && len(left.refused) > 0 {
		o.report("%s is committed although it inserted what was there", done.Receipt)
	}
	o.plans = append(o.plans, ownPlan{done, left})
	return err
}

// Settle implements [Workload].
func (o *OwnLoad) Settle(ctx context.Context, db *app.Client) error {
	return o.settle(ctx, db, o.all())
}

// Check implements [Workload].
func (o *OwnLoad) Check(store check.Store) []string {
	wrong := slices.Concat(o.wrong, o.history.Wrong(o.all(), store))
	for _, p := range o.plans {
		if len(store.Versions(p.txn.Receipt)) == 0 {
			continue
		}
		for _, k := range o.all() {
			wrong = append(wrong, p.kept(k, store)...)
		}
	}
	return wrong
}

// kept holds what a committed transaction left of a key against what it wanted to. A deletion of what was not there
// may leave nothing.
func (p *ownPlan) kept(key string, store check.Store) []string {
	versions := store.Versions(key)
	at := slices.IndexFunc(versions, func(v check.Version) bool { return v.Start == p.txn.Start })
	value, there := p.left.values[key]
	switch {
	case at < 0 && p.left.written[key] && there:
		return []string{fmt.Sprintf("%s: %q was put, and is not committed", p.txn.Receipt, key)}
	case at >= 0 && !p.left.written[key]:
		return []string{fmt.Sprintf("%s: %q was not written, and is committed", p.txn.Receipt, key)}
	case at >= 0 && (versions[at].Deleted == there || there && string(versions[at].Value) != value):
		return []string{fmt.Sprintf("%s: %q is committed otherwise than it was written", p.txn.Receipt, key)}
	}
	return nil
}

func (o *OwnLoad) report(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// all returns every key, in order.
func (o *OwnLoad) all() []string {
	keys := make([]string, o.keys)
	for i := range keys {
		keys[i] = ownKey(i)
	}
	return keys
}

// ownState is what a transaction should see: all values, which keys it has written, and those that it has inserted
// although they were there.
type ownState struct {
	values           map[string]string
	written, refused map[string]bool
}

func (s ownState) clone() ownState {
	return ownState{maps.Clone(s.values), maps.Clone(s.written), maps.Clone(s.refused)}
}

// ownTxn is a run of a transaction.
type ownTxn struct {
	load *OwnLoad
	t    *Task
	tx   *app.Txn
	now  ownState
	// points are the savepoints, and what was to be seen at each.
	points []ownPoint
}

type ownPoint struct {
	point app.Savepoint
	state ownState
}

// begin reads the snapshot beside the transaction, and keeps what it showed for the checkers.
func (s *ownTxn) begin(ctx context.Context, e entry) error {
	s.now = ownState{map[string]string{}, map[string]bool{}, map[string]bool{}}
	keys := s.load.all()
	found, err := s.t.DB.SnapshotAt(s.tx.StartTS()).BatchGet(ctx, bytesOf(keys))
	if err != nil {
		return err
	}
	for _, k := range keys {
		value, err := found.Get([]byte(k))
		if err == nil {
			s.now.values[k] = string(value)
		}
		*e.reads = append(*e.reads, check.Read{TS: s.tx.StartTS(), Key: k, Found: err == nil, Value: string(value)})
	}
	return nil
}

// act does one thing.
func (s *ownTxn) act(ctx context.Context) error {
	key := ownKey(s.t.choose(s.load.keys))
	switch s.t.choose(10) {
	case 0:
		return s.get(ctx, key)
	case 1:
		return s.batchGet(ctx)
	case 2, 3:
		return s.scan(ctx)
	case 4:
		s.now.written[key] = true
		delete(s.now.values, key)
		return s.tx.Delete([]byte(key))
	case 5:
		return s.insert(key)
	case 6:
		s.points = append(s.points, ownPoint{s.tx.Savepoint(), s.now.clone()})
		return nil
	case 7:
		return s.rollBack()
	}
	return s.put(key)
}

func (s *ownTxn) put(key string) error {
	s.now.written[key], s.now.values[key] = true, s.t.unique()
	return s.tx.Put([]byte(key), []byte(s.now.values[key]))
}

// insert inserts a key. One that the transaction has put itself is refused at once, one that the snapshot holds when
// it commits.
func (s *ownTxn) insert(key string) error {
	_, there := s.now.values[key]
	value := s.t.unique()
	err := s.tx.Insert([]byte(key), []byte(value))
	if there && s.now.written[key] {
		if !errors.Is(err, app.ErrKeyExists) {
			s.load.report("inserting %q, which was put: %v", key, err)
		}
		return nil
	}
	if there {
		s.now.refused[key] = true
	}
	s.now.written[key], s.now.values[key] = true, value
	return err
}

// rollBack goes back to a savepoint, and forgets those after it.
func (s *ownTxn) rollBack() error {
	if len(s.points) == 0 {
		return nil
	}
	at := s.t.choose(len(s.points))
	s.now = s.points[at].state.clone()
	err := s.points[at].point.Rollback()
	s.points = s.points[:at+1]
	return err
}

func (s *ownTxn) get(ctx context.Context, key string) error {
	value, err := s.tx.Get(ctx, []byte(key))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	if want, there := s.now.values[key]; there != (err == nil) || want != string(value) {
		s.load.report("%d reads %q as %q instead of %q", s.tx.StartTS(), key, value, want)
	}
	return nil
}

func (s *ownTxn) batchGet(ctx context.Context) error {
	var keys []string
	for _, k := range s.load.all() {
		if s.t.choose(2) == 0 {
			keys = append(keys, k)
		}
	}
	pairs, err := s.tx.BatchGet(ctx, bytesOf(keys))
	if err != nil {
		return err
	}
	s.compare("batch get", pairs, s.now.pairs(keys))
	return nil
}

// scan reads a range from either end, and may write while it does: what the loop began with is what it shows.
func (s *ownTxn) scan(ctx context.Context) error {
	keys := s.load.all()
	from := s.t.choose(len(keys))
	keys = keys[from : from+1+s.t.choose(len(keys)-from)]
	opts := []app.ScanOption{app.Range([]byte(keys[0]), append([]byte(keys[len(keys)-1]), 0))}
	if s.t.choose(2) == 0 {
		slices.Reverse(keys)
		opts = append(opts, app.Reverse())
	}
	want := s.now.pairs(keys)
	if s.t.choose(2) == 0 {
		limit := 1 + s.t.choose(4)
		opts, want = append(opts, app.Limit(limit)), want[:min(limit, len(want))]
	}
	writes := s.t.choose(3) == 0
	var got app.Pairs
	for kv, err := range s.tx.Scan(ctx, opts...) {
		if err != nil {
			return err
		}
		got = append(got, kv)
		if writes {
			if err := s.put(keys[len(keys)-1]); err != nil {
				return err
			}
		}
	}
	s.compare("scan", got, want)
	return nil
}

// pairs returns what is there of some keys, in their order.
func (s ownState) pairs(keys []string) app.Pairs {
	var list app.Pairs
	for _, k := range keys {
		if value, there := s.values[k]; there {
			list = append(list, app.KV{Key: []byte(k), Value: []byte(value)})
		}
	}
	return list
}

func (s *ownTxn) compare(what string, got, want app.Pairs) {
	if !slices.EqualFunc(got, want, func(a, b app.KV) bool {
		return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
	}) {
		s.load.report("%s at %d: %s instead of %s", what, s.tx.StartTS(), brief(got), brief(want))
	}
}

func brief(pairs app.Pairs) string {
	var b bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintf(&b, "[%s %s]", p.Key, p.Value)
	}
	return b.String()
}

func bytesOf(keys []string) [][]byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = []byte(k)
	}
	return list
}

func ownKey(i int) string { return fmt.Sprintf("own/%02d", i) }
