package sim

import "math/rand/v2"

// PCT chooses as probabilistic concurrency testing does (Burckhardt et al., ASPLOS 2010): all is boring but for a few
// points, drawn before the run, at which something else is chosen. A fault that needs d decisions of n in a certain
// order is met at least once in about k·n^(d-1) runs, while a chooser that errs everywhere may drown it in others.
//
// Workloads and victims are chosen at random all the time: without them nothing is done.
type PCT struct {
	random *rand.Rand
	// asked counts decisions; points are those at which the run deviates, in ascending order.
	asked  int
	points []int
}

// NewPCT returns a chooser that deviates at depth of the first length decisions.
func NewPCT(seed uint64, depth, length int) *PCT {
	p := &PCT{random: rand.New(rand.NewPCG(seed, digestPrime))}
	chosen := map[int]bool{}
	for len(chosen) < min(depth, length) {
		chosen[p.random.IntN(length)] = true
	}
	for i := range length {
		if chosen[i] {
			p.points = append(p.points, i)
		}
	}
	return p
}

// Choose implements [Chooser].
func (p *PCT) Choose(site Site, n int) int {
	if site == SiteWorkload || site == SiteVictim || site == SiteSplit {
		return p.random.IntN(n)
	}
	at := p.asked
	p.asked++
	if len(p.points) == 0 || p.points[0] != at {
		return 0
	}
	p.points = p.points[1:]
	return 1 + p.random.IntN(n-1)
}
