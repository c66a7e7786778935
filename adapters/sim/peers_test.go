package sim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// The roles and epochs are those of apply.rs: exec_change_peer_v2, the refusals those of util.rs: check_conf_change.
func TestChangePeers(t *testing.T) {
	voter := func(id ports.StoreID) PeerChange { return PeerChange{Store: id, Kind: ChangeToVoter} }
	learner := func(id ports.StoreID) PeerChange { return PeerChange{Store: id, Kind: ChangeToLearner} }
	gone := func(id ports.StoreID) PeerChange { return PeerChange{Store: id, Kind: ChangeToNothing} }
	witness := PeerChange{Store: 4, Kind: ChangeToLearner, Witness: true}
	steps := func(list ...[]PeerChange) [][]PeerChange { return list }
	one := func(list ...PeerChange) []PeerChange { return list }
	for _, c := range []struct {
		name  string
		steps [][]PeerChange
		// refused: the last step is.
		refused bool
		conf    uint64
		want    string
	}{
		{"add a learner", steps(one(learner(4))), false, 2, "7@s1 8@s2 9@s3 10@s4(learner)"},
		{"promote it", steps(one(learner(4)), one(voter(4))), false, 3, "7@s1 8@s2 9@s3 10@s4"},
		{"add a voter", steps(one(voter(4))), false, 2, "7@s1 8@s2 9@s3 10@s4"},
		{"demote", steps(one(learner(2))), false, 2, "7@s1 8@s2(learner) 9@s3"},
		{"remove", steps(one(gone(2))), false, 2, "7@s1 9@s3"},
		{"remove and add again", steps(one(gone(2)), one(learner(2))), false, 3, "7@s1 9@s3 10@s2(learner)"},
		{"add a witness", steps(one(witness)), false, 2, "7@s1 8@s2 9@s3 10@s4(learner)(witness)"},
		{"enter joint consensus", steps(one(learner(4)), one(voter(4), learner(2))), false, 4,
			"7@s1 8@s2(demoting) 9@s3 10@s4(incoming)"},
		{"leave joint consensus", steps(one(learner(4)), one(voter(4), learner(2)), one()), false, 6,
			"7@s1 8@s2(learner) 9@s3 10@s4"},
		{"joint with a fresh voter", steps(one(voter(4), learner(2))), false, 3,
			"7@s1 8@s2(demoting) 9@s3 10@s4(incoming)"},
		{"the leader may be demoted jointly", steps(one(voter(4), learner(1))), false, 3,
			"7@s1(demoting) 8@s2 9@s3 10@s4(incoming)"},

		{"but then not leave", steps(one(voter(4), learner(1)), one()), true, 0, ""},
		{"remove the leader", steps(one(gone(1))), true, 0, ""},
		{"demote the leader", steps(one(learner(1))), true, 0, ""},
		{"leave what is not joint", steps(one()), true, 0, ""},
		{"change in joint consensus", steps(one(voter(4), learner(2)), one(gone(3))), true, 0, ""},
		{"remove a voter jointly", steps(one(voter(4), gone(2))), true, 0, ""},
		{"joint without voters", steps(one(learner(4), learner(5))), true, 0, ""},
		{"twice the same", steps(one(learner(4), voter(4))), true, 0, ""},
		{"a voter that votes", steps(one(voter(2))), true, 0, ""},
		{"a learner that learns", steps(one(learner(4)), one(learner(4))), true, 0, ""},
		{"a witness that holds data", steps(one(witness), one(voter(4))), true, 0, ""},
		{"remove what is not there", steps(one(gone(4))), true, 0, ""},
		{"no such store", steps(one(learner(6))), true, 0, ""},
		{"no store", steps(one(learner(0))), true, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: Boring{}, Stores: 5, RawKeys: true})
			r := s.w.regions.ordered[0]
			for i, changes := range c.steps {
				last := i == len(c.steps)-1
				require.Equal(t, !last || !c.refused, s.w.ChangePeers(r.ID, changes...))
				s.w.Run(s.w.now+20*heartbeatTime, nil) // until new peers have their data
			}
			if !c.refused {
				require.Equal(t, c.want, formatPeers(r.Peers))
				require.Equal(t, ports.Epoch{ConfVer: c.conf, Version: 1}, r.Epoch)
				require.Empty(t, r.late)
				require.Equal(t, r.Peers, s.w.pd.known[len(s.w.pd.known)-1].regions[0].Peers, "PD has heard")
			}
		})
	}
}

func TestChangePeersDemandsALeader(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteMerge: {8}}, Stores: 4, RawKeys: true, Splits: [][]byte{[]byte("m")}})
	r, other := s.w.regions.ordered[0], s.w.regions.ordered[1]
	add := PeerChange{Store: 4, Kind: ChangeToLearner}
	require.False(t, s.w.ChangePeers(99, add))
	s.w.Hang(1)
	require.False(t, s.w.ChangePeers(r.ID, add))
	s.w.Resume(1)
	s.w.Hang(3)
	require.False(t, s.w.ChangePeers(r.ID, PeerChange{Store: 2, Kind: ChangeToNothing}), "one of two is no majority")
	s.w.Resume(3)
	require.False(t, s.w.Merge(r.ID, other.ID), "peers on other stores")
	require.True(t, s.w.ChangePeers(r.ID, add))
}

// A peer is made, and has its data, some time after it is a member.
func TestFreshPeer(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Stores: 4, RawKeys: true})
	r := s.w.regions.ordered[0]
	require.True(t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToVoter}))
	ask := func() *ports.RegionFault {
		to, hdr := s.address(r, 4)
		return s.fault(s.sendTo(to, &hdr, put("a", "1")))
	}
	require.Equal(t, ports.FaultRegionNotFound, ask().Kind, "its store has not heard of it")
	s.w.Run(s.w.now+heartbeatTime/2, nil)
	f := ask()
	require.Equal(t, ports.FaultNotLeader, f.Kind)
	require.Zero(t, f.Leader, "it knows nobody")
	require.False(t, s.w.Transfer(r.ID, 4), "it cannot lead")
	s.w.Hang(4)
	s.w.Run(s.w.now+20*heartbeatTime, nil)
	require.NotEmpty(t, r.late, "its store hangs")
	s.w.Resume(4)
	s.w.Run(s.w.now+20*heartbeatTime, nil)
	require.NotZero(t, ask().Leader)
	require.True(t, s.w.Transfer(r.ID, 4))
}

// The halves of a split are as late, and as much on their way, as the whole.
func TestSplitOfLatePeers(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Stores: 4, RawKeys: true})
	r := s.w.regions.ordered[0]
	require.True(t, s.w.MovePeer(r.ID, 2, 4))
	s.w.Run(s.w.now+operatorTime/4, nil)
	require.True(t, s.w.Split([]byte("m")))
	lower := s.w.regions.ordered[0]
	require.True(t, lower.absent(lower.Peers[3].ID))
	s.rest()
	for _, r := range s.w.regions.ordered {
		require.Equal(t, []ports.StoreID{1, 3, 4}, []ports.StoreID{r.Peers[0].Store, r.Peers[1].Store, r.Peers[2].Store})
		require.False(t, r.joint())
		require.Nil(t, r.moving)
	}
}

func TestMovePeer(t *testing.T) {
	for name, c := range map[string]struct {
		chooser  chosen
		from, to ports.StoreID
		want     string
		leader   ports.StoreID
		conf     uint64
	}{
		"a follower":         {nil, 2, 4, "6@s1 8@s3 9@s4", 1, 7},
		"a leader":           {nil, 1, 4, "7@s2 8@s3 9@s4", 2, 7},
		"a leader, jointly":  {chosen{SiteMovePeer: {0, 0, 0, 0, 1, 0, 0, 0}}, 1, 4, "7@s2 8@s3 9@s4", 2, 7},
		"replace a follower": {nil, 2, 2, "6@s1 8@s3 9@s2", 1, 4},
		"replace a leader":   {nil, 1, 1, "7@s2 8@s3 9@s1", 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: c.chooser, Stores: 4, RawKeys: true})
			r := s.w.regions.ordered[0]
			to, hdr := s.address(r, c.from)
			require.True(t, s.w.MovePeer(r.ID, c.from, c.to))
			require.False(t, s.w.MovePeer(r.ID, c.from, c.to), "one at a time")
			s.rest()
			require.Equal(t, c.want, formatPeers(r.Peers))
			leader, _ := r.leader()
			require.Equal(t, c.leader, leader.Store)
			require.Equal(t, c.conf, r.Epoch.ConfVer)
			// Whoever asks the peer that was learns that it is gone, or is another one.
			want := ports.FaultRegionNotFound
			if c.from == c.to {
				want = ports.FaultMismatchPeerID
			}
			require.Equal(t, want, s.fault(s.sendTo(to, &hdr, put("a", "1"))).Kind)
		})
	}
}

func TestMovePeerDemands(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Stores: 4, RawKeys: true, Splits: [][]byte{[]byte("m")}})
	a, b := s.w.regions.ordered[0], s.w.regions.ordered[1]
	require.False(t, s.w.MovePeer(99, 1, 4))
	require.False(t, s.w.MovePeer(a.ID, 4, 1), "no peer there")
	require.False(t, s.w.MovePeer(a.ID, 1, 2), "one already")
	require.False(t, s.w.MovePeer(a.ID, 1, 5), "no such store")
	require.False(t, s.w.MovePeer(a.ID, 1, 0))
	require.True(t, s.w.MovePeer(a.ID, 1, 4))
	require.True(t, s.w.MovePeer(b.ID, 4, 1))
	s.w.Run(s.w.now+operatorTime/4, nil)
	require.False(t, s.w.Merge(a.ID, b.ID), "a peer is late")
	s.rest()
	s.w.regions.remove(0)
	s.w.move(a) // a region that is gone is not moved
	s.w.catchUp(b, 99)
}

func TestWitness(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Stores: 4, RawKeys: true})
	r := s.w.regions.ordered[0]
	require.True(t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToVoter, Witness: true}))
	s.rest()
	require.False(t, s.w.Transfer(r.ID, 4), "a witness does not lead")
	to, hdr := s.address(r, 4)
	get := &ports.RawGetRequest{Key: []byte("a")}
	require.Equal(t, ports.FaultIsWitness, s.fault(s.sendTo(to, &hdr, get)).Kind)
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, put("a", "1"))).Kind, "it reads nothing first")
	hdr.Region.Epoch.Version++
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, get)).Kind)
	s.w.Crash(1)
	s.w.Crash(2)
	s.w.Run(s.w.now+10*electionTime, nil)
	require.Zero(t, r.Leader, "two of four are no majority")
	s.w.Restart(2, "")
	s.w.Run(s.w.now+10*electionTime, nil)
	leader, ok := r.leader()
	require.True(t, ok)
	require.False(t, leader.Witness)
}

func TestMovePeerSomewhere(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteDisturb: {1}, SiteCandidate: {1}}, Stores: 4, RawKeys: true,
		Faults: FaultsOf(FaultMovePeer)})
	s.w.Run(s.w.now.Add(200e6), nil)
	require.Equal(t, "6@s1 8@s3 9@s4", formatPeers(s.w.regions.ordered[0].Peers))
	require.EqualValues(t, 4, s.w.Counts()[FaultMovePeer])
}

func TestScriptMovesPeers(t *testing.T) {
	s := scripted(t, "move-peer verb=Prewrite")
	r := s.w.regions.ordered[0]
	old := r.Leader
	require.Nil(t, s.await(s.send(prewriteOf(10, "a", "a"))).Reply.Region())
	s.rest()
	_, there := r.Peer(old)
	require.False(t, there)
	fresh, _ := r.PeerOn(1)
	require.Equal(t, ports.RoleVoter, fresh.Role)
}
