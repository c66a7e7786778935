// Command limit measures what a BatchCommands stream can do at best: a
// hand-written loop without any client logic, for the comparison of
// tests/cluster/bench; the protocol is that of tests/workload/measure.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/oracle"
	pd "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"github.com/tikv/pd/client/pkg/caller"
	"go.uber.org/zap"

	"github.com/tikvx/tikvx/tests/workload/measure"
)

func main() {
	endpoint := flag.String("pd", "127.0.0.1:2379", "PD endpoint")
	flag.Parse()
	log.ReplaceGlobals(zap.NewNop(), nil)
	if err := serve(context.Background(), *endpoint); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, endpoint string) error {
	client, err := pd.NewClientWithContext(ctx, caller.Component("limit"), []string{endpoint}, pd.SecurityOption{},
		opt.WithInitMetricsOption(false))
	if err != nil {
		return err
	}
	defer client.Close()
	return measure.Serve(ctx, measure.Program{
		Load: func(context.Context) error { return nil },
		Prepare: func(ctx context.Context, name string) (measure.Operation, error) {
			return prepare(ctx, client, name)
		},
	}, os.Stdin, os.Stdout)
}

func prepare(ctx context.Context, client pd.Client, name string) (measure.Operation, error) {
	if name != "snapshot-get" {
		return nil, fmt.Errorf("unknown operation %q", name)
	}
	physical, logical, err := client.GetTS(ctx)
	if err != nil {
		return nil, err
	}
	ts := oracle.ComposeTS(physical, logical)
	region, err := client.GetRegion(ctx, encode(measure.Key(0)))
	if err != nil {
		return nil, err
	}
	store, err := client.GetStore(ctx, region.Leader.GetStoreId())
	if err != nil {
		return nil, err
	}
	loop, err := dial(ctx, store.GetAddress())
	if err != nil {
		return nil, err
	}
	header := &kvrpcpb.Context{RegionId: region.Meta.Id, RegionEpoch: region.Meta.RegionEpoch, Peer: region.Leader}
	return func(_ context.Context, random *rand.Rand, _ int) error {
		reply, err := loop.get(&kvrpcpb.GetRequest{Context: header, Key: measure.RandomKey(random), Version: ts})
		if err != nil {
			return err
		}
		if reply.RegionError != nil || reply.Error != nil || reply.NotFound {
			return fmt.Errorf("bad reply: %v", reply)
		}
		return nil
	}, nil
}

// encode is the memcomparable form in which PD keeps keys: groups of eight bytes,
// each followed by 0xFF minus the number of padding bytes.
func encode(key []byte) []byte {
	var out []byte
	for {
		var group [9]byte
		n := copy(group[:8], key)
		group[8] = 0xFF - byte(8-n)
		out = append(out, group[:]...)
		if n < 8 {
			return out
		}
		key = key[8:]
	}
}
