package sim

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
)

// PCT chooses as probabilistic concurrency testing does (Burckhardt et al., A Randomized Scheduler with Probabilistic
// Guarantees of Finding Bugs, ASPLOS 2010). Few bugs need more than a few things to happen in an unusual order; a
// chooser that errs everywhere drowns them in others. The paper's scheduler therefore lets threads run by priority,
// which settles the order of everything, but for a few points, drawn before the run, at which a priority drops. Here
// the boring run takes the place of that order: all choices are 0 but at depth points, each of which is one question at
// one site. There a delay is as long as it can be, so that whatever is under way overtakes; and a fault happens.
//
// For every site a point is equally likely, and so is every power of two that bounds its place in the order of that
// site's questions; the length of a run need not be known. The i-th question (from 0) of one of S sites is therefore a
// given point with a probability of at least
//
//	p(i) = 1 / (2·S·(1+log₂(length))·(i+1))
//
// and a bug that d such deviations bring about, in a run that is boring otherwise, is found with a probability of at
// least d!·p(i₁)·…·p(i_d), times 1/(n-1) for each fault that can happen in n-1 ways, whatever else the program does.
//
// Inputs, which have no boring order (what workloads do, who is struck, where a region is cut), are chosen evenly.
type PCT struct {
	random *rand.Rand
	seed   uint64
	// points are the questions of each site at which the run deviates, in ascending order; asked counts questions.
	points [numSites][]int
	asked  [numSites]int
}

// timed are the sites that pick how long something takes.
var timed = [numSites]bool{
	SiteDelay: true, SiteExecute: true, SiteOracleDelay: true, SiteElection: true, SiteMerge: true,
	SiteCatchUp: true,
}

// NewPCT returns a chooser that deviates at depth points, each among the first length questions of a site; of the fault
// classes only the allowed ones happen.
func NewPCT(seed uint64, depth, length int, allowed FaultSet) *PCT {
	p := &PCT{random: rand.New(rand.NewPCG(seed, digestPrime)), seed: seed}
	open := deviating(allowed)
	for range depth {
		site := open[p.random.IntN(len(open))]
		place := p.random.IntN(1 << p.random.IntN(bits.Len(uint(max(length-1, 0)))+1))
		p.points[site] = append(p.points[site], place)
	}
	for site := range numSites {
		slices.Sort(p.points[site])
		p.points[site] = slices.Compact(p.points[site])
	}
	return p
}

// deviating returns the sites at which a run can deviate.
func deviating(allowed FaultSet) []Site {
	var open []Site
	for site := range numSites {
		if timed[site] || siteRates[site] != 0 && (siteFaults[site] == 0 || siteFaults[site]&allowed != 0) {
			open = append(open, site)
		}
	}
	return open
}

// Choose implements [Chooser].
func (p *PCT) Choose(site Site, n int) int {
	if !timed[site] && siteRates[site] == 0 {
		return p.random.IntN(n)
	}
	at := p.asked[site]
	p.asked[site]++
	if len(p.points[site]) == 0 || p.points[site][0] != at {
		return 0
	}
	p.points[site] = p.points[site][1:]
	if timed[site] {
		return n - 1
	}
	return 1 + p.random.IntN(n-1)
}

// String prints the seed and the points that are still to come.
func (p *PCT) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed=%d pct", p.seed)
	for site := range numSites {
		for _, place := range p.points[site] {
			fmt.Fprintf(&b, " %s@%d", site, place)
		}
	}
	return b.String()
}
