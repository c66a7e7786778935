package main

import (
	"bytes"
	"context"
	"errors"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/txnkv"
	"github.com/tikv/client-go/v2/txnkv/transaction"

	"github.com/tikvx/tikvx/tests/workload/bank"
)

// db is client-go as a bank sees it.
type db struct {
	client *txnkv.Client
}

// Update implements [bank.DB]; client-go leaves the repetition to its users.
func (d db) Update(ctx context.Context, run func(context.Context, bank.Txn) error) error {
	for {
		tx, err := d.client.Begin()
		if err != nil {
			return err
		}
		if err := run(ctx, writer{tx}); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		err = tx.Commit(ctx)
		if err == nil || !tikverr.IsErrWriteConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

// Scan implements [bank.DB].
func (d db) Scan(_ context.Context, prefix []byte, keysOnly bool, visit func(key, value []byte) error) error {
	ts, err := d.client.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	snapshot := d.client.GetSnapshot(ts)
	snapshot.SetKeyOnly(keysOnly)
	end := bytes.Clone(prefix)
	end[len(end)-1]++ // a prefix ends in a slash
	it, err := snapshot.Iter(prefix, end)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Valid() {
		if err := visit(it.Key(), it.Value()); err != nil {
			return err
		}
		if err := it.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Outcome implements [bank.DB].
func (d db) Outcome(err error) bank.Outcome {
	switch {
	case err == nil:
		return bank.Committed
	case tikverr.IsErrorUndetermined(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return bank.Unknown
	}
	return bank.Aborted
}

// writer is one transaction.
type writer struct {
	*transaction.KVTxn
}

// Put implements [bank.Txn].
func (w writer) Put(key, value []byte) error { return w.Set(key, value) }
