package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/tests/workload/measure"
)

func load(ctx context.Context, db *tikvx.Client) error {
	for first := 0; first < measure.Keys; first += 500 {
		err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
			for i := first; i < first+500; i++ {
				if err := tx.Put(measure.Key(i), measure.Value()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func prepare(ctx context.Context, db *tikvx.Client, name string) (measure.Operation, error) {
	ts, err := db.Timestamp(ctx)
	if err != nil {
		return nil, err
	}
	value := measure.Value()
	switch name {
	case "snapshot-get":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			_, err := db.SnapshotAt(ts).Get(ctx, measure.RandomKey(random))
			return err
		}, nil
	case "txn-get":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			tx, err := db.Begin(ctx)
			if err != nil {
				return err
			}
			_, err = tx.Get(ctx, measure.RandomKey(random))
			return err
		}, nil
	case "txn-put":
		return func(ctx context.Context, random *rand.Rand, worker int) error {
			tx, err := db.Begin(ctx)
			if err != nil {
				return err
			}
			if err := tx.Put(measure.OwnKey(random, worker), value); err != nil {
				return err
			}
			_, err = tx.Commit(ctx)
			return err
		}, nil
	case "batchget-100":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			_, err := db.SnapshotAt(ts).BatchGet(ctx, measure.RandomKeys(random))
			return err
		}, nil
	}
	return nil, fmt.Errorf("unknown operation %q", name)
}
