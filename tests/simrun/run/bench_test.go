package run

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// BenchmarkTransactions runs transactions that read a key, replace it, and insert another: several clients on a cluster
// without faults, each event watched, and all that was told held against what was kept. A world lives for at most
// 20,000 of them.
func BenchmarkTransactions(b *testing.B) {
	b.ReportAllocs()
	events := uint64(0)
	for left := b.N; left > 0; left -= 20_000 {
		events += transact(b, min(left, 20_000), uint64(left))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "txn/s")
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

func transact(b *testing.B, n int, seed uint64) uint64 {
	w, err := sim.New(sim.Config{Seed: seed, Splits: [][]byte{[]byte("key/5"), []byte("receipt/")}})
	require.NoError(b, err)
	defer w.Close()
	o, triples := observe(w), &visits{}
	h := check.History{Reads: make([]check.Read, 0, n), Txns: make([]check.Txn, 0, n)}
	done, keys := 0, benchKeys()
	for c := range clients {
		db, _, err := embed.Tasks(w, fmt.Sprintf("c%d", c), seed+uint64(c), app.WithVisitor(triples))
		require.NoError(b, err)
		for i := range tasks {
			name := fmt.Sprintf("c%d.t%d", c, i)
			w.Go(name, func(*sim.Task) {
				ctx, cancel := embed.Context(w, 3600*load.CallTimeout)
				defer cancel()
				for n > 0 {
					n--
					replace(ctx, w, db, name, keys, n, &h)
				}
				done++
			})
		}
	}
	w.Run(ports.Never, func() bool { return done == clients*tasks })
	w.Run(w.Now().Add(time.Second), nil) // secondaries are committed behind the back of whoever committed
	require.Empty(b, o.invariants.Wrong())
	require.Empty(b, o.invariants.AtRest())
	require.Empty(b, h.Wrong(keys, load.Kept{World: w}))
	return w.Events()
}

func replace(ctx context.Context, w *sim.World, db *app.Client, name string, keys []string, n int, h *check.History) {
	key := keys[w.Choose(sim.SiteWorkload, len(keys))]
	t := check.Txn{Task: name, Receipt: "receipt/" + strconv.Itoa(n), Began: w.Now()}
	err := db.Update(ctx, func(ctx context.Context, tx *app.Txn) error {
		t.Start = tx.StartTS()
		value, err := tx.Get(ctx, []byte(key))
		if err != nil && !errors.Is(err, app.ErrNotFound) {
			return err
		}
		h.Reads = append(h.Reads, check.Read{TS: tx.StartTS(), Key: key, Found: err == nil, Value: string(value)})
		return errors.Join(tx.Put([]byte(key), []byte(t.Receipt)), tx.Put([]byte(t.Receipt), []byte("r")))
	})
	t.Ended, t.Outcome = w.Now(), check.Aborted
	if err == nil {
		t.Outcome = check.Committed
	}
	h.Txns = append(h.Txns, t)
}

func benchKeys() []string {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("key/%03d", i)
	}
	return keys
}
