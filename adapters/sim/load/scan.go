package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// ScanLoad writes and deletes pairs of keys, far apart, always both in one
// transaction, and scans all of them in both directions.
type ScanLoad struct {
	pairs   int
	tally   Tally
	history check.History
	wrong   []string
}

// NewScan returns the workload on the given number of pairs.
func NewScan(pairs int) *ScanLoad { return &ScanLoad{pairs: pairs} }

// Name implements [Workload].
func (s *ScanLoad) Name() string { return "scan" }

// RawKeys implements [Workload].
func (s *ScanLoad) RawKeys() bool { return false }

// Splits implements [Workload].
func (s *ScanLoad) Splits() [][]byte {
	return [][]byte{left(s.pairs / 2), []byte("pair/m"), right(s.pairs / 2)}
}

// Setup implements [Workload].
func (s *ScanLoad) Setup(context.Context, *app.Client) error { return nil }

// Done implements [Workload].
func (s *ScanLoad) Done() Tally { return s.tally }

// Txns implements [Workload].
func (s *ScanLoad) Txns() []check.Txn { return s.history.Txns }

// Step implements [Workload].
func (s *ScanLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	if t.choose(3) == 0 {
		return s.scan(ctx, t)
	}
	began := t.World.Now()
	w := pairWrite{
		done: check.Txn{Receipt: "receipt/" + t.unique(), Task: t.Name}, pair: t.choose(s.pairs),
		remove: t.choose(2) == 0, again: t.choose(2) == 0, probe: -1,
	}
	if t.choose(3) == 0 {
		w.probe = t.choose(s.pairs)
	}
	err := t.DB.Update(ctx, w.run)
	w.done.Began, w.done.Ended = began, t.World.Now()
	w.done.Outcome, w.done.Note = outcome(app.OutcomeOf(err)), note(err)
	s.history.Txns = append(s.history.Txns, w.done)
	s.history.Reads = append(s.history.Reads, w.reads...)
	s.history.Reads = append(s.history.Reads, w.proven(err)...)
	s.tally.count(app.OutcomeOf(err))
	if errors.Is(err, errOwnWrites) {
		s.wrong = append(s.wrong, w.done.Receipt+": "+err.Error())
	}
	return unhealthy(err)
}

// pairWrite is a transaction that changes a pair.
type pairWrite struct {
	done check.Txn
	pair int
	// remove deletes the pair if it is there; again deletes and inserts it anew.
	remove, again bool
	// probe is a pair of which it promises that its left key is absent: inserted, and deleted again. -1: none.
	probe int
	reads []check.Read
}

// run changes a pair; what is not there is inserted, so that TiKV's own check of
// existence is held against what the transaction has read.
func (w *pairWrite) run(ctx context.Context, tx *app.Txn) error {
	w.done.Start = tx.StartTS()
	l, r, mine := left(w.pair), right(w.pair), []byte(w.done.Receipt)
	value, err := tx.Get(ctx, l)
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	w.reads = append(w.reads, check.Read{TS: tx.StartTS(), Key: string(l), Found: err == nil, Value: string(value)})
	switch {
	case err != nil:
		err = errors.Join(tx.Insert(l, mine), tx.Insert(r, mine))
	case w.again:
		err = errors.Join(tx.Delete(l), tx.Delete(r), tx.Insert(l, mine), tx.Insert(r, mine))
	case w.remove:
		err = errors.Join(tx.Delete(l), tx.Delete(r))
	default:
		err = errors.Join(tx.Put(l, mine), tx.Put(r, mine))
	}
	if w.probe >= 0 && w.probe != w.pair {
		err = errors.Join(err, tx.Insert(left(w.probe), mine), tx.Delete(left(w.probe)))
	}
	return errors.Join(err, tx.Put([]byte(w.done.Receipt), []byte("r")), w.ownReads(ctx, tx))
}

// errOwnWrites is a transaction that does not see what it has written.
var errOwnWrites = errors.New("a transaction does not see its own writes")

// ownReads reads the pair again, before it is committed.
func (w *pairWrite) ownReads(ctx context.Context, tx *app.Txn) error {
	value, err := tx.Get(ctx, right(w.pair))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	pairs, err := tx.BatchGet(ctx, [][]byte{left(w.pair), right(w.pair)})
	if err != nil {
		return err
	}
	removed := len(value) == 0
	switch {
	case removed && w.remove && !w.again && len(pairs) == 0:
	case !removed && string(value) == w.done.Receipt && len(pairs) == 2 && string(pairs[0].Value) == w.done.Receipt:
	default:
		return errOwnWrites
	}
	return nil
}

// proven returns what the outcome says about keys that had to be absent: they were when the transaction is committed;
// when it failed because one was there, that one was.
func (w *pairWrite) proven(err error) []check.Read {
	var exists *app.Error
	switch {
	case err == nil && w.probe >= 0 && w.probe != w.pair:
		return []check.Read{{TS: w.done.Start, Key: string(left(w.probe))}}
	case errors.Is(err, app.ErrKeyExists) && errors.As(err, &exists):
		return []check.Read{{TS: w.done.Start, Key: string(exists.Key), Found: true, Unseen: true}}
	}
	return nil
}

func (s *ScanLoad) scan(ctx context.Context, t *Task) error {
	snap, err := t.DB.Snapshot(ctx)
	if err != nil {
		return err
	}
	up, err := collect(ctx, snap, "pair/")
	if err != nil {
		return err
	}
	down, err := collect(ctx, snap, "pair/", app.Reverse())
	if err != nil {
		return err
	}
	slices.Reverse(down)
	if !slices.EqualFunc(up, down, func(a, b app.KV) bool {
		return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value)
	}) {
		s.wrong = append(s.wrong, fmt.Sprintf("scan at %d: %d pairs upwards, %d downwards, not the same",
			snap.TS(), len(up), len(down)))
	}
	found := map[string]string{}
	for _, kv := range up {
		found[string(kv.Key)] = string(kv.Value)
	}
	for _, k := range s.keys() {
		value, ok := found[k]
		s.history.Reads = append(s.history.Reads, check.Read{TS: snap.TS(), Key: k, Found: ok, Value: value})
	}
	for i := range s.pairs {
		if found[string(left(i))] != found[string(right(i))] {
			s.wrong = append(s.wrong, fmt.Sprintf("scan at %d: half of pair %d", snap.TS(), i))
		}
	}
	return nil
}

func collect(ctx context.Context, snap *app.Snapshot, prefix string, opts ...app.ScanOption) ([]app.KV, error) {
	var list []app.KV
	for kv, err := range snap.Scan(ctx, append(opts, app.Prefix([]byte(prefix)))...) {
		if err != nil {
			return nil, err
		}
		list = append(list, kv)
	}
	return list, nil
}

// Settle implements [Workload].
func (s *ScanLoad) Settle(ctx context.Context, db *app.Client) error {
	return db.View(ctx, func(ctx context.Context, snap *app.Snapshot) error {
		if _, err := collect(ctx, snap, "pair/"); err != nil {
			return err
		}
		_, err := collect(ctx, snap, "receipt/")
		return err
	})
}

// Check implements [Workload].
func (s *ScanLoad) Check(store check.Store) []string {
	return slices.Concat(s.wrong, s.history.Wrong(s.keys(), store))
}

// keys returns every key that is ever written, receipts left out.
func (s *ScanLoad) keys() []string {
	var keys []string
	for i := range s.pairs {
		keys = append(keys, string(left(i)), string(right(i)))
	}
	return keys
}

func left(i int) []byte  { return fmt.Appendf(nil, "pair/l/%04d", i) }
func right(i int) []byte { return fmt.Appendf(nil, "pair/r/%04d", i) }
