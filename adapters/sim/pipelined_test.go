package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// answer awaits the reply to a request, which must be no region error.
func answer[R ports.Reply](s *station, req ports.Request) R {
	s.t.Helper()
	ev := s.await(s.send(req))
	require.Equal(s.t, ports.EventReply, ev.Kind)
	require.Nil(s.t, ev.Reply.Region())
	return ev.Reply.(R)
}

func TestPipelinedVerbsAreServed(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	flush := answer[*ports.FlushReply](s, &ports.FlushRequest{
		Mutations: []ports.Mutation{{Key: []byte("a"), Value: []byte("1")}, {Kind: ports.KindInsert, Key: []byte("b")}},
		Primary:   []byte("a"), StartTS: 10, Generation: 1, TTL: 10,
	})
	require.Empty(t, flush.Errors)
	leader, _ := s.w.regions.ordered[0].leader()
	require.EqualValues(t, 10, s.w.MaxTS(leader.Store), "an insert reads")
	read := answer[*ports.BufferBatchGetReply](s, &ports.BufferBatchGetRequest{
		Keys: [][]byte{[]byte("b"), []byte("a")}, StartTS: 10,
	})
	require.Len(t, read.Pairs, 2)
	require.Equal(t, "1", string(read.Pairs[0].Value))
	key := answer[*ports.MvccGetByKeyReply](s, &ports.MvccGetByKeyRequest{Key: []byte("a")})
	require.Equal(t, "a", string(key.Info.Lock.Primary))
	committed := answer[*ports.CommitReply](s, &ports.CommitRequest{
		Keys: [][]byte{[]byte("a")}, StartTS: 10, CommitTS: 12,
	})
	require.Nil(t, committed.Err)
	txn := answer[*ports.MvccGetByStartTSReply](s, &ports.MvccGetByStartTSRequest{StartTS: 10})
	require.Equal(t, "a", string(txn.Key))
	require.Len(t, txn.Info.Writes, 1)
}

// indexPrewrite writes a key that a pessimistic transaction has not locked, as TiDB does with the keys of indexes.
func indexPrewrite(start ports.Timestamp) *ports.PrewriteRequest {
	return &ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("i"), Value: []byte("1")}}, Primary: []byte("p"), StartTS: start,
		ForUpdateTS: start, Actions: []ports.PessimisticAction{ports.SkipPessimisticCheck}, TTL: 10,
	}
}

// lockedAgain reports whether a late prewrite of a committed transaction locks its key once more.
func (s *station) lockedAgain(start ports.Timestamp) bool {
	reply := answer[*ports.PrewriteReply](s, indexPrewrite(start))
	require.Empty(s.t, reply.Errors)
	return s.w.engine.Lock([]byte("i")) != nil
}

// The late prewrite of a pessimistic transaction looks at no version, unless the store knows that it is committed: then
// it finds itself, and does nothing (txn/commands/prewrite.rs: Prewriter::process_write).
func TestStoresRememberWhatIsCommitted(t *testing.T) {
	commit := &ports.CommitRequest{Keys: [][]byte{[]byte("i")}, StartTS: 10, CommitTS: 12}
	prepare := func() *station {
		s := newStation(t, Config{Chooser: Boring{}})
		require.Empty(t, answer[*ports.PrewriteReply](s, indexPrewrite(10)).Errors)
		return s
	}
	learn := map[string]func(s *station){
		"commit": func(s *station) { s.await(s.send(commit)) },
		"status": func(s *station) {
			s.w.engine.Commit(commit, &ports.CommitReply{})
			require.True(t, s.w.engine.Lock([]byte("i")) == nil)
			s.await(s.send(&ports.CheckTxnStatusRequest{Primary: []byte("i"), LockTS: 10, CallerStartTS: 13}))
		},
		"secondaries": func(s *station) {
			s.w.engine.Commit(commit, &ports.CommitReply{})
			s.await(s.send(&ports.CheckSecondaryLocksRequest{Keys: commit.Keys, StartTS: 10}))
		},
		"broadcast": func(s *station) {
			s.w.engine.Commit(commit, &ports.CommitReply{})
			answer[*ports.BroadcastTxnStatusReply](s, &ports.BroadcastTxnStatusRequest{Statuses: []ports.TxnStatus{
				{StartTS: 10, MinCommitTS: 11}, {StartTS: 10, CommitTS: 12, Completed: true},
			}})
		},
	}
	for name, learned := range learn {
		s := prepare()
		learned(s)
		require.False(t, s.lockedAgain(10), name)
	}
	s := prepare()
	s.w.engine.Commit(commit, &ports.CommitReply{})
	require.True(t, s.lockedAgain(10), "unknown")

	// A restart forgets, and so does time, when there is something new to remember.
	s = prepare()
	s.await(s.send(commit))
	leader, _ := s.w.regions.ordered[0].leader()
	store := s.w.store(leader.Store)
	s.w.Run(s.w.now.Add(statusKept+time.Second), nil)
	require.NotEmpty(t, store.statuses.of(10))
	s.w.knows(store, 50, 51)
	require.Empty(t, store.statuses.of(10))
	require.Len(t, store.statuses.order, 1)
	s.w.Crash(leader.Store)
	require.Empty(t, store.statuses.of(50))
}

// A broadcast belongs to no region, and whatever its header says, a store that gets it takes it.
func TestBroadcastsNeedNoRegion(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	gen := s.sendTo(ports.Endpoint{Store: 2, Address: s.w.store(2).address}, &ports.Header{},
		&ports.BroadcastTxnStatusRequest{Statuses: []ports.TxnStatus{{StartTS: 5, CommitTS: 6}}})
	require.Nil(t, s.await(gen).Reply.Region())
	require.EqualValues(t, 6, s.w.store(2).statuses.of(5).CommitTS)
}

// What is final stays, what runs grows (txn_status_cache.rs: upsert).
func TestStatusesAreFinal(t *testing.T) {
	committed, rolledBack := ports.TxnStatus{StartTS: 5, CommitTS: 6}, ports.TxnStatus{StartTS: 5, RolledBack: true}
	running := func(ts ports.Timestamp) ports.TxnStatus { return ports.TxnStatus{StartTS: 5, MinCommitTS: ts} }
	for _, c := range []struct{ old, new, want ports.TxnStatus }{
		{committed, rolledBack, committed}, {rolledBack, committed, rolledBack}, {running(7), committed, committed},
		{running(7), rolledBack, rolledBack}, {committed, running(9), committed},
		{running(7), running(9), running(9)}, {running(9), running(7), running(9)}, {running(9), running(0), running(5)},
	} {
		s := newStation(t, Config{Chooser: Boring{}})
		s.w.onBroadcast(s.w.store(1), &ports.BroadcastTxnStatusRequest{Statuses: []ports.TxnStatus{c.old, c.new}})
		require.Equal(t, c.want, s.w.store(1).statuses.of(5))
	}
}

// The locks of a large transaction hold the safe timestamp back: as long as the store knows nothing of it to its start,
// then to what it was told, and not at all once it has ended (components/resolved_ts/src/resolver.rs:
// oldest_transaction).
func TestSafeTimestampsKnowLargeTransactions(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	r := s.w.regions.ordered[0]
	start := s.w.allocate()
	answer[*ports.FlushReply](s, &ports.FlushRequest{
		Mutations: []ports.Mutation{{Key: []byte("a")}}, Primary: []byte("a"), StartTS: start, Generation: 1, TTL: 10,
	})
	safe := func() ports.Timestamp {
		s.w.resolve(r)
		return r.safe.ts
	}
	tell := func(status ports.TxnStatus) {
		status.StartTS = start
		answer[*ports.BroadcastTxnStatusReply](s, &ports.BroadcastTxnStatusRequest{Statuses: []ports.TxnStatus{status}})
	}
	require.Equal(t, start-1, safe())
	least := s.w.allocate()
	tell(ports.TxnStatus{MinCommitTS: least})
	require.Equal(t, least-1, safe())
	tell(ports.TxnStatus{RolledBack: true, Completed: true})
	require.Greater(t, safe(), least)
	require.NotNil(t, s.w.engine.Lock([]byte("a")), "in spite of its lock")
}
