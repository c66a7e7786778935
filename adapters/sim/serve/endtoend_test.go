package serve_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
)

// openClient opens a real client on a served world.
func openClient(t *testing.T, config sim.Config) (*tikvx.Client, *serve.Cluster) {
	c, _ := start(t, config)
	db, err := tikvx.Open(t.Context(), []string{c.PD()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	return db, c
}

// collect returns what a scan yields, as key=value.
func collect(t *testing.T, pairs iter.Seq2[tikvx.KV, error]) []string {
	var list []string
	for kv, err := range pairs {
		require.NoError(t, err)
		list = append(list, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return list
}

// TestRawKeys: every raw operation, over regions that are cut through the keys.
func TestRawKeys(t *testing.T) {
	db, _ := openClient(t, sim.Config{RawKeys: true, Splits: [][]byte{[]byte("b"), []byte("d")}})
	ctx, raw := t.Context(), db.Raw()
	b := func(s string) []byte { return []byte(s) }

	require.NoError(t, raw.Put(ctx, b("a"), b("1")))
	require.NoError(t, raw.Put(ctx, b("e"), nil))
	v, err := raw.Get(ctx, b("a"))
	require.NoError(t, err)
	require.Equal(t, "1", string(v))
	v, err = raw.Get(ctx, b("e"))
	require.NoError(t, err)
	require.NotNil(t, v, "an empty value is a value")
	_, err = raw.Get(ctx, b("absent"))
	require.ErrorIs(t, err, tikvx.ErrNotFound)

	require.NoError(t, raw.Put(ctx, b("mortal"), b("x"), tikvx.TTL(time.Hour)))
	ttl, err := raw.TTL(ctx, b("mortal"))
	require.NoError(t, err)
	require.InDelta(t, time.Hour, ttl, float64(time.Minute))
	require.NoError(t, raw.Delete(ctx, b("mortal")))

	require.NoError(t, raw.BatchPut(ctx, []tikvx.KV{{Key: b("b"), Value: b("2")}, {Key: b("c"), Value: b("3")}}))
	pairs, err := raw.BatchGet(ctx, [][]byte{b("a"), b("c"), b("x")})
	require.NoError(t, err)
	require.Len(t, pairs, 2)
	require.Equal(t, []string{"a=1", "b=2", "c=3", "e="}, collect(t, raw.Scan(ctx)))
	require.Equal(t, []string{"e=", "c=3", "b=2", "a=1"}, collect(t, raw.Scan(ctx, tikvx.Reverse())))
	require.Equal(t, []string{"b=2", "c=3"}, collect(t, raw.Scan(ctx, tikvx.Range(b("b"), b("d")))))
	require.NoError(t, raw.BatchDelete(ctx, [][]byte{b("a"), b("e")}))
	require.NoError(t, raw.DeleteRange(ctx, b("c"), b("d")))
	require.Equal(t, []string{"b=2"}, collect(t, raw.Scan(ctx)))

	atomic := raw.With(tikvx.Atomic())
	swap, err := atomic.PutIfAbsent(ctx, b("b"), b("no"))
	require.NoError(t, err)
	require.False(t, swap.Swapped)
	require.Equal(t, "2", string(swap.Previous))
	swap, err = atomic.CompareAndSwap(ctx, b("b"), b("2"), b("4"))
	require.NoError(t, err)
	require.True(t, swap.Swapped)
	swap, err = atomic.CompareAndDelete(ctx, b("b"), b("4"))
	require.NoError(t, err)
	require.True(t, swap.Swapped)
	require.Empty(t, collect(t, raw.Scan(ctx)))
}

// TestTransactions: commits, conflicts and scans over regions.
func TestTransactions(t *testing.T) {
	db, _ := openClient(t, sim.Config{Splits: [][]byte{[]byte("b"), []byte("d")}})
	ctx := t.Context()
	err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		for _, k := range []string{"a", "b", "c", "d", "e"} {
			if err := tx.Put([]byte(k), []byte(k)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	err = db.View(ctx, func(ctx context.Context, s *tikvx.Snapshot) error {
		require.Equal(t, []string{"a=a", "b=b", "c=c", "d=d", "e=e"}, collect(t, s.Scan(ctx)))
		require.Equal(t, []string{"e=e", "d=d", "c=c", "b=b", "a=a"}, collect(t, s.Scan(ctx, tikvx.Reverse())))
		return nil
	})
	require.NoError(t, err)

	first, err := db.Begin(ctx)
	require.NoError(t, err)
	second, err := db.Begin(ctx)
	require.NoError(t, err)
	require.NoError(t, first.Put([]byte("a"), []byte("first")))
	require.NoError(t, second.Put([]byte("a"), []byte("second")))
	_, err = first.Commit(ctx)
	require.NoError(t, err)
	_, err = second.Commit(ctx)
	require.ErrorIs(t, err, tikvx.ErrConflict)
	require.Equal(t, tikvx.Aborted, tikvx.OutcomeOf(err))
}

// TestLostReplies: a reply that is lost on a connection that goes on is noticed at the deadline, and its write is
// reported as unknown, though it took effect.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	db, c := openClient(t, sim.Config{RawKeys: true})
	raw := db.Raw(tikvx.Atomic())
	require.NoError(t, raw.Put(t.Context(), []byte("k"), []byte("0")))
	script := func(text string) { c.Do(func(w *sim.World) { require.NoError(t, w.Script(text)) }) }
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}

	script("lose-reply verb=RawCompareAndSwap")
	_, err := raw.CompareAndSwap(within(300*time.Millisecond), []byte("k"), []byte("0"), []byte("1"))
	require.Error(t, err)
	require.Equal(t, tikvx.Unknown, tikvx.OutcomeOf(err))
	v, err := raw.Get(t.Context(), []byte("k"))
	require.NoError(t, err)
	require.Equal(t, "1", string(v), "it took effect")

	script("lose-request verb=RawPut")
	err = raw.Put(within(300*time.Millisecond), []byte("k"), []byte("2"))
	require.Equal(t, tikvx.Unknown, tikvx.OutcomeOf(err), "nobody can tell that the request was lost")

	script("crash verb=RawDelete")
	require.NoError(t, raw.Delete(within(20*time.Second), []byte("k")), "a delete is sent again to the next leader")
}

// TestLostCommit: the reply to the commit of the primary is lost; the transaction is then reported as unknown, or
// found to be committed, and its locks are resolved by the next reader.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	db, c := openClient(t, sim.Config{})
	c.Do(func(w *sim.World) { require.NoError(t, w.Script("lose-reply verb=Commit primary")) })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	for _, k := range []string{"a", "b"} {
		require.NoError(t, tx.Put([]byte(k), []byte("1")))
	}
	if _, err = tx.Commit(ctx); err != nil {
		require.Equal(t, tikvx.Unknown, tikvx.OutcomeOf(err))
	}
	err = db.View(t.Context(), func(ctx context.Context, s *tikvx.Snapshot) error {
		require.Equal(t, []string{"a=1", "b=1"}, collect(t, s.Scan(ctx)))
		return nil
	})
	require.NoError(t, err)
}

// TestHungLeader: calls go on with the new leader while the old one holds its connections open and says nothing.
func TestHungLeader(t *testing.T) {
	t.Parallel()
	db, c := openClient(t, sim.Config{RawKeys: true})
	raw := db.Raw()
	require.NoError(t, raw.Put(t.Context(), []byte("k"), []byte("0")))
	c.Do(func(w *sim.World) {
		r := w.Regions()[0]
		leader, _ := r.Peer(r.Leader)
		w.Hang(leader.Store)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, raw.Put(ctx, []byte("k"), []byte("1")))
	v, err := raw.Get(ctx, []byte("k"))
	require.NoError(t, err)
	require.Equal(t, "1", string(v))
}

// TestCounterUnderFaults: every swap that was reported as applied counts, none that was reported as not applied does,
// and only those whose outcome is unknown are in doubt.
func TestCounterUnderFaults(t *testing.T) {
	t.Parallel()
	faults := sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost, sim.FaultReset, sim.FaultBusy, sim.FaultSplit,
		sim.FaultTransfer, sim.FaultSlow, sim.FaultStalePD)
	db, c := openClient(t, sim.Config{RawKeys: true, Seed: 7, Faults: faults, Disturbance: 50 * time.Millisecond})
	c.Do(func(w *sim.World) { require.NoError(t, w.Script("lose-reply verb=RawCompareAndSwap nth=10 times=3")) })
	raw := db.Raw(tikvx.Atomic())
	var mu sync.Mutex
	applied, unknown := 0, 0
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 25 {
				switch increment(t, raw) {
				case tikvx.Applied:
					mu.Lock()
					applied++
					mu.Unlock()
				case tikvx.Unknown:
					mu.Lock()
					unknown++
					mu.Unlock()
				case tikvx.NotApplied:
				}
			}
		})
	}
	workers.Wait()
	c.Do(func(w *sim.World) { w.Heal() })
	v, err := raw.Get(t.Context(), []byte("counter"))
	require.NoError(t, err)
	got, err := strconv.Atoi(string(v))
	require.NoError(t, err)
	t.Logf("counter %d: %d applied, %d unknown", got, applied, unknown)
	require.NotZero(t, applied)
	require.NotZero(t, unknown)
	require.GreaterOrEqual(t, got, applied)
	require.LessOrEqual(t, got, applied+unknown)
	c.Do(func(w *sim.World) {
		counts := w.Counts()
		require.NotZero(t, counts[sim.FaultReplyLost]+counts[sim.FaultRequestLost])
	})
}

// increment tries once to raise the counter by one.
func increment(t *testing.T, raw *tikvx.Raw) tikvx.Outcome {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	key := []byte("counter")
	v, err := raw.Get(ctx, key)
	var swap tikvx.Swap
	switch {
	case err == nil:
		n, bad := strconv.Atoi(string(v))
		require.NoError(t, bad)
		swap, err = raw.CompareAndSwap(ctx, key, v, []byte(strconv.Itoa(n+1)))
	case errors.Is(err, tikvx.ErrNotFound):
		swap, err = raw.PutIfAbsent(ctx, key, []byte("1"))
	default:
		return tikvx.NotApplied
	}
	if err == nil && !swap.Swapped {
		return tikvx.NotApplied
	}
	return tikvx.OutcomeOf(err)
}
