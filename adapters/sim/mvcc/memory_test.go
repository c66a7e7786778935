package mvcc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// What a prewrite keeps in memory is what it writes when it is applied, whatever is there; and to keep it changes
// nothing.
func TestWhatIsPreparedIsApplied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twin{model: model{facts: map[string]map[ports.Timestamp]*fact{}}}
		for range rapid.IntRange(0, 8).Draw(t, "past") {
			rapid.SampledFrom([]func(*rapid.T){w.prewrite, w.commit, w.rollback, w.check}).Draw(t, "command")(t)
		}
		e := &w.engine
		keys, start := drawKeys(t), drawTS(t, "start")
		req := &ports.PrewriteRequest{Primary: []byte(keys[0]), StartTS: start, MinCommitTS: start + 1}
		req.UseAsyncCommit, req.TryOnePC = rapid.Bool().Draw(t, "async"), rapid.Bool().Draw(t, "one-pc")
		if rapid.Bool().Draw(t, "bounded") {
			req.MaxCommitTS = drawTS(t, "bound")
		}
		for _, k := range keys {
			kind := rapid.SampledFrom([]ports.LockKind{ports.KindPut, ports.KindLock, ports.KindInsert}).Draw(t, "kind")
			req.Mutations = append(req.Mutations, ports.Mutation{Kind: kind, Key: []byte(k), Value: []byte("v")})
		}
		terms := Terms{MaxTS: drawTS(t, "max")}
		before := e.AppendState(nil)
		locks := e.Prepare(terms, req)
		require.Equal(t, before, e.AppendState(nil))

		var reply ports.PrewriteReply
		e.PrewriteOn(terms, req, &reply)
		if len(reply.Errors) > 0 || reply.MinCommitTS == 0 && reply.OnePCCommitTS == 0 && !req.UseAsyncCommit {
			require.Empty(t, locks)
		}
		for i := range locks {
			m := &locks[i]
			info := m.Info()
			require.Greater(t, info.MinCommitTS, terms.MaxTS)
			if reply.OnePCCommitTS == 0 {
				require.Equal(t, info, e.Lock(m.Key).Info(m.Key))
				continue
			}
			require.Nil(t, e.Lock(m.Key))
			writes := e.Writes(m.Key)
			newest := writes[len(writes)-1]
			require.Equal(t, start, newest.StartTS)
			require.Equal(t, reply.OnePCCommitTS, newest.CommitTS)
			require.GreaterOrEqual(t, newest.CommitTS, info.MinCommitTS)
		}
	})
}
