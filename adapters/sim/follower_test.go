package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// followers is a cluster in which k is "old" since 10, and "new" since 20, which the peer on store 2 has not applied
// when it is behind.
func followers(t *testing.T, chooser Chooser, behind bool) *station {
	s := newStation(t, Config{Chooser: chooser, Stores: 4})
	s.commitAt("k", "old", 10)
	r := s.w.regions.ordered[0]
	s.w.resolve(r) // safe is what is fresh now
	if behind {
		require.True(t, s.w.Lag(r.ID, 2, 50*time.Millisecond))
	}
	s.commitAt("k", "new", r.safe.ts+20)
	return s
}

// commitAt commits a value at a timestamp.
func (s *station) commitAt(key, value string, commit ports.Timestamp) {
	req := prewriteOf(commit-1, key, key)
	req.Mutations[0].Value = []byte(value)
	require.Nil(s.t, s.await(s.send(req)).Reply.Region())
	require.Nil(s.t, s.await(s.send(commitOf(commit-1, key, key))).Reply.(*ports.CommitReply).Err)
}

// read sends a read to the peer on a store.
func (s *station) read(store ports.StoreID, hdr ports.Header, req ports.Request) uint32 {
	to, own := s.address(s.w.regions.ordered[0], store)
	own.ReplicaRead, own.StaleRead, own.Isolation = hdr.ReplicaRead, hdr.StaleRead, hdr.Isolation
	return s.sendTo(to, &own, req)
}

func (s *station) got(gen uint32) string {
	s.t.Helper()
	ev := s.await(gen)
	require.Equal(s.t, ports.EventReply, ev.Kind)
	require.Nil(s.t, ev.Reply.Region())
	return string(ev.Reply.(*ports.GetReply).Value)
}

func get(ts ports.Timestamp) *ports.GetRequest { return &ports.GetRequest{Key: []byte("k"), TS: ts} }

var (
	replica = ports.Header{ReplicaRead: true}
	stale   = ports.Header{StaleRead: true}
)

func TestReplicaRead(t *testing.T) {
	s := followers(t, Boring{}, false)
	now := s.w.pd.last + 100
	require.Equal(t, "new", s.got(s.read(2, replica, get(now))))
	require.Equal(t, now, s.w.MaxTS(1), "the leader commits nothing below it any more")
	require.Equal(t, now, s.w.MaxTS(2))
	require.Equal(t, "new", s.got(s.read(1, replica, get(now))), "a leader serves it, too")
	require.Equal(t, ports.FaultNotLeader, s.fault(s.read(2, replica, prewriteOf(now, "z", "z"))).Kind, "reads only")

	committed := replica
	committed.Isolation = ports.IsolationRC
	require.Equal(t, "new", s.got(s.read(2, committed, get(now+5))))
	require.Equal(t, now, s.w.MaxTS(1), "a read that minds no locks says no timestamp")
	require.Equal(t, "new", s.got(s.read(2, replica, get(ports.MaxTimestamp))))
	require.Equal(t, now, s.w.MaxTS(1))
}

// A follower reads what was committed when it was asked, however far behind it is.
func TestReplicaReadWaits(t *testing.T) {
	s := followers(t, Boring{}, true)
	asked := s.w.now
	require.Equal(t, "new", s.got(s.read(2, replica, get(s.w.pd.last+100))))
	require.Greater(t, s.w.now, asked+ports.Instant(30*time.Millisecond))

	// It gives up when it has too much to apply.
	s = followers(t, Boring{}, true)
	s.w.regions.ordered[0].late[0].missed = readIndexGap - 1
	first := s.read(2, replica, get(s.w.pd.last+100))
	s.w.Run(s.w.now+20*travelTime, nil)
	s.await(s.send(commitOf(5, "z", "z")))
	f := s.fault(s.read(2, replica, get(s.w.pd.last+100)))
	require.Equal(t, ports.FaultReadIndexNotReady, f.Kind)
	require.Equal(t, "new", s.got(first))

	// What waits goes down with the store, and ends when the peer is removed.
	s = followers(t, Boring{}, true)
	gen := s.read(2, replica, get(s.w.pd.last+100))
	s.w.Run(s.w.now+20*travelTime, nil)
	s.w.Crash(2)
	require.Equal(t, ports.EventLost, s.await(gen).Kind)
	s = followers(t, Boring{}, true)
	gen = s.read(2, replica, get(s.w.pd.last+100))
	s.w.Run(s.w.now+20*travelTime, nil)
	require.True(t, s.w.ChangePeers(s.w.regions.ordered[0].ID, PeerChange{Store: 2, Kind: ChangeToNothing}))
	require.Equal(t, ports.FaultRegionNotFound, s.fault(gen).Kind)
}

func TestReplicaReadWithoutALeader(t *testing.T) {
	s := followers(t, Boring{}, false)
	s.w.Hang(1)
	asked := s.w.now
	require.Equal(t, "new", s.got(s.read(2, replica, get(s.w.pd.last+100))), "the next leader says how far")
	require.Greater(t, s.w.now, asked+electionTime-heartbeatTime)

	s = followers(t, Boring{}, false)
	s.w.Crash(1)
	f := s.fault(s.read(2, replica, get(s.w.pd.last+100)))
	require.Equal(t, ports.FaultNotLeader, f.Kind)
	require.Zero(t, f.Leader)
}

func TestReplicaReadOfAMergingRegion(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteMerge: {8}}, Splits: [][]byte{[]byte("m")}})
	require.True(t, s.w.Merge(s.w.regions.ordered[0].ID, s.w.regions.ordered[1].ID))
	require.Equal(t, ports.FaultReadIndexNotReady, s.fault(s.read(2, replica, get(5))).Kind)
}

// A peer that is behind serves what it had, up to what was safe then.
func TestStaleRead(t *testing.T) {
	s := followers(t, Boring{}, true)
	r := s.w.regions.ordered[0]
	safe := r.safe.ts
	high := s.w.MaxTS(2)
	require.Equal(t, "old", s.got(s.read(2, stale, get(safe))))
	require.Equal(t, high, s.w.MaxTS(2), "it may read where something is yet to be committed")
	f := s.fault(s.read(2, stale, get(safe+1)))
	require.Equal(t, ports.FaultDataIsNotReady, f.Kind)
	require.Equal(t, safe, f.SafeTS)
	require.Equal(t, ports.FaultDataIsNotReady, s.fault(s.read(1, stale, get(safe+1))).Kind, "the leader knows no more")

	s.w.Run(s.w.now.Add(2*time.Millisecond), nil)
	s.w.resolve(r)
	require.Equal(t, "old", s.got(s.read(1, stale, get(safe+19))))
	require.Equal(t, ports.FaultDataIsNotReady, s.fault(s.read(2, stale, get(safe+19))).Kind, "it has to apply first")
	s.rest()
	s.w.resolve(r)
	require.Equal(t, "new", s.got(s.read(2, stale, get(r.safe.ts))), "and wins over a read index")
	both := stale
	both.ReplicaRead = true
	require.Equal(t, "new", s.got(s.read(3, both, get(safe+20))))
	require.Equal(t, "old", s.got(s.read(3, both, get(safe+19))))
}

// A region is safe up to its oldest lock on data, and looks again at a tick, or when a reader is refused.
func TestSafeTS(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	r := s.w.regions.ordered[0]
	require.Zero(t, s.w.safeTS(r, r.Leader), "no tick yet")
	s.w.Run(ports.Instant(20*time.Second), nil)
	first := s.w.safeTS(r, r.Leader)
	require.Equal(t, s.w.pd.last, first)
	require.Equal(t, first, s.w.MaxTS(1))
	s.w.Run(s.w.now.Add(19*time.Second), nil)
	require.Equal(t, first, s.w.safeTS(r, r.Leader))

	locked := s.w.allocate()
	s.w.engine.PutLock([]byte("a"), mvcc.Lock{Kind: ports.KindPut, Primary: []byte("a"), StartTS: locked + 5})
	s.w.engine.PutLock([]byte("b"), mvcc.Lock{Kind: ports.KindDelete, Primary: []byte("a"), StartTS: locked})
	s.w.engine.PutLock([]byte("c"), mvcc.Lock{Kind: ports.KindLock, Primary: []byte("a"), StartTS: first})
	s.w.engine.PutLock([]byte("d"), mvcc.Lock{Kind: ports.KindPessimisticLock, Primary: []byte("a"), StartTS: first})
	f := s.fault(s.read(2, stale, get(locked+1)))
	require.Equal(t, first, f.SafeTS)
	require.False(t, r.safe.hurried && locked.Physical()-first.Physical() <= impatience)
	s.w.Run(s.w.now.Add(time.Millisecond), nil)
	require.Equal(t, locked, s.w.safeTS(r, r.Leader), "it was urged to")
	require.Equal(t, ports.FaultDataIsNotReady, s.fault(s.read(2, stale, get(locked+1))).Kind, "but there is a lock")

	r.safe.ts = locked + 1<<30
	s.w.resolve(r)
	require.Equal(t, locked+1<<30, r.safe.ts, "never back")
	s.w.Hang(1)
	at := r.safe.at
	s.w.resolve(r)
	require.Equal(t, at, r.safe.at, "leaders do it")
}

func TestSafeTSOfSplitAndMerge(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	s.w.resolve(r)
	safe := r.safe.ts
	require.True(t, s.w.Split([]byte("m")))
	lower := s.w.regions.ordered[0]
	require.Zero(t, lower.safe.ts, "a new region begins anew")
	require.Equal(t, safe, r.safe.ts)
	s.w.resolve(lower)
	require.True(t, s.w.Merge(lower.ID, r.ID))
	fresh := lower.safe.ts
	s.w.resolve(lower)
	require.Equal(t, fresh, lower.safe.ts, "not while it merges")
	s.w.Run(s.w.now+mergeTime, nil)
	require.Equal(t, safe, r.safe.ts, "the lesser of the two")
}

// A follower that has not heard of a split knows the region as it was, and its store not the new one.
func TestLaggingPeersAndSplits(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	before := r.Region
	require.True(t, s.w.Lag(r.ID, 2, 50*time.Millisecond))
	require.False(t, s.w.Lag(r.ID, 2, 1), "it is behind already")
	require.False(t, s.w.Lag(r.ID, 1, 1), "it leads")
	require.False(t, s.w.Lag(r.ID, 4, 1), "no such peer")
	require.False(t, s.w.Lag(99, 2, 1))
	require.True(t, s.w.Split([]byte("m")))
	require.True(t, s.w.Split([]byte("f")))
	upper, lowest := s.w.regions.ordered[2], s.w.regions.ordered[0]
	require.False(t, s.w.Merge(upper.ID, s.w.regions.ordered[1].ID), "a peer has to catch up")

	read := &ports.RawGetRequest{Key: []byte("a")}
	at := func(r *region, v ports.RegionVersion) ports.Event {
		to, hdr := s.address(r, 2)
		hdr.Region, hdr.StaleRead = v, true
		return s.await(s.sendTo(to, &hdr, read))
	}
	f := at(upper, upper.RegionVersion).Reply.Region()
	require.Equal(t, ports.FaultEpochNotMatch, f.Kind)
	require.Equal(t, []ports.Region{before}, f.Regions)
	require.Nil(t, at(upper, before.RegionVersion).Reply.Region(), "it still has the whole range")
	require.Equal(t, ports.FaultRegionNotFound, at(lowest, lowest.RegionVersion).Reply.Region().Kind)
	s.rest()
	require.Equal(t, ports.FaultKeyNotInRegion, at(upper, upper.RegionVersion).Reply.Region().Kind)
	require.Len(t, at(upper, before.RegionVersion).Reply.Region().Regions, 3)
	require.Nil(t, at(lowest, lowest.RegionVersion).Reply.Region())
}

// A peer that is made leader has everything; so has everybody in a healed cluster.
func TestLagEnds(t *testing.T) {
	s := followers(t, chosen{SiteCandidate: {0, 0}}, true)
	r := s.w.regions.ordered[0]
	require.False(t, s.w.Transfer(r.ID, 2), "leadership goes to nobody who is behind")
	s.w.lead(r, r.Peers[1].ID)
	require.Empty(t, r.late)
	require.True(t, s.w.Lag(r.ID, 3, time.Hour))
	s.w.Heal()
	require.Empty(t, r.late)
}

// A neighbour takes a region only when its peers have everything.
func TestMergeWaitsForLaggingPeers(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	source, target := s.w.regions.ordered[0], s.w.regions.ordered[1]
	require.True(t, s.w.Merge(source.ID, target.ID))
	require.True(t, s.w.Lag(target.ID, 3, time.Duration(10*mergeTime)))
	s.w.Run(s.w.now+5*mergeTime, nil)
	require.Len(t, s.w.regions.ordered, 2)
	s.rest()
	require.Len(t, s.w.regions.ordered, 1)
}

// What a new peer says before it has its data.
func TestReadsOfFreshPeers(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteCatchUp: {0, 15, 15, 15}}, Stores: 4})
	r := s.w.regions.ordered[0]
	require.True(t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToLearner}))
	for _, want := range []ports.FaultKind{ports.FaultRegionNotFound, ports.FaultRegionNotInitialized, ports.FaultOther} {
		require.Equal(t, want, s.fault(s.read(4, replica, get(5))).Kind)
		s.w.Run(s.w.now+8*heartbeatTime, nil)
	}
	require.Empty(t, s.got(s.read(4, replica, get(5))), "a learner reads like everybody")
}

func TestWitnessesDoNotRead(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Stores: 4})
	r := s.w.regions.ordered[0]
	require.True(t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToVoter, Witness: true}))
	s.rest()
	require.False(t, s.w.Lag(r.ID, 4, 1))
	for _, hdr := range []ports.Header{replica, stale} {
		require.Equal(t, ports.FaultIsWitness, s.fault(s.read(4, hdr, get(5))).Kind)
	}
}

func TestReplicaReadNeedsItsPeer(t *testing.T) {
	s := followers(t, Boring{}, false)
	to, hdr := s.address(s.w.regions.ordered[0], 2)
	hdr.ReplicaRead = true
	hdr.Peer.ID = 99
	require.Equal(t, ports.FaultMismatchPeerID, s.fault(s.sendTo(to, &hdr, get(5))).Kind)
	hdr.Region.ID = 99
	require.Equal(t, ports.FaultRegionNotFound, s.fault(s.sendTo(to, &hdr, get(5))).Kind)
	to, hdr = s.address(s.w.regions.ordered[0], 2)
	hdr.ReplicaRead = true
	hdr.Region.Epoch.Version++
	require.Equal(t, ports.FaultEpochNotMatch, s.fault(s.sendTo(to, &hdr, get(5))).Kind)
}

// Batches and scans are as stale as points.
func TestStaleReadsOfMany(t *testing.T) {
	s := followers(t, Boring{}, true)
	safe := s.w.regions.ordered[0].safe.ts
	batch := &ports.BatchGetRequest{Keys: [][]byte{[]byte("k")}, TS: safe}
	require.Equal(t, "old", string(s.await(s.read(2, stale, batch)).Reply.(*ports.BatchGetReply).Pairs[0].Value))
	scan := &ports.ScanRequest{Limit: 5, TS: safe}
	require.Equal(t, "old", string(s.await(s.read(2, stale, scan)).Reply.(*ports.ScanReply).Pairs[0].Value))
	batch.TS, scan.TS = safe+1, safe+1
	require.Equal(t, ports.FaultDataIsNotReady, s.fault(s.read(2, stale, batch)).Kind)
	require.Equal(t, ports.FaultDataIsNotReady, s.fault(s.read(2, stale, scan)).Kind)
}

// A raw read has no timestamp: any peer serves it, from whatever is there.
func TestStaleReadsOfRawData(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	old := put("k", "old")
	old.TTL = 100
	s.await(s.send(old))
	require.True(t, s.w.Lag(s.w.regions.ordered[0].ID, 2, time.Second))
	s.await(s.send(put("k", "new")))
	read := &ports.RawGetRequest{Key: []byte("k")}
	require.Equal(t, "old", string(s.await(s.read(2, stale, read)).Reply.(*ports.RawGetReply).Value))
	ttl := s.await(s.read(2, stale, &ports.RawGetKeyTTLRequest{Key: []byte("k")})).Reply.(*ports.RawGetKeyTTLReply)
	require.NotZero(t, ttl.TTL)
	require.Equal(t, "new", string(s.await(s.read(3, stale, read)).Reply.(*ports.RawGetReply).Value))
}

func TestSafeTSOn(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	a, b := s.w.regions.ordered[0], s.w.regions.ordered[1]
	store := s.w.store(3)
	require.Zero(t, s.w.safeTSOn(store, ports.KeyRange{}))
	a.safe.ts = 30
	require.EqualValues(t, 30, s.w.safeTSOn(store, ports.KeyRange{}), "who has none does not count")
	b.safe.ts = 20
	require.EqualValues(t, 20, s.w.safeTSOn(store, ports.KeyRange{}))
	require.EqualValues(t, 30, s.w.safeTSOn(store, ports.KeyRange{End: []byte("m")}))
	require.EqualValues(t, 20, s.w.safeTSOn(store, ports.KeyRange{Start: []byte("m")}))
	require.True(t, s.w.Lag(b.ID, 3, 1))
	b.safe.ts = 40
	require.EqualValues(t, 20, s.w.safeTSOn(store, ports.KeyRange{Start: []byte("n"), End: []byte("o")}))
	b.Peers = b.Peers[:1]
	require.EqualValues(t, 30, s.w.safeTSOn(store, ports.KeyRange{}), "a region that is not there does not count")
}

func TestStoreSafeTS(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	r.safe.ts = 7
	to, _ := s.address(r, 3)
	ev := s.await(s.sendTo(to, &ports.Header{}, &ports.StoreSafeTSRequest{}))
	require.EqualValues(t, 7, ev.Reply.(*ports.StoreSafeTSReply).SafeTS)
}

func TestLagSomewhere(t *testing.T) {
	s := newStation(t, raw(chosen{SiteDisturb: {1}, SiteCandidate: {1}}, FaultsOf(FaultLag)))
	s.w.Run(s.w.now.Add(100*time.Millisecond), nil)
	require.NotNil(t, s.w.regions.ordered[0].lateness(s.w.regions.ordered[0].Peers[1].ID))
}
