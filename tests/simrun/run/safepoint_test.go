package run

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

// TestSafePointsAreWatched: a run in which the GC safe point passes a lock is a wrong one.
func TestSafePointsAreWatched(t *testing.T) {
	w, err := sim.New(sim.Config{Chooser: sim.Boring{}})
	require.NoError(t, err)
	defer w.Close()
	o := observe(w)
	w.Engine().PutLock([]byte("k"), mvcc.Lock{StartTS: 5, Kind: ports.KindPut})
	c := w.Client("c")
	for _, kind := range []ports.AdminKind{ports.AdminAdvanceTxnSafePoint, ports.AdminAdvanceGCSafePoint} {
		req := &ports.AdminRequest{Kind: kind, Keyspace: ports.NullKeyspace, TS: 5}
		c.Administer(req, ports.Never, ports.Tok{}, make(porttest.Mailbox, 1))
		w.Run(w.Now().Add(time.Second), nil)
	}
	require.Len(t, o.invariants.Wrong(), 1)
}

// TestBankWhileGarbageIsCollected: transactions that are younger than the garbage that somebody collects meanwhile lose
// nothing by it.
func TestBankWhileGarbageIsCollected(t *testing.T) {
	for seed := range uint64(4) {
		bank := load.Bank{Accounts: 4, Initial: 100}
		faults := sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost, sim.FaultDuplicate, sim.FaultBusy)
		w, err := sim.New(sim.Config{
			Chooser: sim.NewSeeded(seed, faults), Faults: faults, Splits: [][]byte{[]byte("account/00002")},
			GCLife: 2 * load.CallTimeout,
		})
		require.NoError(t, err)
		db, process, err := embed.Tasks(w, "bank", seed)
		require.NoError(t, err)
		o := observe(w)
		within := func(f func(ctx context.Context)) {
			ctx, cancel := embed.Context(w, load.CallTimeout)
			defer cancel()
			f(ctx)
		}
		left := 0
		w.Go("teller", func(task *sim.Task) {
			within(func(ctx context.Context) { require.NoError(t, bank.Setup(ctx, db)) })
			for i := range 600 {
				within(func(ctx context.Context) { bank.Transfer(ctx, db, i%4, (i+1)%4, 7, fmt.Sprint(i)) })
				task.Sleep(500 * time.Millisecond)
				if i%20 == 0 { // resolves what is in the way of the safe point
					within(func(ctx context.Context) { _, _ = bank.Receipts(ctx, db) })
				}
			}
			left = len(w.Versions([]byte("account/00000")))
			w.Heal()
			within(func(ctx context.Context) {
				total, _, err := bank.Total(ctx, db)
				require.NoError(t, err)
				require.Equal(t, bank.Expected(), total)
				require.NoError(t, db.Close(ctx))
			})
		})
		w.Run(ports.Never, nil)
		require.Zero(t, process.Pending())
		require.Empty(t, o.invariants.Wrong())
		require.Less(t, left, 150, "of some 300 versions that there have been")
		w.Close()
	}
}
