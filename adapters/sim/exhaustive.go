package sim

import (
	"fmt"
	"strings"
)

// Exhaustive chooses everything that can be chosen, one run after the other, by running anew each time: for plans that
// are tiny, and for programs whose state cannot be hashed, as that of a user's application. (Machines are searched
// faster, by state, in package explore.) After each run [Exhaustive.Next] prepares the next one, like an odometer.
type Exhaustive struct {
	bounds Bounds
	varied [numSites]bool
	path   []crossing
	at     int
}

// Bounds say what an [Exhaustive] varies; the rest is boring.
type Bounds struct {
	// Sites are varied; all when empty.
	Sites []Site
	// Depth is the number of decisions, from the first, that are varied.
	Depth int
	// Most is how many of them may be other than boring in one run; 0 means all. What two faults cannot break together is
	// found, as a rule, to be unbroken by three.
	Most int
}

// crossing is a decision: what was chosen, of how many.
type crossing struct{ value, n int }

// NewExhaustive returns a chooser within bounds, before its first run, in which everything is boring.
func NewExhaustive(b Bounds) *Exhaustive {
	e := &Exhaustive{bounds: b}
	for site := range numSites {
		e.varied[site] = len(b.Sites) == 0
	}
	for _, s := range b.Sites {
		e.varied[s] = true
	}
	return e
}

// Choose implements [Chooser].
func (e *Exhaustive) Choose(site Site, n int) int {
	if !e.varied[site] || e.at == e.bounds.Depth {
		return 0
	}
	if e.at == len(e.path) {
		e.path = append(e.path, crossing{n: n})
	}
	c := e.path[e.at]
	e.at++
	return min(c.value, n-1)
}

// String prints the decisions of the present run that are not boring, by their place: "one of every 3=1 7=2".
func (e *Exhaustive) String() string {
	var b strings.Builder
	for i, c := range e.path {
		if c.value > 0 {
			fmt.Fprintf(&b, " %d=%d", i, c.value)
		}
	}
	return "one of every" + b.String()
}

// Next prepares the next run, and reports whether there is one.
func (e *Exhaustive) Next() bool {
	e.path, e.at = e.path[:e.at], 0
	deviations := 0
	for _, c := range e.path {
		deviations += min(c.value, 1)
	}
	for len(e.path) > 0 {
		last := &e.path[len(e.path)-1]
		affordable := last.value > 0 || e.bounds.Most == 0 || deviations < e.bounds.Most
		if affordable && last.value+1 < last.n {
			last.value++
			return true
		}
		deviations -= min(last.value, 1)
		e.path = e.path[:len(e.path)-1]
	}
	return false
}
