// Command bench measures client-go for the comparison of tests/cluster/bench; the
// protocol is that of tests/workload/measure.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/txnkv"
	"go.uber.org/zap"

	"github.com/tikvx/tikvx/tests/workload/measure"
)

func main() {
	pd := flag.String("pd", "127.0.0.1:2379", "PD endpoint")
	flag.Parse()
	log.ReplaceGlobals(zap.NewNop(), nil)
	client, err := txnkv.NewClient([]string{*pd})
	if err == nil {
		err = measure.Serve(context.Background(), measure.Program{
			Load: func(ctx context.Context) error { return load(ctx, client) },
			Prepare: func(_ context.Context, name string) (measure.Operation, error) {
				return prepare(client, name)
			},
		}, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client-go:", err)
		os.Exit(1)
	}
	_ = client.Close() // the process ends
}

func load(ctx context.Context, client *txnkv.Client) error {
	for first := 0; first < measure.Keys; first += 500 {
		tx, err := client.Begin()
		if err != nil {
			return err
		}
		for i := first; i < first+500; i++ {
			if err := tx.Set(measure.Key(i), measure.Value()); err != nil {
				return err
			}
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

func prepare(client *txnkv.Client, name string) (measure.Operation, error) {
	ts, err := client.CurrentTimestamp("global")
	if err != nil {
		return nil, err
	}
	value := measure.Value()
	switch name {
	case "snapshot-get":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			_, err := client.GetSnapshot(ts).Get(ctx, measure.RandomKey(random))
			return err
		}, nil
	case "txn-get":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			tx, err := client.Begin()
			if err != nil {
				return err
			}
			_, err = tx.Get(ctx, measure.RandomKey(random))
			return err
		}, nil
	case "txn-put":
		return func(ctx context.Context, random *rand.Rand, worker int) error {
			tx, err := client.Begin()
			if err != nil {
				return err
			}
			if err := tx.Set(measure.OwnKey(random, worker), value); err != nil {
				return err
			}
			return tx.Commit(ctx)
		}, nil
	case "batchget-100":
		return func(ctx context.Context, random *rand.Rand, _ int) error {
			_, err := client.GetSnapshot(ts).BatchGet(ctx, measure.RandomKeys(random))
			return err
		}, nil
	}
	return nil, fmt.Errorf("unknown operation %q", name)
}
