package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// asyncPrewrite is a prewrite of keys "m" and "n" that chooses its own commit timestamp.
func asyncPrewrite(start ports.Timestamp) *ports.PrewriteRequest {
	return &ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("m"), Value: []byte("1")}, {Key: []byte("n"), Value: []byte("1")}},
		Primary:   []byte("m"), StartTS: start, TTL: 10, UseAsyncCommit: true, Secondaries: [][]byte{[]byte("n")},
	}
}

// holding lets a station send a prewrite whose locks stand in memory for a while, and waits until they do. The store
// was read at 20 before.
func holding(t *testing.T, q *ports.PrewriteRequest) (*station, *store, uint32) {
	s := newStation(t, Config{Chooser: chosen{SiteMemoryLock: {7}}})
	leader, _ := s.w.regions.ordered[0].leader()
	store := s.w.store(leader.Store)
	s.await(s.send(&ports.GetRequest{Key: []byte("m"), TS: 20}))
	gen := s.send(q)
	require.True(t, s.w.Run(s.w.now.Add(time.Second), func() bool { return len(store.memory) > 0 }))
	return s, store, gen
}

// What a read meets while a prewrite has chosen its commit timestamp, 21, and is not applied: all of it fails
// (src/storage/mod.rs: prepare_snap_ctx, scan, scan_lock; server/service/kv.rs: future_get, future_batch_get).
func TestReadsMeetLocksInMemory(t *testing.T) {
	s, store, gen := holding(t, asyncPrewrite(10))
	require.Nil(t, s.w.engine.Lock([]byte("m")), "nothing is applied")
	locked := func(err *ports.KeyError, key string) {
		t.Helper()
		require.NotNil(t, err)
		require.Equal(t, ports.KeyLocked, err.Kind)
		require.Equal(t, key, string(err.Lock.Key))
		require.True(t, err.Lock.UseAsyncCommit)
		require.EqualValues(t, 21, err.Lock.MinCommitTS)
	}
	send := func(req ports.Request) uint32 { return s.send(req) }
	get, other, early := send(&ports.GetRequest{Key: []byte("m"), TS: 30}),
		send(&ports.GetRequest{Key: []byte("o"), TS: 30}), send(&ports.GetRequest{Key: []byte("m"), TS: 20})
	newest := send(&ports.GetRequest{Key: []byte("m"), TS: ports.MaxTimestamp})
	batch := send(&ports.BatchGetRequest{Keys: [][]byte{[]byte("a"), []byte("n"), []byte("m")}, TS: 30})
	scan := send(&ports.ScanRequest{Range: ports.KeyRange{Start: []byte("a")}, Limit: 9, TS: 30})
	aside := send(&ports.ScanRequest{Range: ports.KeyRange{Start: []byte("o")}, Limit: 9, TS: 30})
	locks := send(&ports.ScanLockRequest{MaxTS: 10})
	older := send(&ports.ScanLockRequest{MaxTS: 9})
	buffer := send(&ports.BufferBatchGetRequest{Keys: [][]byte{[]byte("n")}, StartTS: 30})
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	hdr.CommittedLocks = []ports.Timestamp{10}
	committed := s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("m"), TS: 30})
	hdr.ResolvedLocks = []ports.Timestamp{10}
	resolved := s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("m"), TS: 30})
	hdr.ResolvedLocks, hdr.Isolation = nil, ports.IsolationRC
	rc := s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("m"), TS: 30})
	hdr.Isolation = ports.IsolationRCCheckTS
	checked := s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("m"), TS: 5})

	locked(s.await(get).Reply.(*ports.GetReply).Err, "m")
	locked(s.await(newest).Reply.(*ports.GetReply).Err, "m")
	locked(s.await(committed).Reply.(*ports.GetReply).Err, "m")
	for _, gen := range []uint32{other, early, resolved, rc} {
		require.True(t, s.await(gen).Reply.(*ports.GetReply).NotFound)
	}
	require.Equal(t, ports.KeyWriteConflict, s.await(checked).Reply.(*ports.GetReply).Err.Kind)
	batched := s.await(batch).Reply.(*ports.BatchGetReply)
	locked(batched.Err, "n")
	require.Len(t, batched.Pairs, 1)
	locked(batched.Pairs[0].Err, "n")
	scanned := s.await(scan).Reply.(*ports.ScanReply)
	locked(scanned.Err, "m")
	require.Len(t, scanned.Pairs, 1)
	require.Nil(t, s.await(aside).Reply.(*ports.ScanReply).Err)
	locked(s.await(locks).Reply.(*ports.ScanLockReply).Err, "m")
	require.Nil(t, s.await(older).Reply.(*ports.ScanLockReply).Err)
	locked(s.await(buffer).Reply.(*ports.BufferBatchGetReply).Err, "n")
	require.EqualValues(t, 10, store.memory.oldest())

	// Applied, it has the timestamp that the readers were told, though they have raised max_ts meanwhile.
	reply := s.await(gen).Reply.(*ports.PrewriteReply)
	require.EqualValues(t, 21, reply.MinCommitTS)
	require.EqualValues(t, 30, store.maxTS)
	require.Empty(t, store.memory)
	require.EqualValues(t, ports.MaxTimestamp, store.memory.oldest())
	require.EqualValues(t, 21, s.w.engine.Lock([]byte("n")).MinCommitTS)
}

// The lock of a one-phase commit is never written, and no read of the newest version passes by it.
func TestReadsMeetOnePhaseCommits(t *testing.T) {
	q := asyncPrewrite(10)
	q.UseAsyncCommit, q.Secondaries, q.TryOnePC = false, nil, true
	s, _, gen := holding(t, q)
	read := s.send(&ports.GetRequest{Key: []byte("m"), TS: ports.MaxTimestamp})
	err := s.await(read).Reply.(*ports.GetReply).Err
	require.Equal(t, ports.KeyLocked, err.Kind)
	require.False(t, err.Lock.UseAsyncCommit)
	require.EqualValues(t, 21, s.await(gen).Reply.(*ports.PrewriteReply).OnePCCommitTS)
	require.Equal(t, "1", string(answer[*ports.GetReply](s, &ports.GetRequest{Key: []byte("m"), TS: 21}).Value))
}

// Other commands wait for the keys (txn/latch.rs).
func TestCommandsWaitForKeysInMemory(t *testing.T) {
	keys := [][]byte{[]byte("m")}
	mutations := []ports.Mutation{{Key: keys[0]}}
	for _, req := range []ports.Request{
		&ports.PrewriteRequest{Mutations: mutations, Primary: keys[0], StartTS: 40},
		&ports.FlushRequest{Mutations: mutations, Primary: keys[0], StartTS: 40, Generation: 1},
		&ports.PessimisticLockRequest{Mutations: mutations, Primary: keys[0], StartTS: 40, ForUpdateTS: 40, WaitTimeout: -1},
		&ports.CommitRequest{Keys: keys, StartTS: 10, CommitTS: 50}, &ports.BatchRollbackRequest{Keys: keys, StartTS: 10},
		&ports.ResolveLockRequest{Keys: keys, StartTS: 10}, &ports.CheckSecondaryLocksRequest{Keys: keys, StartTS: 10},
		&ports.PessimisticRollbackRequest{Keys: keys, StartTS: 10, ForUpdateTS: 10},
		&ports.CheckTxnStatusRequest{Primary: keys[0], LockTS: 10}, &ports.TxnHeartBeatRequest{Primary: keys[0], StartTS: 10},
	} {
		s, store, gen := holding(t, asyncPrewrite(10))
		writer := s.send(req)
		s.await(writer)
		require.NotEmpty(t, s.events[gen], "%T overtook", req)
		require.EqualValues(t, 21, s.await(gen).Reply.(*ports.PrewriteReply).MinCommitTS, "%T", req)
		require.Empty(t, store.memory)
	}
	s, _, gen := holding(t, asyncPrewrite(10))
	s.await(s.send(&ports.BatchRollbackRequest{Keys: [][]byte{[]byte("o")}, StartTS: 10}))
	require.Empty(t, s.events[gen], "another key is free")
}

// Memory is lost with the process, and what nobody leads any more is not applied.
func TestLocksInMemoryAreLost(t *testing.T) {
	s, store, gen := holding(t, asyncPrewrite(10))
	s.w.Crash(store.id)
	require.Empty(t, store.memory)
	require.Equal(t, ports.EventLost, s.await(gen).Kind)
	s.rest()
	require.Nil(t, s.w.engine.Lock([]byte("m")))

	s, store, gen = holding(t, asyncPrewrite(10))
	require.True(t, s.w.Transfer(s.w.regions.ordered[0].ID, store.id%3+1))
	require.Equal(t, ports.FaultStaleCommand, s.fault(gen).Kind)
	require.Empty(t, store.memory)
	require.Nil(t, s.w.engine.Lock([]byte("m")))
}

// Prewrites that are refused, or that fall back, hold nothing.
func TestNothingIsHeldForPlainLocks(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteMemoryLock: {7, 7, 7}}})
	leader, _ := s.w.regions.ordered[0].leader()
	s.await(s.send(&ports.GetRequest{Key: []byte("m"), TS: 20}))
	late := asyncPrewrite(10)
	late.MaxCommitTS = 15
	gen := s.send(late)
	reply := s.await(gen).Reply.(*ports.PrewriteReply)
	require.Zero(t, reply.MinCommitTS)
	require.NotNil(t, s.w.engine.Lock([]byte("m")))
	gen = s.send(asyncPrewrite(11))
	require.Len(t, s.await(gen).Reply.(*ports.PrewriteReply).Errors, 2)
	require.Empty(t, s.w.store(leader.Store).memory)
}

// A follower asks its leader, which looks at its memory whatever the reader knows (src/server/raftkv/mod.rs:
// ReplicaReadLockChecker).
func TestFollowersMeetLocksOfTheirLeader(t *testing.T) {
	s, store, _ := holding(t, asyncPrewrite(10))
	to, hdr := s.address(s.w.regions.ordered[0], store.id%3+1)
	hdr.ReplicaRead, hdr.ResolvedLocks = true, []ports.Timestamp{10}
	ev := s.await(s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("m"), TS: 30}))
	require.Nil(t, ev.Reply.Region())
	require.Equal(t, ports.KeyLocked, ev.Reply.(*ports.GetReply).Err.Kind)
	require.EqualValues(t, 30, store.maxTS)
}

// A timestamp that PD cannot have given out does not raise max_ts (concurrency_manager: update_max_ts). Reads may be a
// minute ahead, what decides transactions must not.
func TestInvalidMaxTS(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	leader, _ := s.w.regions.ordered[0].leader()
	now := s.w.allocate()
	beyond := func(d time.Duration) ports.Timestamp {
		return ports.ComposeTimestamp(now.Physical()+d.Milliseconds(), 0)
	}
	key := []byte("a")
	insert := []ports.Mutation{{Kind: ports.KindInsert, Key: key}}
	far, near := beyond(2*time.Minute), beyond(30*time.Second)
	for _, req := range []ports.Request{
		&ports.GetRequest{Key: key, TS: far}, &ports.BatchGetRequest{Keys: [][]byte{key}, TS: far},
		&ports.ScanRequest{Limit: 1, TS: far}, &ports.BufferBatchGetRequest{Keys: [][]byte{key}, StartTS: far},
		&ports.PrewriteRequest{Mutations: insert, Primary: key, StartTS: far},
		&ports.FlushRequest{Mutations: insert, Primary: key, StartTS: far, Generation: 1},
		&ports.PessimisticLockRequest{Mutations: insert, Primary: key, StartTS: 5, ForUpdateTS: far, ReturnValues: true},
		&ports.ScanLockRequest{MaxTS: near}, &ports.CheckSecondaryLocksRequest{Keys: [][]byte{key}, StartTS: near},
		&ports.CheckTxnStatusRequest{Primary: key, LockTS: 5, CurrentTS: near},
	} {
		f := s.fault(s.send(req))
		require.Equal(t, ports.FaultOther, f.Kind, "%T", req)
		require.Regexp(t, `^invalid max_ts update: \d+ exceeds the limit \d+$`, f.Text)
		require.Less(t, s.w.MaxTS(leader.Store), near)
	}
	require.Nil(t, s.w.engine.Lock(key))

	// Reads come before the store looks whether it leads at all.
	r := s.w.regions.ordered[0]
	to, hdr := s.address(r, leader.Store%3+1)
	require.Equal(t, ports.FaultOther, s.fault(s.sendTo(to, &hdr, &ports.GetRequest{Key: key, TS: far})).Kind)
	status := &ports.CheckTxnStatusRequest{Primary: key, LockTS: 5, CurrentTS: far}
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, status)).Kind)

	s.await(s.send(&ports.GetRequest{Key: key, TS: near}))
	require.Equal(t, near, s.w.MaxTS(leader.Store), "drift is allowed")
	s.w.SilencePD(ports.Forever)
	require.Nil(t, s.await(s.send(&ports.GetRequest{Key: key, TS: far})).Reply.Region(), "PD does not tell")
	require.Equal(t, far, s.w.MaxTS(leader.Store))
}
