package simtest

import (
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim"
)

// script is the chooser of a run: everything is boring until the first task begins; then the choices come from a seed
// or from a transcript.
type script struct {
	record *sim.Recorder
	// dealt describes the source.
	dealt string
	world *sim.World
	begun bool
	// asked are all questions so far, if they are to be compared with those of another run.
	asked *[]question
}

// question is one that a world asked, with what was known by then.
type question struct {
	site     sim.Site
	n, value int
	hash     uint64
}

func (q question) String() string { return fmt.Sprintf("%s of %d → %d", q.site, q.n, q.value) }

func newScript(source sim.Chooser) *script {
	return &script{record: sim.NewRecorder(source), dealt: fmt.Sprint(source)}
}

func (s *script) begin() { s.begun = true }

// Choose implements [sim.Chooser].
func (s *script) Choose(site sim.Site, n int) int {
	if !s.begun {
		return 0
	}
	value := s.record.Choose(site, n)
	if s.asked != nil {
		*s.asked = append(*s.asked, question{site, n, value, s.world.Hash()})
	}
	return value
}

// divergence compares two runs that should have been the same, and describes where they part.
func divergence(one, two *Result) (string, bool) {
	for i := range min(len(one.asked), len(two.asked)) {
		if a, b := one.asked[i], two.asked[i]; a != b {
			return fmt.Sprintf("decision %d differs: %v, then %v; world %016x, then %016x", i, a, b, a.hash, b.hash), true
		}
	}
	if len(one.asked) != len(two.asked) {
		return fmt.Sprintf("%d decisions, then %d", len(one.asked), len(two.asked)), true
	}
	if one.Hash != two.Hash {
		return fmt.Sprintf("the worlds differ after the last decision: %016x, then %016x", one.Hash, two.Hash), true
	}
	return "", false
}
