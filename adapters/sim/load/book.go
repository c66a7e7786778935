package load

import (
	"context"
	"errors"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// book keeps what the transactions of a workload were told.
type book struct {
	tally   Tally
	history check.History
	wrong   []string
}

// Done implements [Workload].
func (b *book) Done() Tally { return b.tally }

// Txns implements [Workload].
func (b *book) Txns() []check.Txn { return b.history.Txns }

// RawKeys implements [Workload].
func (b *book) RawKeys() bool { return false }

// entry is a transaction that is being run: it keeps what is read.
type entry struct {
	tx    *app.Txn
	reads *[]check.Read
}

// get reads a key; an absent one is empty.
func (e entry) get(ctx context.Context, key string) (string, error) {
	value, err := e.tx.Get(ctx, []byte(key))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return "", err
	}
	*e.reads = append(*e.reads, check.Read{TS: e.tx.StartTS(), Key: key, Found: err == nil, Value: string(value)})
	return string(value), nil
}

func (e entry) put(key, value string) error { return e.tx.Put([]byte(key), []byte(value)) }

// errNothing is returned by a transaction that has nothing to write.
var errNothing = errors.New("load: nothing to write")

// update runs a transaction with a receipt until it meets no conflict, keeps what it was told, and returns it.
func (b *book) update(ctx context.Context, t *Task, fn func(context.Context, entry) error) (check.Txn, error) {
	done := check.Txn{Receipt: "receipt/" + t.unique(), Task: t.Name, Began: t.World.Now()}
	var reads []check.Read
	err := t.DB.Update(ctx, func(ctx context.Context, tx *app.Txn) error {
		done.Start = tx.StartTS()
		if err := fn(ctx, entry{tx, &reads}); err != nil {
			return err
		}
		return tx.Put([]byte(done.Receipt), []byte("r"))
	})
	done.Ended = t.World.Now()
	b.history.Reads = append(b.history.Reads, reads...)
	if errors.Is(err, errNothing) {
		return done, nil
	}
	done.Outcome, done.Note = outcome(app.OutcomeOf(err)), note(err)
	b.history.Txns = append(b.history.Txns, done)
	b.tally.count(app.OutcomeOf(err))
	return done, unhealthy(err)
}

// view reads keys in one snapshot, in the order given; absent ones are empty.
func (b *book) view(ctx context.Context, db *app.Client, keys []string) ([]string, error) {
	var values []string
	err := db.View(ctx, func(ctx context.Context, snap *app.Snapshot) error {
		values = values[:0]
		list := make([][]byte, len(keys))
		for i, k := range keys {
			list[i] = []byte(k)
		}
		found, err := snap.BatchGet(ctx, list)
		if err != nil {
			return err
		}
		for _, k := range keys {
			value, err := found.Get([]byte(k))
			b.history.Reads = append(b.history.Reads, check.Read{
				TS: snap.TS(), Key: k, Found: err == nil, Value: string(value),
			})
			values = append(values, string(value))
		}
		return nil
	})
	return values, err
}

// settle reads keys, and all receipts.
func (b *book) settle(ctx context.Context, db *app.Client, keys []string) error {
	if _, err := b.view(ctx, db, keys); err != nil {
		return err
	}
	_, err := new(Bank).Receipts(ctx, db)
	return err
}
