package sim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// TestOverload shows a store that is busy before it looks at who leads, while its regions are led by others.
func TestOverload(t *testing.T) {
	s := newStation(t, Config{})
	r := s.w.regions.ordered[0]
	to, hdr := s.address(r, 0)
	s.w.Overload(to.Store)
	s.w.Overload(to.Store) // no more than it is
	require.Equal(t, uint64(1), s.w.Counts()[FaultOverload])
	leader, ok := r.leader()
	require.True(t, ok)
	require.NotEqual(t, to.Store, leader.Store, "leaders move away")
	require.False(t, s.w.Transfer(r.ID, to.Store), "and nobody moves them there")
	get := &ports.GetRequest{Key: []byte("k"), TS: 1}
	fault := s.fault(s.sendTo(to, &hdr, get))
	require.Equal(t, ports.RegionFault{Kind: ports.FaultServerIsBusy}, *fault, "no word of who leads, nor of how long")
	s.w.Relieve(to.Store)
	s.w.Relieve(to.Store)
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, get)).Kind)

	s.w.Overload(to.Store)
	s.w.Crash(to.Store)
	s.w.Overload(to.Store) // nobody is there
	s.w.Restart(to.Store, "")
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, get)).Kind, "a restart ends it")
	s.w.Overload(to.Store)
	s.w.Heal()
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, get)).Kind, "healing does, too")
}

// TestUndetermined shows that a store that says so has applied a write, or has not, by what the chooser wants.
func TestUndetermined(t *testing.T) {
	for _, c := range []struct {
		choice  int
		faults  FaultSet
		kind    ports.FaultKind
		applied bool
	}{
		{1, FaultsOf(FaultStaleCommand, FaultUndetermined), ports.FaultStaleCommand, false},
		{2, FaultsOf(FaultStaleCommand, FaultUndetermined), ports.FaultStaleCommand, true},
		{3, FaultsOf(FaultStaleCommand, FaultUndetermined), ports.FaultUndeterminedResult, false},
		{4, FaultsOf(FaultStaleCommand, FaultUndetermined), ports.FaultUndeterminedResult, true},
		{4, FaultsOf(FaultStaleCommand), ports.FaultStaleCommand, true},
		{2, FaultsOf(FaultUndetermined), ports.FaultUndeterminedResult, true},
	} {
		s := newStation(t, raw(chosen{SiteStale: {c.choice}}, c.faults))
		to, hdr := s.address(s.w.regions.ordered[0], 0)
		fault := s.fault(s.sendTo(to, &hdr, &ports.RawPutRequest{Key: []byte("k"), Value: []byte("v")}))
		require.Equal(t, c.kind, fault.Kind, c)
		require.True(t, fault.MayBeApplied())
		require.Equal(t, c.applied, s.w.Engine().RawLen() == 1, c)
	}
}

// TestBlankPD shows what PD may leave out of its answers, which its own knowledge keeps.
func TestBlankPD(t *testing.T) {
	region := ports.Query{Kind: ports.QueryRegion, Key: []byte("k")}
	where := ports.Query{Kind: ports.QueryStore, Store: 1}
	for choice := range 3 {
		s := newStation(t, Config{Chooser: chosen{SiteBlankPD: {choice, choice}}, Faults: FaultsOf(FaultBlankPD)})
		regions, stores := s.ask(region).Regions, s.ask(where).Stores
		switch choice {
		case 0:
			require.NotZero(t, regions[0].Leader)
			require.NotEmpty(t, stores[0].Address)
		case 1:
			require.Zero(t, regions[0].Leader)
			require.Empty(t, stores[0].Address)
			require.Equal(t, ports.StoreID(1), stores[0].ID)
		case 2:
			require.Empty(t, regions)
			require.Empty(t, stores)
		}
		require.Equal(t, uint64(2*min(choice, 1)), s.w.Counts()[FaultBlankPD])
		s.w.Heal()
		require.NotZero(t, s.ask(region).Regions[0].Leader)
		require.NotEmpty(t, s.ask(where).Stores[0].Address)
	}
}

// TestLagPD shows followers of PD that know what was when they heard something last, until they hear again.
func TestLagPD(t *testing.T) {
	s := newStation(t, Config{})
	before := s.w.Regions()[0].Leader
	ask := func(fresh bool) ports.PeerID {
		return s.ask(ports.Query{Kind: ports.QueryRegion, Key: []byte("k"), Fresh: fresh}).Regions[0].Leader
	}
	move := func() ports.PeerID {
		r := s.w.regions.ordered[0]
		s.w.handOver(r)
		s.w.Run(s.w.Now()+32*heartbeatTime, nil)
		return r.Leader
	}
	s.w.LagPD(ports.Forever)
	after := move()
	require.NotEqual(t, before, after)
	require.Equal(t, before, ask(false))
	require.Equal(t, after, ask(true))
	s.w.LagPD(outageTime) // goes on, but not for ever
	require.Equal(t, before, ask(false))
	s.w.Run(s.w.Now().Add(outageTime), nil)
	require.Equal(t, after, ask(false))
}

// TestLeftDerive shows a split after which the lower half is the old region, and what a client with the old version
// hears of it.
func TestLeftDerive(t *testing.T) {
	for _, left := range []bool{false, true} {
		s := newStation(t, Config{LeftDerive: left})
		r := s.w.regions.ordered[0]
		to, hdr := s.address(r, 0)
		for _, k := range []string{"m", "g", "t"} {
			require.True(t, s.w.Split(s.w.bound([]byte(k))))
		}
		require.Len(t, s.w.regions.ordered, 4)
		for i := range 3 {
			require.Equal(t, s.w.regions.ordered[i].Range.End, s.w.regions.ordered[i+1].Range.Start)
		}
		at := 3
		if left {
			at = 0
		}
		require.Same(t, r, s.w.regions.ordered[at])
		fault := s.fault(s.sendTo(to, &hdr, &ports.GetRequest{Key: []byte("k"), TS: 1}))
		require.Equal(t, ports.FaultEpochNotMatch, fault.Kind)
		require.Equal(t, r.ID, fault.Regions[0].ID)
		require.GreaterOrEqual(t, len(fault.Regions), 2)
		for i := 1; i < len(fault.Regions); i++ {
			above, below := fault.Regions[i-1], fault.Regions[i]
			if left {
				above, below = below, above
			}
			require.Equal(t, above.Range.Start, below.Range.End, "one follows the other")
		}
	}
}
