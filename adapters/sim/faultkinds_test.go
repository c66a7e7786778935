package sim

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// unprovoked are the region errors that nothing in a world brings about, with the reason.
var unprovoked = map[ports.FaultKind]string{
	ports.FaultNone:                  "it is no error",
	ports.FaultUndeterminedResult:    "no engine fails half-way here (components/tikv_kv/src/lib.rs: Undetermined)",
	ports.FaultBucketVersionNotMatch: "only the coprocessor compares versions of buckets (src/coprocessor/endpoint.rs)",
}

// provocations lead a world to each region error, by what a cluster does and not by decree.
var provocations = map[ports.FaultKind]func(s *station) *ports.RegionFault{
	ports.FaultOther: func(s *station) *ports.RegionFault {
		s.w.regions.ordered[0].late = []late{{peer: s.w.regions.ordered[0].Peers[1].ID, stage: lateSnapshot}}
		return s.fault(s.read(2, replica, get(5)))
	},
	ports.FaultNotLeader: func(s *station) *ports.RegionFault {
		return s.fault(s.read(2, ports.Header{}, get(5)))
	},
	ports.FaultRegionNotFound: func(s *station) *ports.RegionFault {
		to, hdr := s.address(s.mergeFirst(), 0)
		s.rest()
		return s.fault(s.sendTo(to, &hdr, get(5)))
	},
	ports.FaultKeyNotInRegion: func(s *station) *ports.RegionFault {
		return s.fault(s.send(&ports.GetRequest{Key: []byte("z"), TS: 5}))
	},
	ports.FaultEpochNotMatch: func(s *station) *ports.RegionFault {
		gen := s.send(get(5))
		require.True(s.t, s.w.Split(s.w.bound([]byte("c"))))
		return s.fault(gen)
	},
	ports.FaultServerIsBusy: func(s *station) *ports.RegionFault {
		require.NoError(s.t, s.w.Script("busy verb=Get"))
		return s.fault(s.send(get(5)))
	},
	ports.FaultStaleCommand: func(s *station) *ports.RegionFault {
		s.w.chooser = chosen{SiteExecute: {7}}
		gen := s.send(prewriteOf(10, "a", "a"))
		s.w.Run(s.w.now+4*travelTime, nil)
		require.True(s.t, s.w.Transfer(s.w.regions.ordered[0].ID, 2))
		return s.fault(gen)
	},
	ports.FaultStoreNotMatch: func(s *station) *ports.RegionFault {
		to, hdr := s.address(s.w.regions.ordered[0], 0)
		s.w.Crash(1)
		s.w.Restart(1, "elsewhere:1")
		s.w.Crash(2)
		s.w.Restart(2, to.Address)
		return s.fault(s.sendTo(to, &hdr, get(5)))
	},
	ports.FaultRaftEntryTooLarge: func(s *station) *ports.RegionFault {
		req := prewriteOf(10, "a", "a")
		req.Mutations[0].Value = bytes.Repeat([]byte("x"), s.w.config.RaftEntryMaxSize)
		return s.fault(s.send(req))
	},
	ports.FaultMaxTimestampNotSynced: func(s *station) *ports.RegionFault {
		require.True(s.t, s.w.Transfer(s.w.regions.ordered[0].ID, 2))
		req := prewriteOf(10, "a", "a")
		req.UseAsyncCommit = true
		return s.fault(s.send(req))
	},
	ports.FaultReadIndexNotReady: func(s *station) *ports.RegionFault {
		s.w.chooser = chosen{SiteMerge: {8}}
		s.mergeFirst()
		return s.fault(s.send(get(5)))
	},
	ports.FaultProposalInMergingMode: func(s *station) *ports.RegionFault {
		s.w.chooser = chosen{SiteMerge: {8}}
		s.mergeFirst()
		return s.fault(s.send(put("a", "1")))
	},
	ports.FaultDataIsNotReady: func(s *station) *ports.RegionFault {
		return s.fault(s.read(2, stale, get(5)))
	},
	ports.FaultRegionNotInitialized: func(s *station) *ports.RegionFault {
		s.w.chooser = chosen{SiteCatchUp: {0, 15}}
		r := s.w.regions.ordered[0]
		require.True(s.t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToLearner}))
		s.w.Run(s.w.now+heartbeatTime, nil)
		return s.fault(s.read(4, replica, get(5)))
	},
	ports.FaultDiskFull: func(s *station) *ports.RegionFault {
		s.w.SetDisk(1, DiskAlreadyFull)
		return s.fault(s.send(prewriteOf(10, "a", "a")))
	},
	ports.FaultRecoveryInProgress: func(s *station) *ports.RegionFault {
		s.w.Crash(1)
		s.w.Crash(2)
		require.True(s.t, s.w.Recover(s.w.regions.ordered[0].ID))
		return s.fault(s.send(get(5)))
	},
	ports.FaultFlashbackInProgress: func(s *station) *ports.RegionFault {
		require.Nil(s.t, s.await(s.send(&ports.PrepareFlashbackToVersionRequest{
			Range: ports.KeyRange{Start: []byte("a"), End: []byte("b")}, StartTS: 10, Version: 5,
		})).Reply.Region())
		return s.fault(s.send(prewriteOf(20, "a", "a")))
	},
	ports.FaultFlashbackNotPrepared: func(s *station) *ports.RegionFault {
		s.commitAt("a", "something to take back", 8)
		return s.fault(s.send(&ports.FlashbackToVersionRequest{
			Range: ports.KeyRange{Start: []byte("a"), End: []byte("b")}, StartTS: 10, CommitTS: 11, Version: 5,
		}))
	},
	ports.FaultIsWitness: func(s *station) *ports.RegionFault {
		require.True(s.t, s.w.ChangePeers(s.w.regions.ordered[0].ID,
			PeerChange{Store: 4, Kind: ChangeToLearner, Witness: true}))
		s.rest()
		return s.fault(s.read(4, replica, get(5)))
	},
	ports.FaultMismatchPeerID: func(s *station) *ports.RegionFault {
		to, hdr := s.address(s.w.regions.ordered[0], 0)
		require.True(s.t, s.w.MovePeer(s.w.regions.ordered[0].ID, 1, 1))
		s.rest()
		return s.fault(s.sendTo(to, &hdr, get(5)))
	},
}

// mergeFirst cuts the first region, and begins to merge the lower part with the upper one.
func (s *station) mergeFirst() *region {
	require.True(s.t, s.w.Split(s.w.bound([]byte("l"))))
	first := s.w.regions.ordered[0]
	require.True(s.t, s.w.Merge(first.ID, s.w.regions.ordered[1].ID))
	return first
}

func TestEveryRegionErrorHappens(t *testing.T) {
	for kind := range ports.FaultKind(ports.FaultKinds) {
		provoke := provocations[kind]
		require.NotEqual(t, provoke == nil, unprovoked[kind] == "", "kind %d: either a way to it, or a reason", kind)
		if provoke == nil {
			continue
		}
		s := newStation(t, Config{
			Chooser: Boring{}, Stores: 4, Splits: [][]byte{[]byte("m")}, RaftEntryMaxSize: 1 << 10,
		})
		require.Equal(t, kind, provoke(s).Kind)
	}
}

func TestRaftEntryMaxSize(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, RawKeys: true, RaftEntryMaxSize: 10})
	require.Nil(t, s.await(s.send(put("k", "123456789"))).Reply.Region())
	require.Equal(t, ports.FaultRaftEntryTooLarge, s.fault(s.send(put("k", "1234567890"))).Kind)
	require.Equal(t, "123456789", s.value("k"))
	long := &ports.RawGetRequest{Key: []byte("a long key to read")}
	require.Nil(t, s.await(s.send(long)).Reply.Region(), "reads are not proposed")
}

func TestDiskFull(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, RawKeys: true})
	r := s.w.regions.ordered[0]
	read := &ports.RawGetRequest{Key: []byte("k")}
	write := func(allowed bool) *ports.RegionFault {
		to, hdr := s.address(r, 0)
		hdr.AllowedOnAlmostFull = allowed
		return s.await(s.sendTo(to, &hdr, put("k", "1"))).Reply.Region()
	}
	s.w.SetDisk(1, DiskAlmostFull)
	require.Nil(t, write(true))
	require.Equal(t, ports.StoreID(1), write(false).Store)
	require.Nil(t, s.await(s.read(1, replica, read)).Reply.Region(), "a leader reads")
	s.rest()
	leader, _ := r.leader()
	require.Equal(t, ports.StoreID(2), leader.Store, "one with space leads")
	require.Nil(t, write(false))
	require.Equal(t, ports.FaultDiskFull, s.fault(s.read(1, replica, read)).Kind, "what is committed does not get there")

	s.w.SetDisk(3, DiskAlreadyFull)
	require.Nil(t, write(true), "an almost full store makes the majority")
	require.Equal(t, ports.StoreID(1), write(false).Store, "most are full")
	s.w.SetDisk(2, DiskAlreadyFull)
	require.NotNil(t, write(true))
	s.rest()
	leader, _ = r.leader()
	require.Equal(t, ports.StoreID(2), leader.Store, "there is nobody better")
	s.w.Heal()
	require.Nil(t, write(false))
	require.Zero(t, s.w.full)
	require.EqualValues(t, 3, s.w.Counts()[FaultDiskFull])
}

func TestDiskFullSomewhere(t *testing.T) {
	chooser := chosen{SiteDisturb: {1, 1}, SiteCandidate: {1}, SiteOutage: {0, 0, 7}}
	s := newStation(t, raw(chooser, FaultsOf(FaultDiskFull)))
	s.w.Run(s.w.now.Add(120*time.Millisecond), nil)
	require.Equal(t, DiskAlreadyFull, s.w.stores[0].disk)
	require.EqualValues(t, 1, s.w.Counts()[FaultDiskFull], "one at a time")
	s.w.Run(s.w.now.Add(3*time.Second), nil)
	require.Zero(t, s.w.full)
}

// A region whose majority is lost for good goes on with what is left, once an operator has said so.
func TestRecover(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, RawKeys: true, Stores: 4})
	r := s.w.regions.ordered[0]
	require.False(t, s.w.Recover(99))
	require.False(t, s.w.Recover(r.ID), "it has a majority")
	require.True(t, s.w.ChangePeers(r.ID, PeerChange{Store: 4, Kind: ChangeToLearner}))
	s.rest()
	s.w.Crash(1)
	s.w.Crash(2)
	require.True(t, s.w.Recover(r.ID))
	require.False(t, s.w.Recover(r.ID), "it is under way")
	require.False(t, s.w.Transfer(r.ID, 4))
	require.Equal(t, ports.FaultRecoveryInProgress, s.fault(s.send(put("k", "1"))).Kind)
	require.Equal(t, ports.FaultNotLeader, s.fault(s.read(4, ports.Header{}, put("k", "1"))).Kind)
	s.rest()
	require.Equal(t, "8@s3 9@s4(learner)", formatPeers(r.Peers))
	require.EqualValues(t, 4, r.Epoch.ConfVer)
	require.Nil(t, s.await(s.send(put("k", "1"))).Reply.Region())

	// A recovery ends with its leader, and nobody recovers what is gone.
	s = newStation(t, Config{Chooser: Boring{}, RawKeys: true})
	r = s.w.regions.ordered[0]
	s.w.Crash(1)
	s.w.Crash(2)
	require.True(t, s.w.Recover(r.ID))
	s.w.Crash(3)
	require.False(t, s.w.Recover(r.ID))
	s.rest()
	require.Len(t, r.Peers, 3)
	require.Zero(t, r.Leader)
}
