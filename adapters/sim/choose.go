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
