package sim

import "fmt"

// Trail is everything that was asked of a chooser, in order, with its answers: two runs that must be the same are if
// their trails are.
type Trail struct {
	inner Chooser
	steps []step
}

type step struct {
	site     Site
	n, value int
}

// NewTrail returns a chooser that passes on what is asked of it, and keeps it.
func NewTrail(inner Chooser) *Trail { return &Trail{inner: inner} }

// Choose implements [Chooser].
func (t *Trail) Choose(site Site, n int) int {
	value := t.inner.Choose(site, n)
	t.steps = append(t.steps, step{site, n, value})
	return value
}

// Diverges describes the first decision in which another trail differs from this one; empty when it does not.
func (t *Trail) Diverges(other *Trail) string {
	for i := range min(len(t.steps), len(other.steps)) {
		if a, b := t.steps[i], other.steps[i]; a != b {
			return fmt.Sprintf("decision %d: %s, then %s", i, a, b)
		}
	}
	if a, b := len(t.steps), len(other.steps); a != b {
		return fmt.Sprintf("decision %d: %d decisions, then %d", min(a, b), a, b)
	}
	return ""
}

// String prints "delay 3 of 16".
func (s step) String() string { return fmt.Sprintf("%s %d of %d", s.site, s.value, s.n) }
