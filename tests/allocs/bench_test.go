package allocs

import (
	"testing"

	"github.com/tikvx/tikvx/ports"
)

// What a get and a commit cost above the wire.
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
