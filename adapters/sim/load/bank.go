package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// Bank is a number of accounts that start with the same balance. Money moves between
// them; with each transfer a receipt is written, so that every reported outcome can
// be held against the cluster. Safe for concurrent use.
type Bank struct {
	Accounts int
	Initial  uint64
}

// Transfer is what one transfer was told.
type Transfer struct {
	// Txn lacks the instants, which are the caller's to know.
	Txn   check.Txn
	Reads []check.Read
	// Runs is how often the transaction was run.
	Runs int
	Err  error
}

// Setup opens all accounts with their first balance.
func (b *Bank) Setup(ctx context.Context, db *app.Client) error {
	return db.Update(ctx, func(_ context.Context, tx *app.Txn) error {
		for i := range b.Accounts {
			if err := tx.Put(account(i), balance(b.Initial)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Transfer moves an amount, or what there is, and writes the receipt. The transaction is
// run until it meets no conflict.
func (b *Bank) Transfer(ctx context.Context, db *app.Client, from, to int, amount uint64, receipt string) Transfer {
	return b.move([]int{from, to}, amount, receipt, func(fn func(context.Context, *app.Txn) error) error {
		return db.Update(ctx, fn)
	})
}

// Chain moves an amount along distinct accounts, from each to the next, or what there
// is; otherwise as Transfer, but the transaction is run once only.
func (b *Bank) Chain(ctx context.Context, db *app.Client, accounts []int, amount uint64, receipt string) Transfer {
	return b.move(accounts, amount, receipt, func(fn func(context.Context, *app.Txn) error) error {
		return once(ctx, db, fn)
	})
}

func (b *Bank) move(accounts []int, amount uint64, receipt string,
	run func(func(context.Context, *app.Txn) error) error) Transfer {
	t := Transfer{Txn: check.Txn{Receipt: "receipt/" + receipt}}
	t.Err = run(func(ctx context.Context, tx *app.Txn) error {
		t.Txn.Start = tx.StartTS()
		t.Runs++
		balances := make([]uint64, len(accounts))
		for i, a := range accounts {
			var err error
			if balances[i], err = t.read(ctx, tx, a); err != nil {
				return err
			}
		}
		for i := range balances[1:] {
			moved := min(amount, balances[i])
			balances[i], balances[i+1] = balances[i]-moved, balances[i+1]+moved
		}
		for i, a := range accounts {
			if err := tx.Put(account(a), balance(balances[i])); err != nil {
				return err
			}
		}
		return tx.Insert([]byte(t.Txn.Receipt), []byte("moved"))
	})
	t.Txn.Outcome, t.Txn.Note = outcome(app.OutcomeOf(t.Err)), note(t.Err)
	return t
}

func (t *Transfer) read(ctx context.Context, tx *app.Txn, i int) (uint64, error) {
	value, err := tx.Get(ctx, account(i))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return 0, err
	}
	t.Reads = append(t.Reads, check.Read{
		TS: tx.StartTS(), Key: string(account(i)), Found: err == nil, Value: string(value),
	})
	if err != nil {
		return 0, fmt.Errorf("account %d: %w", i, err)
	}
	return binary.BigEndian.Uint64(value), nil
}

// Newest reads the newest balance of an account. When it began is the caller's to know.
func (b *Bank) Newest(ctx context.Context, db *app.Client, i int) (r check.Latest, err error) {
	r.Key = string(account(i))
	value, err := db.SnapshotAt(ports.MaxTimestamp).Get(ctx, account(i))
	if err != nil && !errors.Is(err, app.ErrNotFound) {
		return r, err
	}
	r.Found, r.Value = err == nil, string(value)
	r.To, err = db.Timestamp(ctx)
	return r, err
}

// Total sums all balances in one snapshot, and returns what it read.
func (b *Bank) Total(ctx context.Context, db *app.Client) (total uint64, reads []check.Read, err error) {
	err = db.View(ctx, func(ctx context.Context, snap *app.Snapshot) error {
		keys := make([][]byte, b.Accounts)
		for i := range keys {
			keys[i] = account(i)
		}
		found, err := snap.BatchGet(ctx, keys)
		if err != nil {
			return err
		}
		for _, k := range keys {
			value, err := found.Get(k)
			reads = append(reads, check.Read{TS: snap.TS(), Key: string(k), Found: err == nil, Value: string(value)})
			if err == nil {
				total += binary.BigEndian.Uint64(value)
			}
		}
		return nil
	})
	return total, reads, err
}

// Expected is the sum of all balances at any time.
func (b *Bank) Expected() uint64 { return uint64(b.Accounts) * b.Initial }

// Receipts returns the receipts that one snapshot shows.
func (b *Bank) Receipts(ctx context.Context, db *app.Client) (map[string]bool, error) {
	found := map[string]bool{}
	err := db.View(ctx, func(ctx context.Context, snap *app.Snapshot) error {
		for kv, err := range snap.Scan(ctx, app.Prefix([]byte("receipt/")), app.KeysOnly()) {
			if err != nil {
				return err
			}
			found[string(kv.Key)] = true
		}
		return nil
	})
	return found, err
}

func account(i int) []byte { return fmt.Appendf(nil, "account/%05d", i) }

func balance(amount uint64) []byte { return binary.BigEndian.AppendUint64(nil, amount) }
