package sim

// Exhaustive chooses everything that can be chosen, one run after the other, for plans that are tiny: after each run
// [Exhaustive.Next] steps to the next one, like an odometer. Only the first depth decisions, and of sites among those
// that were asked for, are varied; the rest is boring.
type Exhaustive struct {
	depth  int
	varied [numSites]bool
	path   []crossing
	at     int
}

// crossing is a decision: what was chosen, of how many.
type crossing struct{ value, n int }

// NewExhaustive returns a chooser that varies the first depth decisions of the given sites, all sites when there are
// none.
func NewExhaustive(depth int, sites ...Site) *Exhaustive {
	e := &Exhaustive{depth: depth}
	for site := range numSites {
		e.varied[site] = len(sites) == 0
	}
	for _, s := range sites {
		e.varied[s] = true
	}
	return e
}

// Choose implements [Chooser].
func (e *Exhaustive) Choose(site Site, n int) int {
	if !e.varied[site] || e.at == e.depth {
		return 0
	}
	if e.at == len(e.path) {
		e.path = append(e.path, crossing{n: n})
	}
	c := e.path[e.at]
	e.at++
	return min(c.value, n-1)
}

// Next prepares the next run, and reports whether there is one.
func (e *Exhaustive) Next() bool {
	e.path, e.at = e.path[:e.at], 0
	for len(e.path) > 0 {
		last := &e.path[len(e.path)-1]
		if last.value++; last.value < last.n {
			return true
		}
		e.path = e.path[:len(e.path)-1]
	}
	return false
}
