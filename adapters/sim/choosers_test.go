package sim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/adapters/sim"
)

func TestBytesAreCalmBehindTheLast(t *testing.T) {
	b := sim.NewBytes([]byte{0xff, 2, 7, 1, 2})
	require.Equal(t, 1+2%4, b.Choose(sim.SiteDuplicate, 5)) // one byte to decide, one to choose
	require.Equal(t, 7, b.Choose(sim.SiteWorkload, 100))
	require.Equal(t, (1<<8|2)%1000, b.Choose(sim.SiteWorkload, 1000))
	require.Zero(t, b.Choose(sim.SiteWorkload, 1000))
	require.Zero(t, b.Choose(sim.SiteDuplicate, 5))
	require.Zero(t, sim.NewBytes([]byte{0xef, 1}).Choose(sim.SiteDuplicate, 5))
}

func TestTrailsDiverge(t *testing.T) {
	a, b := sim.NewTrail(sim.NewBytes([]byte{1, 2})), sim.NewTrail(sim.NewBytes([]byte{1, 3}))
	for _, trail := range []*sim.Trail{a, b} {
		trail.Choose(sim.SiteDelay, 16)
	}
	require.Empty(t, a.Diverges(b))
	a.Choose(sim.SiteExecute, 8)
	require.Equal(t, "decision 1: 2 decisions, then 1", a.Diverges(b))
	b.Choose(sim.SiteExecute, 8)
	require.Equal(t, "decision 1: execute 2 of 8, then execute 3 of 8", a.Diverges(b))
}

// A point is a delay as long as can be, or a fault; inputs are drawn all the time, and the same seed is the same run.
func TestPCTDeviatesAtItsPoints(t *testing.T) {
	for seed := range uint64(100) {
		faults := sim.FaultsOf(sim.FaultReplyLost)
		p, again := sim.NewPCT(seed, 3, 64, faults), sim.NewPCT(seed, 3, 64, faults)
		require.Equal(t, p.String(), again.String())
		announced := strings.Count(p.String(), "@")
		deviations, inputs := 0, map[int]bool{}
		for range 64 {
			for _, ask := range []struct {
				site sim.Site
				n    int
			}{
				{sim.SiteDelay, 16}, {sim.SiteExecute, 8}, {sim.SiteOracleDelay, 16}, {sim.SiteElection, 4},
				{sim.SiteMerge, 4}, {sim.SiteCatchUp, 4}, {sim.SiteHint, 2}, {sim.SiteReplyLost, 2},
			} {
				v := p.Choose(ask.site, ask.n)
				require.Equal(t, v, again.Choose(ask.site, ask.n))
				require.Contains(t, []int{0, ask.n - 1}, v)
				deviations += min(v, 1)
			}
			require.Zero(t, p.Choose(sim.SiteRequestLost, 2), "not allowed")
			inputs[p.Choose(sim.SiteWorkload, 4)] = true
		}
		require.Equal(t, announced, deviations, "seed %d", seed)
		require.Contains(t, []int{1, 2, 3}, deviations)
		require.Len(t, inputs, 4)
	}
}

// Two messages of eight must be overtaken by those behind them, and nothing else may happen: a bug of depth 2. Seeds
// find it at least as often as PCT promises.
func TestPCTFindsOrdersAsOftenAsPromised(t *testing.T) {
	const runs = 300_000
	found := 0
	for seed := range uint64(runs) {
		p := sim.NewPCT(seed, 2, 1<<8, 0)
		var arrival [8]int
		for i := range arrival {
			arrival[i] = 10*i + p.Choose(sim.SiteDelay, 16)
		}
		late := 0
		for i := range arrival[1:] {
			if arrival[i] > arrival[i+1] {
				late |= 1 << i
			}
		}
		if late == 1<<1|1<<4 {
			found++
		}
	}
	const sites = 6 // five that take time, and hints
	p := func(i float64) float64 { return 1 / (2 * sites * (1 + 8) * (i + 1)) }
	require.Greater(t, float64(found)/runs, 2*p(1)*p(4))
}

func TestExhaustiveChoosesEverything(t *testing.T) {
	run := func(e *sim.Exhaustive) [3]int {
		r := [3]int{e.Choose(sim.SiteReplyLost, 2), e.Choose(sim.SiteDelay, 9)}
		if r[0] == 1 { // what is asked depends on what was chosen before
			r[2] = e.Choose(sim.SiteDuplicate, 3)
		}
		return r
	}
	all := func(b sim.Bounds) map[[3]int]int {
		seen := map[[3]int]int{}
		e := sim.NewExhaustive(b)
		for more := true; more; more = e.Next() {
			seen[run(e)]++
		}
		return seen
	}
	sites := []sim.Site{sim.SiteReplyLost, sim.SiteDuplicate}
	require.Equal(t, map[[3]int]int{{0, 0, 0}: 1, {1, 0, 0}: 1, {1, 0, 1}: 1, {1, 0, 2}: 1},
		all(sim.Bounds{Sites: sites, Depth: 3}))
	require.Equal(t, map[[3]int]int{{0, 0, 0}: 1, {1, 0, 0}: 1}, all(sim.Bounds{Sites: sites, Depth: 3, Most: 1}))
	require.Equal(t, map[[3]int]int{{0, 0, 0}: 1, {1, 0, 0}: 1}, all(sim.Bounds{Sites: sites, Depth: 1}))
	e := sim.NewExhaustive(sim.Bounds{Sites: sites, Depth: 3})
	for range 2 {
		run(e)
		require.True(t, e.Next())
	}
	require.Equal(t, "one of every 0=1 1=1", e.String())
	require.Len(t, all(sim.Bounds{Depth: 2}), 2*9)
	require.Len(t, all(sim.Bounds{Depth: 3}), 9+9*3)
	require.Len(t, all(sim.Bounds{Depth: 3, Most: 1}), 1+8+1)
}

// TestChoosersStayInBounds lets each kind of chooser decide a world in which nobody does anything but the faults.
func TestChoosersStayInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		choosers := []sim.Chooser{
			sim.ChooserFunc(func(site sim.Site, n int) int { return rapid.IntRange(0, n-1).Draw(t, site.String()) }),
			sim.NewBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")),
			sim.NewPCT(rapid.Uint64().Draw(t, "seed"), 5, 50, sim.AllFaults),
			sim.NewExhaustive(sim.Bounds{}),
		}
		for _, c := range choosers {
			w, err := sim.New(sim.Config{Chooser: c, Faults: sim.AllFaults})
			require.NoError(t, err)
			for range 30 {
				w.Step()
			}
			w.Close()
		}
	})
}
