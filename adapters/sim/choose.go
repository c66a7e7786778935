package sim

// Chooser resolves what can happen in more than one way. The result is at least 0 and below n, and 0 is always the
// boring one: no fault, the shortest time, the first of a list. n is at least 2. Choosers are asked by one goroutine.
type Chooser interface {
	Choose(site Site, n int) int
}

// Boring is the chooser of a run in which nothing goes wrong.
type Boring struct{}

// Choose implements [Chooser].
func (Boring) Choose(Site, int) int { return 0 }

// ChooserFunc is a function as a chooser, for whoever has choices from elsewhere: a property draws them with
//
//	sim.ChooserFunc(func(site sim.Site, n int) int { return rapid.IntRange(0, n-1).Draw(t, site.String()) })
//
// and what it finds shrinks to few decisions.
type ChooserFunc func(site Site, n int) int

// Choose implements [Chooser].
func (f ChooserFunc) Choose(site Site, n int) int { return f(site, n) }
