package mvcc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// history writes the records of a key, and collected what is left of them.
func history(writes []Write) string {
	var b strings.Builder
	names := map[ports.LockKind]string{
		ports.KindPut: "put", ports.KindDelete: "delete", ports.KindLock: "lock", ports.KindRollback: "rollback",
	}
	for i := len(writes) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, " %d:%s", writes[i].CommitTS, names[writes[i].Kind])
	}
	return strings.TrimSpace(b.String())
}

// TestCollect is TiKV's own example (txn/actions/gc.rs: test_gc_imp), with a protected rollback and a rolled-back
// transaction below it.
func TestCollect(t *testing.T) {
	records := []Write{
		{CommitTS: 10, StartTS: 5, Kind: ports.KindPut}, {CommitTS: 12, StartTS: 12, Kind: ports.KindRollback},
		{CommitTS: 20, StartTS: 15, Kind: ports.KindPut}, {CommitTS: 30, StartTS: 25, Kind: ports.KindDelete},
		{CommitTS: 40, StartTS: 35, Kind: ports.KindPut}, {CommitTS: 50, StartTS: 45, Kind: ports.KindLock},
		{CommitTS: 55, StartTS: 55, Kind: ports.KindRollback, Protected: true},
	}
	for _, c := range []struct {
		safePoint ports.Timestamp
		deletions bool
		want      string
	}{
		{9, true, "55:rollback 50:lock 40:put 30:delete 20:put 12:rollback 10:put"},
		{10, true, "55:rollback 50:lock 40:put 30:delete 20:put 12:rollback 10:put"},
		{12, true, "55:rollback 50:lock 40:put 30:delete 20:put 10:put"},
		{22, true, "55:rollback 50:lock 40:put 30:delete 20:put"},
		{32, false, "55:rollback 50:lock 40:put 30:delete"},
		{32, true, "55:rollback 50:lock 40:put"},
		{50, true, "55:rollback 40:put"},
		{60, true, "40:put"},
	} {
		var e Engine
		key := []byte("k")
		b := e.begin()
		for _, w := range records {
			b.putWrite(e.entry(key), w)
		}
		e.apply(b)
		dropped := e.Collect(Extent{}, c.safePoint, c.deletions)
		require.Equal(t, c.want, history(e.Writes(key)), "safe point %d", c.safePoint)
		require.Equal(t, len(records)-len(e.Writes(key)), dropped)
	}
}

// TestCollectedKeys: a key of which nothing is left is gone, one that is locked or lies in another region is not.
func TestCollectedKeys(t *testing.T) {
	var e Engine
	b := e.begin()
	for _, key := range []string{"a", "b", "c", "z"} {
		b.putWrite(e.entry([]byte(key)), Write{CommitTS: 5, StartTS: 4, Kind: ports.KindDelete})
	}
	e.apply(b)
	e.PutLock([]byte("b"), Lock{StartTS: 3, Kind: ports.KindPut})
	require.Equal(t, 3, e.Collect(Extent{End: AppendEncoded(nil, []byte("d"))}, 9, true))
	require.Equal(t, 2, e.Len())
	require.NotNil(t, e.Lock([]byte("b")))
	require.Len(t, e.Writes([]byte("z")), 1)
}

// TestEvidenceIsCollected: a prewrite that comes after the evidence against it has been dropped succeeds, which is why
// nobody may commit below a safe point.
func TestEvidenceIsCollected(t *testing.T) {
	for _, collected := range []bool{false, true} {
		var e Engine
		key := []byte("k")
		e.BatchRollback(&ports.BatchRollbackRequest{Keys: [][]byte{key}, StartTS: 5}, &ports.BatchRollbackReply{})
		if collected {
			e.Collect(Extent{}, 9, true)
		}
		var reply ports.PrewriteReply
		e.Prewrite(&ports.PrewriteRequest{
			Mutations: []ports.Mutation{{Kind: ports.KindPut, Key: key}}, Primary: key, StartTS: 5, TTL: 1,
		}, &reply)
		require.Equal(t, collected, len(reply.Errors) == 0)
	}
}

// TestCollectAgainstReads: whoever reads at the safe point or later notices nothing, and what is newer is not touched.
func TestCollectAgainstReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e Engine
		key := []byte("k")
		b := e.begin()
		for ts := ports.Timestamp(1); ts <= 12; ts++ {
			kind := rapid.SampledFrom([]ports.LockKind{
				ports.KindPut, ports.KindDelete, ports.KindLock, ports.KindRollback,
			}).Draw(t, "kind")
			if rapid.Bool().Draw(t, "there") {
				b.putWrite(e.entry(key), Write{CommitTS: ts, StartTS: ts, Kind: kind, Value: []byte{byte(ts)}})
			}
		}
		e.apply(b)
		safePoint := ports.Timestamp(rapid.IntRange(0, 13).Draw(t, "safe point"))
		read := func() (values []string, newer []ports.Timestamp) {
			for ts := safePoint; ts <= 14; ts++ {
				var reply ports.GetReply
				e.Get(key, &Snapshot{TS: ts}, &reply)
				values = append(values, string(reply.Value))
			}
			for _, w := range e.Writes(key) {
				if w.CommitTS > safePoint {
					newer = append(newer, w.CommitTS)
				}
			}
			return values, newer
		}
		values, newer := read()
		e.Collect(Extent{}, safePoint, rapid.Bool().Draw(t, "deletions"))
		valuesAfter, newerAfter := read()
		require.Equal(t, values, valuesAfter)
		require.Equal(t, newer, newerAfter)
		below := 0
		for _, w := range e.Writes(key) {
			if w.CommitTS <= safePoint {
				below++
				require.True(t, w.data())
			}
		}
		require.LessOrEqual(t, below, 1)
	})
}
