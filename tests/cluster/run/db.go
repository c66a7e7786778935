package main

import (
	"context"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/tests/workload/bank"
)

// db is this library as a bank sees it.
type db struct {
	*tikvx.Client
}

// Update implements [bank.DB].
func (d db) Update(ctx context.Context, run func(context.Context, bank.Txn) error) error {
	return d.Client.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error { return run(ctx, tx) })
}

// Scan implements [bank.DB].
func (d db) Scan(ctx context.Context, prefix []byte, keysOnly bool, visit func(key, value []byte) error) error {
	options := []tikvx.ScanOption{tikvx.Prefix(prefix)}
	if keysOnly {
		options = append(options, tikvx.KeysOnly())
	}
	return d.View(ctx, func(ctx context.Context, snap *tikvx.Snapshot) error {
		for kv, err := range snap.Scan(ctx, options...) {
			if err != nil {
				return err
			}
			if err := visit(kv.Key, kv.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Outcome implements [bank.DB].
func (d db) Outcome(err error) bank.Outcome {
	switch tikvx.OutcomeOf(err) {
	case tikvx.Committed:
		return bank.Committed
	case tikvx.Aborted:
		return bank.Aborted
	}
	return bank.Unknown
}
