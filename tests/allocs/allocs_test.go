package allocs

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// measure returns the allocations of one call of f once everything is warm.
func measure(f func()) float64 {
	for range 100 {
		f()
	}
	return testing.AllocsPerRun(500, f)
}

func TestAllocsSnapshotGet(t *testing.T) {
	c, w := open(t, 1)
	snap := c.SnapshotAt(ports.ComposeTimestamp(1, 1))
	key := []byte("key")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := measure(func() {
		if v, err := snap.Get(ctx, key); err != nil || string(v) != value {
			t.Fatalf("%q, %v", v, err)
		}
	})
	t.Logf("snapshot get: %v", got)
	require.LessOrEqual(t, got, 1.0, "the value")
	require.NotZero(t, w.sent)
}

func TestAllocsCommit(t *testing.T) {
	c, w := open(t, 1)
	key, val := []byte("key"), []byte(value)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := measure(func() {
		tx, err := c.Begin(ctx)
		if err == nil {
			err = tx.Put(key, val)
		}
		if err == nil {
			_, err = tx.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("one-key commit: %v", got)
	require.LessOrEqual(t, got, 12.0)
	require.NotZero(t, w.sent)
}

// A batch get over many regions allocates as often as over few.
func TestAllocsBatchGet(t *testing.T) {
	var got []float64
	for _, regions := range []int{2, 16, 64} {
		c, w := open(t, regions)
		var keys [][]byte
		for i := range 128 {
			keys = append(keys, []byte{byte(i % 64), byte(i)})
		}
		snap := c.SnapshotAt(ports.ComposeTimestamp(1, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		calls := 0
		got = append(got, measure(func() {
			calls++
			pairs, err := snap.BatchGet(ctx, keys)
			if err != nil || len(pairs) != len(keys) {
				t.Fatalf("%d pairs, %v", len(pairs), err)
			}
		}))
		require.GreaterOrEqual(t, w.sent, calls*regions)
	}
	t.Logf("batch get of 128 keys: %v", got)
	require.LessOrEqual(t, got[1], got[0]+1)
	require.LessOrEqual(t, got[2], got[0]+1)
}

func TestAllocsRaw(t *testing.T) {
	c, _ := open(t, 1)
	raw := c.Raw()
	key, val := []byte("key"), []byte(value)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	get := measure(func() {
		if _, err := raw.Get(ctx, key); err != nil {
			t.Fatal(err)
		}
	})
	put := measure(func() {
		if err := raw.Put(ctx, key, val); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("raw get: %v, raw put: %v", get, put)
	require.LessOrEqual(t, get, 1.0, "the value")
	require.LessOrEqual(t, put, 0.0)
}
