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

// Step implements [Workload].
func (s *ScanLoad) Step(t *Task) {
	ctx, cancel := t.context()
	defer cancel()
	if t.choose(3) == 0 {
		s.scan(ctx, t)
		return
	}
	began := t.World.Now()
	done := check.Txn{Receipt: "receipt/" + t.unique()}
	i, remove := t.choose(s.pairs), t.choose(2) == 0
	err := t.DB.Update(ctx, func(ctx context.Context, tx *app.Txn) error {
		done.Start = tx.StartTS()
		return s.write(ctx, tx, i, remove, done.Receipt)
	})
	done.Began, done.Ended = began, t.World.Now()
	done.Outcome, done.Note = outcome(app.OutcomeOf(err)), note(err)
	s.history.Txns = append(s.history.Txns, done)
	s.tally.count(app.OutcomeOf(err))
}

// write changes a pair; what is not there is inserted, so that TiKV's own check of
// existence is held against what the transaction has read.
func (s *ScanLoad) write(ctx context.Context, tx *app.Txn, i int, remove bool, receipt string) error {
	value, err := tx.Get(ctx, left(i))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return err
	}
	s.history.Reads = append(s.history.Reads, check.Read{
		TS: tx.StartTS(), Key: string(left(i)), Found: err == nil, Value: string(value),
	})
	mine := []byte(receipt)
	switch {
	case err != nil:
		err = errors.Join(tx.Insert(left(i), mine), tx.Insert(right(i), mine))
	case remove:
		err = errors.Join(tx.Delete(left(i)), tx.Delete(right(i)))
	default:
		err = errors.Join(tx.Put(left(i), mine), tx.Put(right(i), mine))
	}
	return errors.Join(err, tx.Put([]byte(receipt), []byte("r")))
}

func (s *ScanLoad) scan(ctx context.Context, t *Task) {
	snap, err := t.DB.Snapshot(ctx)
	if err != nil {
		return
	}
	up, err := collect(ctx, snap, "pair/")
	if err != nil {
		return
	}
	down, err := collect(ctx, snap, "pair/", app.Reverse())
	if err != nil {
		return
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
	return slices.Concat(s.wrong, check.Snapshots(s.history.Reads, store), check.Writers(s.keys(), store),
		check.Outcomes(s.history.Txns, store), check.External(s.history.Txns, store))
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
