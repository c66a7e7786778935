// Command judge lets client-go use the simulated cluster and holds what it is told
// against what must be so. It shares no code with this library. Its last line is the
// number of checks, or what was wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/rawkv"
	"github.com/tikv/client-go/v2/tikv"
	"go.uber.org/zap"
)

// check is one thing that must be so.
type check[C any] struct {
	name string
	run  func(ctx context.Context, client C) error
}

func main() {
	pd := flag.String("pd", "", "PD of a cluster for transactions")
	rawPD := flag.String("raw-pd", "", "PD of a cluster for raw keys")
	flag.Parse()
	log.ReplaceGlobals(zap.NewNop(), nil)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n, err := judge(ctx, *pd, *rawPD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "client-go:", err)
		os.Exit(1) //nolint:gocritic // the process ends
	}
	fmt.Println(n)
}

func judge(ctx context.Context, pd, rawPD string) (int, error) {
	store, err := open(pd)
	if err != nil {
		return 0, err
	}
	defer store.Close() //nolint:errcheck // the process ends
	if err := all(ctx, store, slices.Concat(transactions, locks, leftovers, administration)); err != nil {
		return 0, err
	}
	raw, err := rawkv.NewClientWithOpts(ctx, []string{rawPD})
	if err != nil {
		return 0, err
	}
	defer raw.Close() //nolint:errcheck // the process ends
	return len(transactions) + len(locks) + len(leftovers) + len(administration) + len(rawKeys), all(ctx, raw, rawKeys)
}

func all[C any](ctx context.Context, client C, checks []check[C]) error {
	for _, c := range checks {
		if err := c.run(ctx, client); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// open opens client-go with all of it that a cluster hears of. The GC safe point, which
// it would watch in PD's etcd, it keeps to itself.
func open(address string) (*tikv.KVStore, error) {
	client, err := tikv.NewPDClient([]string{address})
	if err != nil {
		return nil, err
	}
	codec := tikv.NewCodecPDClient(tikv.ModeTxn, client)
	rpc := tikv.NewRPCClient(tikv.WithCodec(codec.GetCodec()))
	return tikv.NewKVStore("judge", codec, tikv.NewMockSafePointKV(), rpc)
}
