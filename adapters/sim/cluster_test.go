package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// wrongs is a request with one thing wrong in its header, and the region error that it gets. A header with two wrongs
// gets the first that TiKV looks for.
var wrongs = []struct {
	name  string
	key   string
	spoil func(hdr *ports.Header)
	want  ports.FaultKind
}{
	{"store not match", "n", func(h *ports.Header) { h.Peer.Store++; h.Region.ID = 99 }, ports.FaultStoreNotMatch},
	{"region not found", "n", func(h *ports.Header) { h.Region.ID = 99; h.Peer.ID = 98 }, ports.FaultRegionNotFound},
	{"mismatch peer id", "n", func(h *ports.Header) { h.Peer.ID = 98; h.Region.Epoch.Version = 7 },
		ports.FaultMismatchPeerID},
	{"epoch not match", "a", func(h *ports.Header) { h.Region.Epoch.Version++ }, ports.FaultEpochNotMatch},
	{"key not in region", "a", func(*ports.Header) {}, ports.FaultKeyNotInRegion},
	{"the version of peers does not matter", "n", func(h *ports.Header) { h.Region.Epoch.ConfVer = 77 }, ports.FaultNone},
}

func TestRegionErrors(t *testing.T) {
	for _, c := range wrongs {
		t.Run(c.name, func(t *testing.T) {
			s := newStation(t, raw(Boring{}, 0, "m"))
			to, hdr := s.address(s.w.regions.ordered[1], 0)
			c.spoil(&hdr)
			f := s.await(s.sendTo(to, &hdr, put(c.key, "1"))).Reply.Region()
			if c.want == ports.FaultNone {
				require.Nil(t, f)
				require.Equal(t, "1", s.value(c.key))
				return
			}
			require.Equal(t, c.want, f.Kind)
			require.Empty(t, s.value(c.key))
			require.Equal(t, c.want == ports.FaultStoreNotMatch, f.Store == s.w.regions.ordered[1].Peers[0].Store)
			require.Equal(t, c.want == ports.FaultEpochNotMatch, len(f.Regions) == 1)
		})
	}
}

func TestNotLeader(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	leader, _ := r.leader()
	to, hdr := s.address(r, r.Peers[1].Store)
	hdr.Region.Epoch.Version = 7 // looked at later
	f := s.fault(s.sendTo(to, &hdr, put("n", "1")))
	require.Equal(t, ports.FaultNotLeader, f.Kind)
	require.Equal(t, leader, f.Leader)

	s.w.chooser = chosen{SiteHint: {1}}
	f = s.fault(s.sendTo(to, &hdr, put("n", "1")))
	require.Equal(t, ports.FaultNotLeader, f.Kind)
	require.Zero(t, f.Leader, "the peer may know none")
}

func TestServerIsBusy(t *testing.T) {
	s := newStation(t, raw(chosen{SiteBusy: {1}, SiteOutage: {3}}, FaultsOf(FaultBusy)))
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	hdr.Peer.Store++ // a store can be too busy to look
	f := s.fault(s.sendTo(to, &hdr, put("n", "1")))
	require.Equal(t, ports.FaultServerIsBusy, f.Kind)
	require.Equal(t, 15*time.Millisecond, f.Wait)
	require.False(t, f.MayBeApplied())
}

func TestStaleCommand(t *testing.T) {
	for choice, want := range map[int]string{1: "", 2: "1"} {
		s := newStation(t, raw(chosen{SiteStale: {choice}}, FaultsOf(FaultStaleCommand)))
		f := s.fault(s.send(put("k", "1")))
		require.Equal(t, ports.FaultStaleCommand, f.Kind)
		require.True(t, f.MayBeApplied())
		require.Equal(t, want, s.value("k"))
	}
}

// A leader that is deposed while it executes a write answers StaleCommand; the write is applied, or not.
func TestDeposedLeader(t *testing.T) {
	for choice, want := range map[int]string{0: "", 1: "1"} {
		s := newStation(t, raw(chosen{SiteExecute: {7}, SiteCandidate: {choice}}, 0))
		gen := s.send(put("k", "1"))
		s.w.Run(s.w.now+4*travelTime, nil)
		r := s.w.regions.ordered[0]
		require.True(t, s.w.Transfer(r.ID, r.Peers[1].Store))
		f := s.fault(gen)
		require.Equal(t, ports.FaultStaleCommand, f.Kind)
		require.Equal(t, want, s.value("k"))
	}

	s := newStation(t, raw(chosen{SiteExecute: {7}}, 0))
	gen := s.send(&ports.RawGetRequest{Key: []byte("k")})
	s.w.Run(s.w.now+4*travelTime, nil)
	r := s.w.regions.ordered[0]
	require.True(t, s.w.Transfer(r.ID, r.Peers[1].Store))
	require.Equal(t, ports.FaultNotLeader, s.fault(gen).Kind, "a read just finds another leader")
}

func TestTransfer(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	require.False(t, s.w.Transfer(99, 1))
	require.False(t, s.w.Transfer(r.ID, r.Peers[0].Store), "leads already")
	s.w.Hang(r.Peers[1].Store)
	require.False(t, s.w.Transfer(r.ID, r.Peers[1].Store), "hangs")
	s.w.Resume(r.Peers[1].Store)
	s.w.Hang(r.Peers[0].Store)
	require.False(t, s.w.Transfer(r.ID, r.Peers[1].Store), "the leader hangs")
	s.w.Resume(r.Peers[0].Store)
	require.True(t, s.w.Transfer(r.ID, r.Peers[1].Store))
	require.EqualValues(t, 2, r.term)
	require.Equal(t, r.Peers[1].ID, s.w.Regions()[0].Leader)
}

func TestSplit(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	old := s.w.regions.ordered[0].Region
	require.True(t, s.w.Split([]byte("m")))
	require.False(t, s.w.Split([]byte("m")), "a bound already")
	require.False(t, s.w.Split(nil))
	require.True(t, s.w.Split([]byte("f")))

	regions := s.w.Regions()
	require.Len(t, regions, 3)
	require.Equal(t, old.ID, regions[2].ID, "the old region keeps the upper part")
	require.Equal(t, "m", string(regions[2].Range.Start))
	require.Equal(t, []string{"", "f", "f", "m"}, []string{
		string(regions[0].Range.Start), string(regions[0].Range.End),
		string(regions[1].Range.Start), string(regions[1].Range.End),
	})
	require.Equal(t, uint64(2), regions[2].Epoch.Version)
	require.Equal(t, uint64(3), regions[0].Epoch.Version)
	require.Equal(t, uint64(3), regions[1].Epoch.Version)
	for _, r := range regions {
		leader, ok := r.Peer(r.Leader)
		require.True(t, ok)
		require.Equal(t, old.Peers[0].Store, leader.Store)
	}

	// Whoever knows the region as it was is told all of its parts.
	to, _ := s.address(s.w.regions.ordered[2], 0)
	f := s.fault(s.sendTo(to, &ports.Header{Region: old.RegionVersion, Peer: old.Peers[0]}, put("a", "1")))
	require.Equal(t, ports.FaultEpochNotMatch, f.Kind)
	require.Len(t, f.Regions, 3)
	require.Equal(t, regions[2].ID, f.Regions[0].ID)
}

func TestSplitWithoutLeader(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.w.Crash(s.w.regions.ordered[0].Peers[0].Store)
	require.True(t, s.w.Split([]byte("m")))
	s.rest()
	for _, r := range s.w.Regions() {
		require.NotZero(t, r.Leader)
	}
}

// A store that moved leaves an address at which another may be found.
func TestMovedStores(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	r := s.w.regions.ordered[0]
	to, hdr := s.address(r, r.Peers[0].Store)
	first, second := r.Peers[0].Store, r.Peers[1].Store
	s.w.Crash(first)
	s.w.Restart(first, "store-1b:20160")
	require.Equal(t, ports.EventUnsent, s.await(s.sendTo(to, &hdr, put("a", "1"))).Kind)
	s.w.Crash(second)
	s.w.Restart(second, to.Address)
	require.Equal(t, ports.FaultStoreNotMatch, s.fault(s.sendTo(to, &hdr, put("a", "1"))).Kind)
	require.Equal(t, "store-1b:20160", s.w.Stores()[first-1].Address)
	require.Equal(t, to.Address, s.w.Stores()[second-1].Address)
}

func TestNewAddress(t *testing.T) {
	s := newStation(t, raw(chosen{SiteVictim: {1, 9, 0}}, 0))
	s.w.Crash(1)
	s.w.Restart(1, "one-b:1")
	s.w.Crash(2)
	require.Equal(t, "store-1:20160", s.w.newAddress(s.w.store(2)), "where store 1 was")
	s.w.Restart(2, "store-1:20160")
	s.w.Crash(3)
	require.Equal(t, "store-2:20160", s.w.newAddress(s.w.store(3)))
	require.Equal(t, "store-3:20162", s.w.newAddress(s.w.store(3)), "a fresh one")
}

func TestMaxTS(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	leader, _ := s.w.regions.ordered[0].leader()
	high := func() ports.Timestamp { return s.w.MaxTS(leader.Store) }
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: 10}))
	require.EqualValues(t, 10, high())
	s.await(s.send(&ports.ScanRequest{TS: 12, Limit: 1}))
	s.await(s.send(&ports.BatchGetRequest{TS: 11}))
	require.EqualValues(t, 12, high())
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: ports.MaxTimestamp}))
	require.EqualValues(t, 12, high())
	insert := []ports.Mutation{{Kind: ports.KindInsert, Key: []byte("a")}}
	s.await(s.send(&ports.PrewriteRequest{Mutations: insert, Primary: []byte("a"), StartTS: 13}))
	require.EqualValues(t, 13, high())
	s.await(s.send(&ports.CheckTxnStatusRequest{
		Primary: []byte("a"), LockTS: 13, CallerStartTS: ports.MaxTimestamp, CurrentTS: 15,
	}))
	require.EqualValues(t, 15, high())
	lock := []ports.Mutation{{Kind: ports.KindPessimisticLock, Key: []byte("b")}}
	s.await(s.send(&ports.PessimisticLockRequest{Mutations: lock, Primary: []byte("b"), StartTS: 16, ForUpdateTS: 16}))
	require.EqualValues(t, 15, high(), "a lock alone reads nothing")
	for i, req := range []*ports.PessimisticLockRequest{{ReturnValues: true}, {CheckExistence: true}, {}} {
		req.Mutations, req.StartTS, req.ForUpdateTS = lock, 16, ports.Timestamp(17+i)
		if i == 2 {
			req.Mutations = []ports.Mutation{{Key: []byte("b"), Assertion: ports.AssertNotExist}}
		}
		s.await(s.send(req))
		require.EqualValues(t, 17+i, high())
	}
	s.await(s.send(&ports.CheckSecondaryLocksRequest{Keys: [][]byte{[]byte("c")}, StartTS: 20}))
	require.EqualValues(t, 20, high())
	s.await(s.send(&ports.ScanLockRequest{MaxTS: 21}))
	s.await(s.send(&ports.ScanLockRequest{MaxTS: ports.MaxTimestamp}))
	require.EqualValues(t, 21, high())
	s.w.Crash(leader.Store)
	require.Zero(t, high())
}

// A new leader does not know what was read on the last one: it waits for a timestamp that is above all of it.
func TestMaxTSIsLostWithTheLeader(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	r := s.w.regions.ordered[0]
	read := s.w.allocate()
	start := s.w.allocate() - 2
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: read}))
	require.True(t, s.w.Transfer(r.ID, r.Peers[1].Store))
	once := &ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("a")}}, Primary: []byte("a"), StartTS: start, TryOnePC: true,
	}
	async := *once
	async.TryOnePC, async.UseAsyncCommit = false, true
	plain := async
	plain.UseAsyncCommit, plain.StartTS = false, start-1
	plain.Mutations = []ports.Mutation{{Key: []byte("b")}}
	gens := []uint32{s.send(once), s.send(&async)}
	unaffected := s.send(&plain)
	for _, gen := range gens {
		require.Equal(t, ports.FaultMaxTimestampNotSynced, s.fault(gen).Kind)
	}
	require.Nil(t, s.await(unaffected).Reply.Region())
	s.w.Run(r.synced, nil)
	reply := s.await(s.send(once)).Reply.(*ports.PrewriteReply)
	require.Nil(t, reply.Region())
	require.Greater(t, reply.OnePCCommitTS, read)
}

func TestExtentTouches(t *testing.T) {
	x := mvcc.Extent{Start: mvcc.AppendEncoded(nil, []byte("b")), End: mvcc.AppendEncoded(nil, []byte("d"))}
	for key, want := range map[string]bool{"a": false, "b": true, "c": true, "d": true, "e": false} {
		require.Equal(t, want, x.Touches([]byte(key), false), key)
	}
	require.False(t, x.Touches(nil, false))
	require.False(t, x.Touches(nil, true))
	require.True(t, mvcc.Extent{Start: x.Start}.Touches(nil, true))
	require.True(t, mvcc.Extent{End: x.End}.Touches(nil, false))
	raw := mvcc.Extent{Start: []byte("b"), End: []byte("d")}
	for key, want := range map[string]bool{"a": false, "b": true, "d": true, "e": false, "": false} {
		require.Equal(t, want, raw.TouchesRaw([]byte(key), true), key)
	}
}

// Each request is checked for the keys that it is about.
func TestKeysOfRequests(t *testing.T) {
	s := newStation(t, Config{Splits: [][]byte{[]byte("m")}, Chooser: Boring{}})
	r := s.w.regions.ordered[0]
	keys := [][]byte{[]byte("a"), []byte("x")}
	for _, req := range []ports.Request{
		&ports.GetRequest{Key: keys[1]}, &ports.BatchGetRequest{Keys: keys},
		&ports.ScanRequest{Range: ports.KeyRange{Start: keys[1]}},
		&ports.ScanRequest{Range: ports.KeyRange{End: keys[1]}, Reverse: true},
		&ports.PrewriteRequest{Mutations: []ports.Mutation{{Key: keys[0]}, {Key: keys[1]}}},
		&ports.CommitRequest{Keys: keys}, &ports.BatchRollbackRequest{Keys: keys},
		&ports.CheckTxnStatusRequest{Primary: keys[1]}, &ports.ResolveLockRequest{Keys: keys},
		&ports.TxnHeartBeatRequest{Primary: keys[1]}, &ports.PessimisticRollbackRequest{Keys: keys},
		&ports.CheckSecondaryLocksRequest{Keys: keys}, &ports.ScanLockRequest{Range: ports.KeyRange{Start: keys[1]}},
		&ports.PessimisticLockRequest{Mutations: []ports.Mutation{{Key: keys[0]}, {Key: keys[1]}}},
		&ports.FlushRequest{Mutations: []ports.Mutation{{Key: keys[0]}, {Key: keys[1]}}},
		&ports.BufferBatchGetRequest{Keys: keys}, &ports.MvccGetByKeyRequest{Key: keys[1]},
	} {
		require.False(t, s.w.inRegion(r, req), "%T", req)
	}
	s = newStation(t, raw(Boring{}, 0, "m"))
	r = s.w.regions.ordered[0]
	for _, req := range []ports.Request{
		&ports.RawGetRequest{Key: keys[1]}, &ports.RawBatchGetRequest{Keys: keys}, &ports.RawPutRequest{Key: keys[1]},
		&ports.RawBatchPutRequest{Pairs: []ports.KV{{Key: keys[0]}, {Key: keys[1]}}}, &ports.RawDeleteRequest{Key: keys[1]},
		&ports.RawBatchDeleteRequest{Keys: keys}, &ports.RawDeleteRangeRequest{Range: ports.KeyRange{End: keys[1]}},
		&ports.RawDeleteRangeRequest{}, &ports.RawScanRequest{Range: ports.KeyRange{Start: keys[1]}, Limit: 1},
		&ports.RawScanRequest{Range: ports.KeyRange{End: keys[1]}, Reverse: true, Limit: 1},
		&ports.RawGetKeyTTLRequest{Key: keys[1]}, &ports.RawCompareAndSwapRequest{Key: keys[1]},
	} {
		require.False(t, s.w.inRegion(r, req), "%T", req)
	}
	// What seeks nothing is nowhere, and what makes no sense is refused for that reason.
	for _, req := range []ports.Request{
		&ports.RawScanRequest{Range: ports.KeyRange{Start: keys[1]}},
		&ports.RawDeleteRangeRequest{Range: ports.KeyRange{Start: keys[1], End: keys[0]}},
	} {
		require.True(t, s.w.inRegion(r, req), "%T", req)
	}
}

func TestClosedClientsAskNothing(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.c.Watch(s)
	passed := s.tok()
	s.c.Timestamp(s.w.now, passed, s)
	require.Equal(t, ports.CauseTimeout, s.await(passed.Gen).Cause.Kind)
	s.w.SilencePD(ports.Forever)
	unanswered := s.tok()
	s.c.Timestamp(ports.Never, unanswered, s)
	s.rest()
	require.Empty(t, s.events[unanswered.Gen], "without a deadline there is no end")
	s.c.Close()
	require.Equal(t, ports.CauseClosed, s.await(unanswered.Gen).Cause.Kind)
	require.Equal(t, ports.CauseClosed, s.timestamp().Cause.Kind)
	require.False(t, s.w.Healed())
	s.w.Heal()
	require.True(t, s.w.Healed())
}

func TestSplitsHappenWhereKeysAre(t *testing.T) {
	for _, rawKeys := range []bool{false, true} {
		config := Config{Chooser: Boring{}, RawKeys: rawKeys}
		s := newStation(t, config)
		s.w.splitSomewhere()
		require.Len(t, s.w.Regions(), 1, "nothing is there to split at")
		for i := range 200 {
			key := fmt.Sprintf("key-%03d", i)
			if rawKeys {
				s.await(s.send(put(key, "1")))
			} else {
				s.await(s.send(prewriteOf(10, key, key)))
			}
		}
		s.w.chooser = NewSeeded(1, 0)
		for range 200 {
			s.w.splitSomewhere()
		}
		regions := s.w.Regions()
		require.Len(t, regions, maxRegions)
		for i, r := range regions[1:] {
			require.Equal(t, regions[i].Range.End, r.Range.Start)
		}
	}
}

func TestEveryRawVerbIsServed(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	keys := [][]byte{[]byte("a"), []byte("b")}
	pairs := []ports.KV{{Key: keys[0], Value: []byte("1"), TTL: 5}, {Key: keys[1]}}
	s.await(s.send(&ports.RawBatchPutRequest{Pairs: pairs}))
	got := s.await(s.send(&ports.RawBatchGetRequest{Keys: keys})).Reply.(*ports.RawBatchGetReply)
	require.Len(t, got.Pairs, 2)
	ttl := s.await(s.send(&ports.RawGetKeyTTLRequest{Key: keys[0]})).Reply.(*ports.RawGetKeyTTLReply)
	require.EqualValues(t, 5, ttl.TTL)
	s.w.Run(s.w.now.Add(5*time.Second), nil)
	gone := s.await(s.send(&ports.RawGetRequest{Key: keys[0]})).Reply.(*ports.RawGetReply)
	require.True(t, gone.NotFound, "the store's clock is the world's")
	s.await(s.send(&ports.RawBatchDeleteRequest{Keys: keys[:1]}))
	s.await(s.send(&ports.RawDeleteRangeRequest{}))
	scan := s.await(s.send(&ports.RawScanRequest{Limit: 9})).Reply.(*ports.RawScanReply)
	require.Empty(t, scan.Pairs)
}
