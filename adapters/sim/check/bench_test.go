package check_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// BenchmarkHistory holds a history of transactions that each read a key, replaced it, and left a receipt against what
// a store kept.
func BenchmarkHistory(b *testing.B) {
	store := kept{versions: map[string][]check.Version{}}
	var h check.History
	var keys []string
	values := map[string]string{}
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("key/%02d", i))
	}
	for i := range b.N {
		start := ports.Timestamp(10 * (i + 1))
		key, receipt := keys[i%len(keys)], fmt.Sprintf("receipt/%d", i)
		h.Reads = append(h.Reads, check.Read{TS: start, Key: key, Found: values[key] != "", Value: values[key]})
		h.Txns = append(h.Txns, check.Txn{
			Start: start, Receipt: receipt, Outcome: check.Committed,
			Began: ports.Instant(start), Ended: ports.Instant(start + 9),
		})
		store.versions[key] = append(store.versions[key], one(start, start+1, receipt))
		store.versions[receipt] = []check.Version{one(start, start+1, "r")}
		values[key] = receipt
	}
	b.ReportAllocs()
	b.ResetTimer()
	require.Empty(b, h.Wrong(keys, store))
}

// BenchmarkInvariants watches transactions that write two keys each.
func BenchmarkInvariants(b *testing.B) {
	d := newDisk()
	keys := [][]byte{[]byte("key"), []byte("receipt")}
	d.Invariants = check.NewInvariants(d, func() ports.Timestamp { return ports.MaxTimestamp - 1 })
	lock := &mvcc.Lock{Primary: keys[0]}
	d.locks["key"], d.locks["receipt"] = lock, lock
	b.ReportAllocs()
	for i := range b.N {
		lock.StartTS = ports.Timestamp(10 * (i + 1))
		q := &ports.PrewriteRequest{Primary: keys[0], StartTS: lock.StartTS, Mutations: []ports.Mutation{
			{Key: keys[0]}, {Key: keys[1]},
		}}
		d.Submitted(q)
		d.Executed(&ports.Header{}, q, &ports.PrewriteReply{})
	}
	require.Empty(b, d.Wrong())
}
