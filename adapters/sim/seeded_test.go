package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
)

func TestSeededChoosesEvenly(t *testing.T) {
	s := sim.NewSeeded(1, 0)
	var seen [5]int
	for range 5000 {
		seen[s.Choose(sim.SiteDelay, len(seen))]++
	}
	for i, n := range seen {
		require.InDelta(t, 1000, n, 200, "choice %d", i)
	}
}

func TestSeededFaultsAreRare(t *testing.T) {
	s := sim.NewSeeded(1, sim.FaultsOf(sim.FaultDuplicate))
	var seen [3]int
	for range 100000 {
		seen[s.Choose(sim.SiteDuplicate, 3)]++
		require.Zero(t, s.Choose(sim.SiteRequestLost, 2), "not allowed")
	}
	require.InDelta(t, 500, seen[1], 150)
	require.InDelta(t, 500, seen[2], 150)
}

// What messages meet is rarer, but not gone; what happens to the cluster and to PD is as usual.
func TestRarer(t *testing.T) {
	s := sim.NewSeeded(1, sim.AllFaults).Rarer(10)
	duplicates, disturbances := 0, 0
	for range 100000 {
		duplicates += min(s.Choose(sim.SiteDuplicate, 3), 1)
		disturbances += min(s.Choose(sim.SiteDisturb, 8), 1)
	}
	require.InDelta(t, 100, duplicates, 40)
	require.InDelta(t, 90000, disturbances, 1000)
	require.Equal(t, sim.NewSeeded(1, sim.AllFaults).String(), sim.NewSeeded(1, sim.AllFaults).Rarer(0).String())
}

func TestSwarmsDiffer(t *testing.T) {
	var dealt [sim.NumFaults]int
	texts := map[string]bool{}
	const seeds = 300
	for seed := range uint64(seeds) {
		s := sim.NewSwarm(seed, sim.AllFaults)
		texts[s.String()] = true
		for f := range sim.Fault(sim.NumFaults) {
			if s.Faults().Has(f) {
				dealt[f]++
			}
		}
		require.Equal(t, s.String(), sim.NewSwarm(seed, sim.AllFaults).String())
	}
	require.Len(t, texts, seeds)
	for f, n := range dealt {
		require.InDelta(t, seeds*2/3, n, 50, sim.Fault(f).String())
	}
	require.Zero(t, sim.NewSwarm(1, sim.FaultsOf(sim.FaultBusy)).Faults()&^sim.FaultsOf(sim.FaultBusy))
}

func TestNamesAreComplete(t *testing.T) {
	seen := map[string]bool{"": true}
	for s := range sim.Site(sim.Sites) {
		require.False(t, seen[s.String()], s)
		seen[s.String()] = true
	}
	for f := range sim.Fault(sim.NumFaults) {
		require.NotEmpty(t, f.String())
	}
	require.Equal(t, "no-site", sim.Site(sim.Sites).String())
	require.Equal(t, "no-fault", sim.Fault(sim.NumFaults).String())
	counts := sim.Counts{}
	require.Empty(t, counts.String())
	counts[sim.FaultCrash] = 2
	counts.Add(&counts)
	require.Equal(t, "crash=4", counts.String())
	require.Equal(t, []sim.Fault{sim.FaultHang}, counts.Missing(sim.FaultsOf(sim.FaultCrash, sim.FaultHang)))
}
