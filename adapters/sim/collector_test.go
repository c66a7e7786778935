package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// write commits a value of a key in the first region, and returns when.
func (s *station) write(key, value string) ports.Timestamp {
	s.t.Helper()
	k := []byte(key)
	start := s.w.allocate()
	s.await(s.send(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Kind: ports.KindPut, Key: k, Value: []byte(value)}},
		Primary:   k, StartTS: start, TTL: 100,
	}))
	commit := s.w.allocate()
	reply := s.await(s.send(&ports.CommitRequest{Keys: [][]byte{k}, Primary: k, StartTS: start, CommitTS: commit})).Reply
	require.Nil(s.t, reply.(*ports.CommitReply).Err)
	return commit
}

// see reads a key of the first region.
func (s *station) see(key string, ts ports.Timestamp) string {
	s.t.Helper()
	return string(s.await(s.send(&ports.GetRequest{Key: []byte(key), TS: ts})).Reply.(*ports.GetReply).Value)
}

func advance(kind ports.AdminKind, ts ports.Timestamp) *ports.AdminRequest {
	return &ports.AdminRequest{Kind: kind, Keyspace: ports.NullKeyspace, TS: ts}
}

// watcher takes down what PD's safe points were.
type watcher struct {
	unwatched
	states []ports.GCState
}

// SafePointMoved implements [SafePointMonitor].
func (m *watcher) SafePointMoved(s ports.GCState) { m.states = append(m.states, s) }

// TestGarbageIsDropped: after the GC safe point has moved, some time later, region by region, as the chooser has it.
func TestGarbageIsDropped(t *testing.T) {
	for depth, old := range map[int]string{0: "one", 1: ""} {
		m := &watcher{}
		s := newStation(t, Config{Chooser: Boring{}})
		s.w.Watch(m)
		first, second := s.write("k", "one"), s.write("k", "two")
		s.w.chooser = chosen{SiteCompaction: {depth}}
		s.w.administer(advance(ports.AdminAdvanceTxnSafePoint, second))
		s.rest()
		require.Equal(t, "one", s.see("k", first), "the txn safe point alone drops nothing")
		s.w.administer(advance(ports.AdminAdvanceGCSafePoint, second))
		s.w.administer(advance(ports.AdminAdvanceGCSafePoint, second))
		require.Equal(t, "one", s.see("k", first), "it takes a while")
		s.rest()
		require.Equal(t, old, s.see("k", first))
		require.Equal(t, "two", s.see("k", second))
		s.w.Compact()
		require.Empty(t, s.see("k", first))
		require.Equal(t, ports.GCState{Keyspace: ports.NullKeyspace, TxnSafePoint: second}, m.states[0])
		require.Len(t, m.states, 3)
	}
}

// TestGarbageIsDroppedOnce: safe points that move together are one reason to compact.
func TestGarbageIsDroppedOnce(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteCompaction: {0, 1}}})
	first, second := s.write("k", "one"), s.write("k", "two")
	for _, kind := range []ports.AdminKind{ports.AdminAdvanceTxnSafePoint, ports.AdminAdvanceGCSafePoint} {
		s.w.administer(advance(kind, second))
	}
	s.w.administer(advance(ports.AdminAdvanceTxnSafePoint, second+1))
	s.rest()
	require.Equal(t, "one", s.see("k", first), "choice 0, and no other was asked for")
	s.w.administer(advance(ports.AdminAdvanceGCSafePoint, second+1))
	s.rest()
	require.Empty(t, s.see("k", first))
}

// TestOwnSafePointsDropNothing: TiKV has one safe point for all data.
func TestOwnSafePointsDropNothing(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Keyspaces: []ports.Keyspace{{ID: 1, Name: "own", OwnGC: true}}})
	first, second := s.write("k", "one"), s.write("k", "two")
	for _, kind := range []ports.AdminKind{ports.AdminAdvanceTxnSafePoint, ports.AdminAdvanceGCSafePoint} {
		req := advance(kind, second)
		req.Keyspace = 1
		require.Equal(t, ports.AdminAccepted, s.w.administer(req).Refusal)
	}
	s.w.Compact()
	require.Equal(t, "one", s.see("k", first))
}

// TestCollector: somebody moves the safe points as time goes by, held by barriers and locks, until the world is healed.
func TestCollector(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, GCLife: 10 * time.Second})
	state := s.w.pd.gcState(ports.NullKeyspace)
	s.w.Run(ports.Instant(26*time.Second), nil)
	require.Equal(t, ports.ComposeTimestamp(defaultEpoch+16_000, 0), state.txn, "the round of 26 s")
	require.Equal(t, state.txn, state.gc)

	held := ports.ComposeTimestamp(defaultEpoch+20_000, 0)
	s.w.engine.PutLock([]byte("k"), mvcc.Lock{StartTS: held, Kind: ports.KindPut})
	s.w.administer(&ports.AdminRequest{
		Kind: ports.AdminSetBarrier, Keyspace: ports.NullKeyspace, Name: "b", TS: held + 5, TTL: ports.Forever,
	})
	s.w.Run(ports.Instant(60*time.Second), nil)
	require.Equal(t, held+5, state.txn)
	require.Equal(t, held-1, state.gc)

	s.w.Heal()
	s.w.administer(&ports.AdminRequest{Kind: ports.AdminDeleteBarrier, Keyspace: ports.NullKeyspace, Name: "b"})
	s.w.Run(ports.Instant(90*time.Second), nil)
	require.Equal(t, held+5, state.txn)
	require.False(t, s.w.Step(), "it comes to rest")
	s = newStation(t, Config{Chooser: Boring{}, Epoch: 1, GCLife: 10 * time.Second})
	s.w.Run(ports.Instant(8*time.Second), nil)
	require.Zero(t, s.w.pd.gcState(ports.NullKeyspace).txn, "there is nothing before time began")
	_, err := New(Config{GCLife: -1})
	require.ErrorIs(t, err, ErrConfig)
}

// TestCollectorAndSharedLocks: of a set of shared locks the oldest is in the way.
func TestCollectorAndSharedLocks(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, GCLife: 10 * time.Second})
	for _, start := range []ports.Timestamp{defaultEpoch + 3000, defaultEpoch + 4000} {
		start = ports.ComposeTimestamp(int64(start), 0)
		reply := s.do(&ports.PessimisticLockRequest{
			Mutations: []ports.Mutation{{Kind: ports.KindSharedPessimisticLock, Key: []byte("k")}},
			Primary:   []byte("p"), StartTS: start, ForUpdateTS: start, TTL: 1,
		})
		require.Empty(t, reply.(*ports.PessimisticLockReply).Errors)
	}
	s.w.Run(ports.Instant(26*time.Second), nil)
	require.Equal(t, ports.ComposeTimestamp(defaultEpoch+3000, 0)-1, s.w.pd.gcState(ports.NullKeyspace).gc)
}
