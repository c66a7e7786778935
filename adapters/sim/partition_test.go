package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// An isolated leader reads for the rest of its lease and commits nothing; when another leads, it knows nobody.
func TestIsolatedLeader(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	read := &ports.RawGetRequest{Key: []byte("k")}
	s.await(s.send(put("k", "old")))
	s.w.Isolate(1)
	require.EqualValues(t, 1, s.w.Counts()[FaultPartition])
	require.Equal(t, "old", string(s.await(s.send(read)).Reply.(*ports.RawGetReply).Value), "in its lease")
	to, hdr := s.address(r, 1)
	write := s.sendTo(to, &hdr, put("k", "lost"))
	require.False(t, s.w.Transfer(r.ID, 2))
	require.False(t, s.w.Split([]byte("k")))
	require.False(t, s.w.ChangePeers(r.ID, PeerChange{Store: 2, Kind: ChangeToNothing}))
	s.w.Run(s.w.now+leaseTime, nil)
	require.Equal(t, r.Peers[0].ID, r.Leader)
	late := s.sendTo(to, &hdr, read)
	s.w.Run(s.w.now+20*travelTime, nil)
	require.Empty(t, s.events[late], "it does not know whether it may read")

	f := s.fault(write)
	require.Equal(t, ports.FaultStaleCommand, f.Kind)
	require.Equal(t, ports.FaultStaleCommand, s.fault(late).Kind)
	require.Equal(t, "old", s.value("k"), "nobody else had heard of it")
	leader, _ := r.leader()
	require.Equal(t, ports.StoreID(2), leader.Store)
	s.await(s.send(put("k", "new")))

	f = s.fault(s.sendTo(to, &hdr, read))
	require.Equal(t, ports.FaultNotLeader, f.Kind)
	require.Zero(t, f.Leader)
	hdr.StaleRead = true
	require.Equal(t, "old", string(s.await(s.sendTo(to, &hdr, read)).Reply.(*ports.RawGetReply).Value))
	s.w.Rejoin(1)
	s.rest()
	require.Equal(t, "new", string(s.await(s.sendTo(to, &hdr, read)).Reply.(*ports.RawGetReply).Value))
	hdr.StaleRead = false
	require.Equal(t, leader, s.fault(s.sendTo(to, &hdr, read)).Leader)
}

// A partition that ends soon costs nothing but time.
func TestShortPartition(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	s.w.Isolate(1)
	write := s.send(put("k", "1"))
	s.w.Run(s.w.now+leaseTime, nil)
	s.w.Rejoin(1)
	s.w.Rejoin(1)
	require.Nil(t, s.await(write).Reply.Region())
	require.Equal(t, "1", s.value("k"))
	s.rest()
	require.EqualValues(t, 1, r.term)
	require.Empty(t, r.late)
}

// An isolated follower falls behind, and after a while has forgotten whom it has lost.
func TestIsolatedFollower(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	leader, _ := r.leader()
	s.w.Isolate(3)
	s.await(s.send(put("k", "1")))
	read := &ports.RawGetRequest{Key: []byte("k")}
	require.Equal(t, leader, s.fault(s.read(3, ports.Header{}, read)).Leader)
	waiting := s.read(3, replica, read)
	s.w.Run(s.w.now+electionTime, nil)
	require.Empty(t, s.events[waiting])
	require.Zero(t, s.fault(s.read(3, ports.Header{}, read)).Leader)
	require.Equal(t, ports.FaultNotLeader, s.fault(s.read(3, replica, read)).Kind)
	require.Equal(t, r.Leader, leader.ID)
	s.w.Rejoin(3)
	require.Equal(t, "1", string(s.await(waiting).Reply.(*ports.RawGetReply).Value))
}

// Without any majority there is no leader, until there is one again.
func TestNoMajority(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	s.w.Isolate(1)
	s.w.Isolate(2)
	write := s.send(put("k", "1"))
	require.Equal(t, ports.FaultStaleCommand, s.fault(write).Kind)
	require.Zero(t, r.Leader)
	s.w.Run(s.w.now+4*electionTime, nil)
	require.Zero(t, r.Leader)
	s.w.Heal()
	s.rest()
	require.NotZero(t, r.Leader)

	// Crashed and hanging stores are no majority either.
	s = newStation(t, raw(Boring{}, 0))
	s.w.Crash(2)
	s.w.Hang(3)
	write = s.send(put("k", "1"))
	s.w.Run(s.w.now+20*travelTime, nil)
	require.Empty(t, s.events[write])
	s.w.Resume(3)
	require.Nil(t, s.await(write).Reply.Region())
}

// Who was cut off has not heard of everything, and is not elected before those who have.
func TestCutOffPeersAreNotElected(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	s.w.Isolate(2)
	s.await(s.send(put("k", "1")))
	s.w.Crash(1)
	s.w.Run(s.w.now+3*electionTime, nil)
	require.Zero(t, r.Leader)
	s.w.Rejoin(2)
	s.w.Run(s.w.now+3*electionTime, nil)
	leader, _ := r.leader()
	require.Equal(t, ports.StoreID(3), leader.Store)
	s.w.Sever(3, 3)
	require.True(t, s.w.reach(3, 3))
	s.w.Sever(2, 3)
	require.False(t, s.w.reach(3, 2))
	s.w.Mend(3, 2)
	require.True(t, s.w.reach(2, 3))
}

// A peer whose time to lag is over goes on lagging while it is cut off.
func TestLagThroughPartition(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	r := s.w.regions.ordered[0]
	require.True(t, s.w.Lag(r.ID, 3, time.Millisecond))
	s.w.Isolate(3)
	s.w.Run(s.w.now.Add(time.Second), nil)
	require.True(t, r.late[0].cut)
	s.w.Rejoin(3)
	s.w.Isolate(3)
	s.w.Run(s.w.now.Add(time.Second), nil)
	require.NotEmpty(t, r.late, "cut off again before it could catch up")
	s.w.Rejoin(3)
	s.rest()
	require.Empty(t, r.late)
}

// A region that is gone answers those who waited for its majority.
func TestMergeOfAStalledRegion(t *testing.T) {
	s := newStation(t, raw(chosen{SiteMerge: {4}}, 0, "m"))
	source, target := s.w.regions.ordered[0], s.w.regions.ordered[1]
	s.w.lead(target, target.Peers[2].ID)
	require.True(t, s.w.Merge(source.ID, target.ID))
	s.w.Isolate(1)
	gen := s.send(put("a", "1"))
	s.w.Run(s.w.now+20*travelTime, nil)
	require.Empty(t, s.events[gen])
	s.w.Rejoin(1)
	require.NotNil(t, s.fault(gen))
}

func TestFreeze(t *testing.T) {
	const d = ports.Instant(300 * time.Millisecond)
	for _, way := range []Way{BothWays, ToStore, ToClient} {
		s := newStation(t, raw(Boring{}, 0))
		s.await(s.send(put("k", "0")))
		begun := s.w.now
		s.w.Freeze(s.c, 1, way, time.Duration(d))
		gen := s.send(put("k", "1"))
		probe := s.tok()
		s.c.Probe(ports.Endpoint{Store: 1, Address: s.w.stores[0].address}, s.w.now+d/2, probe, s)
		s.w.Run(begun+d/2, nil)
		require.Equal(t, way == ToClient, s.value("k") == "1")
		require.Equal(t, ports.CauseNone, s.events[probe.Gen][0].Cause.Kind, "it seems to live")
		require.Nil(t, s.await(gen).Reply.Region())
		require.GreaterOrEqual(t, s.w.now, begun+d)
		require.EqualValues(t, 1, s.w.Counts()[FaultFreeze])
	}
}

func TestDisconnect(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "0")))
	before := s.send(put("k", "1"))
	s.w.Disconnect(s.c, 1, BothWays, time.Minute)
	after := s.send(put("k", "2"))
	probe := s.tok()
	s.c.Probe(ports.Endpoint{Store: 1, Address: s.w.stores[0].address}, s.w.now.Add(time.Second), probe, s)
	require.Equal(t, ports.EventLost, s.await(before).Kind, "it arrives, and its answer does not")
	ev := s.await(after)
	require.Equal(t, ports.EventLost, ev.Kind)
	require.Equal(t, ports.CauseHung, ev.Cause.Kind)
	require.Equal(t, ports.CauseTimeout, s.events[probe.Gen][0].Cause.Kind)
	require.Equal(t, ports.EventUnsent, s.await(s.send(put("k", "3"))).Kind)
	require.Equal(t, "1", s.value("k"))
	other := s.w.Client("other")
	tok := s.tok()
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	other.Submit(to, &hdr, put("k", "4"), s.w.now.Add(time.Second), tok, s)
	require.Equal(t, ports.EventReply, s.await(tok.Gen).Kind, "others hear of it")
}

func TestPartitionsSomewhere(t *testing.T) {
	for f, text := range map[Fault]string{
		FaultPartition: "partition", FaultDisconnect: "disconnect", FaultFreeze: "freeze",
	} {
		s := newStation(t, raw(chosen{SiteDisturb: {1}}, FaultsOf(f)))
		s.w.Run(s.w.now.Add(100*time.Millisecond), nil)
		counts := s.w.Counts()
		require.Equal(t, text+"=1", counts.String())
		require.Equal(t, f == FaultPartition, s.w.severed > 0)
		s.w.Run(s.w.now.Add(300*time.Millisecond), nil)
		require.Zero(t, s.w.severed)
	}
	w, err := New(raw(chosen{SiteDisturb: {1}}, FaultsOf(FaultFreeze)))
	require.NoError(t, err)
	w.Run(w.now.Add(100*time.Millisecond), nil)
	require.Zero(t, w.Counts()[FaultFreeze], "nobody is there")
}

func TestScriptIsolates(t *testing.T) {
	s := scripted(t, "isolate verb=Prewrite\nmerge times=2\ntransfer times=2")
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	s.await(s.sendTo(to, &ports.Header{}, &ports.StoreSafeTSRequest{})) // strikes no region, since it is about none
	require.Nil(t, s.await(s.sendTo(to, &hdr, prewriteOf(10, "a", "a"))).Reply.Region(), "it has taken effect")
	require.False(t, s.w.reach(1, 2))
	s.w.Heal()
	require.True(t, s.w.reach(1, 2))
}
