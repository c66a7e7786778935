package mvcc

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// BenchmarkTransaction locks and commits a key that is there and one that is new, and looks at both each time, among
// twenty thousand others.
func BenchmarkTransaction(b *testing.B) {
	var e Engine
	var prewritten ports.PrewriteReply
	var committed ports.CommitReply
	good := true
	transact := func(start ports.Timestamp, keys ...[]byte) {
		prewrite := ports.PrewriteRequest{Primary: keys[0], StartTS: start, TTL: 3}
		for _, k := range keys {
			prewrite.Mutations = append(prewrite.Mutations, ports.Mutation{Key: k, Value: []byte("v")})
		}
		e.Prewrite(&prewrite, &prewritten)
		for _, k := range keys {
			good = good && e.Lock(k) != nil
		}
		e.Commit(&ports.CommitRequest{Keys: keys, StartTS: start, CommitTS: start + 1}, &committed)
		for _, k := range keys {
			good = good && len(e.Writes(k)) > 0
		}
	}
	keys := make([][]byte, 20_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key/%05d", i)
		transact(ports.Timestamp(10*i+10), keys[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		transact(ports.Timestamp(300_000+10*i), keys[i*7919%len(keys)], fmt.Appendf(nil, "receipt/%d", i))
	}
	require.True(b, good)
}
