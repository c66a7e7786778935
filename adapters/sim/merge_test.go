package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// bounds returns the bounds of raw regions: "|m|".
func bounds(w *World) string {
	text := "|"
	for _, r := range w.regions.ordered {
		text += string(r.Range.End) + "|"
	}
	return text
}

// The epochs are those of apply.rs: exec_prepare_merge adds one to both parts, exec_commit_merge takes the greater
// version and adds one.
func TestMerge(t *testing.T) {
	for _, up := range []bool{true, false} {
		s := newStation(t, raw(Boring{}, 0, "m"))
		source, target := s.w.regions.ordered[0], s.w.regions.ordered[1]
		if !up {
			source, target = target, source
		}
		source.Epoch, target.Epoch = ports.Epoch{ConfVer: 4, Version: 7}, ports.Epoch{ConfVer: 2, Version: 5}
		s.await(s.send(put("a", "1")))
		require.True(t, s.w.Merge(source.ID, target.ID))
		require.Equal(t, ports.Epoch{ConfVer: 5, Version: 8}, source.Epoch)
		require.Len(t, s.w.regions.ordered, 2)

		before := target.RegionVersion
		s.w.Run(s.w.now+mergeTime, nil)
		require.Equal(t, "||", bounds(s.w))
		require.Equal(t, target, s.w.regions.ordered[0])
		require.Equal(t, ports.Epoch{ConfVer: 2, Version: 9}, target.Epoch)
		require.EqualValues(t, 1, s.w.Counts()[FaultMerge])

		// Whoever asks the region that is gone learns just that, on any store.
		to, hdr := s.address(source, 0)
		require.Equal(t, ports.FaultRegionNotFound, s.fault(s.sendTo(to, &hdr, put("a", "2"))).Kind)
		to, hdr = s.address(source, source.Peers[1].Store)
		require.Equal(t, ports.FaultRegionNotFound, s.fault(s.sendTo(to, &hdr, put("a", "2"))).Kind)
		// Whoever knows the neighbour as it was is told what it is.
		to, hdr = s.address(target, 0)
		hdr.Region = before
		f := s.fault(s.sendTo(to, &hdr, put("a", "2")))
		require.Equal(t, ports.FaultEpochNotMatch, f.Kind)
		require.Equal(t, target.Region, f.Regions[0])
		require.Equal(t, "1", s.value("a"))
		s.rest()
		require.Len(t, s.w.pd.known[len(s.w.pd.known)-1].regions, 1, "PD has heard")
	}
}

func TestMergeDemands(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "f", "m"))
	a, b, c := s.w.regions.ordered[0], s.w.regions.ordered[1], s.w.regions.ordered[2]
	require.False(t, s.w.Merge(a.ID, 99))
	require.False(t, s.w.Merge(99, a.ID))
	require.False(t, s.w.Merge(a.ID, a.ID))
	require.False(t, s.w.Merge(a.ID, c.ID), "no neighbours")
	peers := b.Peers
	b.Peers = append([]ports.Peer(nil), peers...)
	b.Peers[1].Role = ports.RoleLearner
	require.False(t, s.w.Merge(a.ID, b.ID), "a learner is no voter")
	b.Peers = peers[:2]
	require.False(t, s.w.Merge(a.ID, b.ID), "other stores")
	b.Peers = peers
	s.w.Hang(a.Peers[0].Store)
	require.False(t, s.w.Merge(a.ID, b.ID), "the leader hangs")
	s.w.Resume(a.Peers[0].Store)
	require.True(t, s.w.Merge(a.ID, b.ID))
	require.False(t, s.w.Merge(a.ID, b.ID), "merges already")
	require.False(t, s.w.Merge(b.ID, a.ID))
	require.False(t, s.w.Merge(c.ID, a.ID))
	require.False(t, s.w.Split([]byte("b")), "nothing but the merge")
}

// A region that merges neither reads nor writes; raw writes notice only as they are proposed.
func TestMerging(t *testing.T) {
	for _, c := range []struct {
		req  ports.Request
		want ports.FaultKind
	}{
		{&ports.RawGetRequest{Key: []byte("a")}, ports.FaultReadIndexNotReady},
		{&ports.GetRequest{Key: []byte("a"), TS: 5}, ports.FaultReadIndexNotReady},
		{prewriteOf(10, "a", "a"), ports.FaultReadIndexNotReady},
		{put("a", "1"), ports.FaultProposalInMergingMode},
		{&ports.RawPutRequest{Key: []byte("a"), ForCAS: true}, ports.FaultReadIndexNotReady},
		{&ports.RawBatchPutRequest{}, ports.FaultProposalInMergingMode},
		{&ports.RawDeleteRequest{Key: []byte("a")}, ports.FaultProposalInMergingMode},
		{&ports.RawBatchDeleteRequest{}, ports.FaultProposalInMergingMode},
		{&ports.RawDeleteRangeRequest{}, ports.FaultProposalInMergingMode},
		{&ports.RawCompareAndSwapRequest{Key: []byte("a")}, ports.FaultReadIndexNotReady},
	} {
		s := newStation(t, raw(chosen{SiteMerge: {8}}, 0, "m"))
		source := s.w.regions.ordered[0]
		old := s.send(c.req)
		require.True(t, s.w.Merge(source.ID, s.w.regions.ordered[1].ID))
		require.Equal(t, ports.FaultEpochNotMatch, s.fault(old).Kind, "%T under the old epoch", c.req)
		require.Equal(t, c.want, s.fault(s.send(c.req)).Kind, "%T", c.req)
	}
}

// Only a neighbour that is as it was takes a region.
func TestMergeIsRolledBack(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	source := s.w.regions.ordered[0]
	require.True(t, s.w.Merge(source.ID, s.w.regions.ordered[1].ID))
	require.True(t, s.w.Split([]byte("t")))
	s.rest()
	require.Equal(t, "|m|t||", bounds(s.w))
	require.Equal(t, ports.Epoch{ConfVer: 2, Version: 3}, source.Epoch)
	require.Nil(t, s.await(s.send(put("a", "1"))).Reply.Region())
}

// Steps of a merge are taken by leaders.
func TestMergeWaitsForLeaders(t *testing.T) {
	for _, rolled := range []bool{true, false} {
		s := newStation(t, raw(Boring{}, 0, "m"))
		source, target := s.w.regions.ordered[0], s.w.regions.ordered[1]
		require.True(t, s.w.Merge(source.ID, target.ID))
		if rolled {
			target.Epoch.Version++
			s.w.Hang(source.Peers[0].Store)
		} else {
			s.w.Hang(target.Peers[0].Store)
		}
		s.w.Run(s.w.now+20*mergeTime, nil)
		require.NotNil(t, source.merging)
		s.rest()
		require.Equal(t, rolled, source.merging == nil)
		require.Equal(t, rolled, bounds(s.w) == "|m||")
	}
}

// While the writes that a region has accepted are applied, because there are pessimistic locks to hand over, it reads,
// but accepts no more.
func TestMergeFence(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteMerge: {8}, SiteElection: {7}}, Splits: [][]byte{[]byte("m")}})
	source := s.w.regions.ordered[0]
	s.w.engine.PutLock([]byte("z"), mvcc.Lock{Kind: ports.KindPessimisticLock, Primary: []byte("z"), StartTS: 5})
	require.False(t, s.w.engine.Pessimistic(source.extent()), "it is in the other region")
	s.w.engine.PutLock([]byte("b"), mvcc.Lock{Kind: ports.KindPessimisticLock, Primary: []byte("b"), StartTS: 5})
	require.True(t, s.w.Merge(source.ID, s.w.regions.ordered[1].ID))
	require.Equal(t, ports.FaultProposalInMergingMode, s.fault(s.send(prewriteOf(10, "a", "a"))).Kind)
	require.Nil(t, s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: 5})).Reply.Region())
	s.w.Hang(source.Peers[0].Store)
	s.w.Run(s.w.now+mergeTime<<8, nil)
	require.False(t, source.merging.prepared, "no leader")
	s.rest()
	require.Equal(t, "||", bounds(s.w))
}

// The neighbour's leader does not know what was read of the region; until it does, it takes no async commit.
func TestMergeSyncsMaxTS(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteDelay: {0}}, Splits: [][]byte{[]byte("m")}})
	source, target := s.w.regions.ordered[0], s.w.regions.ordered[1]
	require.True(t, s.w.Merge(source.ID, target.ID))
	s.w.Run(s.w.now+mergeTime, nil)
	require.Greater(t, target.synced, s.w.now)
	require.GreaterOrEqual(t, s.w.MaxTS(target.Peers[0].Store), s.w.pd.last)
}

func TestMergeSomewhere(t *testing.T) {
	for _, c := range []struct {
		chooser chosen
		want    string
	}{
		{chosen{SiteDisturb: {1}}, "|m||"},
		{chosen{SiteDisturb: {1}, SiteVictim: {1}}, "|f||"},
		{chosen{SiteDisturb: {1}, SiteVictim: {1}, SiteCandidate: {1}}, "|m||"},
		{chosen{SiteDisturb: {1}, SiteVictim: {2}}, "|f||"},
	} {
		s := newStation(t, raw(c.chooser, FaultsOf(FaultMerge), "f", "m"))
		s.w.Run(s.w.now.Add(100*time.Millisecond), nil)
		require.Equal(t, c.want, bounds(s.w))
	}
	s := newStation(t, raw(Boring{}, 0))
	s.w.mergeSomewhere()
	require.Equal(t, "||", bounds(s.w), "a single region has no neighbour")
}

func TestScriptMerges(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("m")}})
	require.NoError(t, s.w.Script("merge verb=Prewrite"))
	require.Nil(t, s.await(s.send(prewriteOf(10, "a", "a"))).Reply.Region(), "it has taken effect")
	s.rest()
	require.Len(t, s.w.Regions(), 1)
}

// Regions on different stores are brought together before they merge.
func TestMergeAligns(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, RawKeys: true, Stores: 5, Splits: [][]byte{[]byte("m")}})
	s.w.regions.ordered[1].Peers[0].Store = 5 // 5, 3, 4 and 1, 2, 3
	for range 2 {
		s.w.mergeSomewhere()
		s.rest()
		require.Len(t, s.w.regions.ordered, 2)
	}
	require.True(t, sameStores(s.w.regions.ordered[0].Peers, s.w.regions.ordered[1].Peers))
	s.w.mergeSomewhere()
	s.rest()
	require.Len(t, s.w.regions.ordered, 1)
}
