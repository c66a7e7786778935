package allocs

import (
	"testing"

	"github.com/tikvx/tikvx/ports"
)

// What calls cost above the wire.
func BenchmarkSnapshotGet(b *testing.B) {
	c, _ := open(b, 1)
	snap := c.SnapshotAt(ports.ComposeTimestamp(1, 1))
	key := []byte("key")
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := snap.Get(ctx, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	c, _ := open(b, 1)
	key, val := []byte("key"), []byte(value)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		tx, err := c.Begin(ctx)
		if err == nil {
			err = tx.Put(key, val)
		}
		if err == nil {
			_, err = tx.Commit(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatchGet(b *testing.B) {
	c, _ := open(b, 1)
	var keys [][]byte
	for i := range 100 {
		keys = append(keys, []byte{byte(i)})
	}
	snap := c.SnapshotAt(ports.ComposeTimestamp(1, 1))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := snap.BatchGet(ctx, keys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawGet(b *testing.B) {
	c, _ := open(b, 1)
	raw, key, ctx := c.Raw(), []byte("key"), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := raw.Get(ctx, key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawPut(b *testing.B) {
	c, _ := open(b, 1)
	raw, key, val, ctx := c.Raw(), []byte("key"), []byte(value), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := raw.Put(ctx, key, val); err != nil {
			b.Fatal(err)
		}
	}
}
