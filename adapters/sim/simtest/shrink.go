package simtest

import (
	"slices"
	"testing"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Shrink looks for a smaller transcript with which the test still fails in the same way (with the same kind of first
// failure), in at most so many runs. It replaces decisions by the boring one: all those of a site, then ever smaller
// parts of the whole (Zeller's delta debugging), and lowers those that have to stay. What it returns was seen to fail;
// it is the given transcript if nothing smaller was, or if that one itself does not fail.
func Shrink(t *testing.T, cfg sim.Config, transcript *Transcript, runs int, test Test) *Transcript {
	t.Helper()
	s := &shrinker{t: t, cfg: cfg, test: test, runs: runs, best: transcript}
	if !s.try(transcript.made) {
		return transcript
	}
	for size := -1; size != s.best.Len(); {
		size = s.best.Len()
		s.sites()
		s.parts()
		s.values()
	}
	return Replay(t, cfg, s.best, test).Transcript
}

type shrinker struct {
	t    *testing.T
	cfg  sim.Config
	test Test
	runs int
	// best is the smallest transcript that failed so far.
	best *Transcript
}

// try runs the test with some decisions, and reports whether it fails as it should. What the run did not ask for is
// dropped at once.
func (s *shrinker) try(made []decision) bool {
	if s.runs == 0 {
		return false
	}
	s.runs--
	next := &Transcript{Seed: s.best.Seed, made: made}
	r := attempt(s.t, s.cfg, plan{seed: next.Seed, transcript: next}, s.test)
	if !r.Failed() || s.best.Failure.Kind != "" && s.best.Failure.Kind != r.Transcript.Failure.Kind {
		return false
	}
	s.best = r.Transcript
	return true
}

// sites drops all decisions of a site.
func (s *shrinker) sites() {
	for site := range sim.Site(sim.Sites) {
		rest := slices.DeleteFunc(slices.Clone(s.best.made), func(d decision) bool { return d.site == site.String() })
		if len(rest) < s.best.Len() {
			s.try(rest)
		}
	}
}

// parts drops ever smaller parts, down to single decisions.
func (s *shrinker) parts() {
	for parts := 2; s.best.Len() > 0; {
		size := (s.best.Len() + parts - 1) / parts
		dropped := false
		for from := 0; from < s.best.Len(); {
			rest := slices.Concat(s.best.made[:from], s.best.made[min(from+size, s.best.Len()):])
			if s.try(rest) {
				dropped = true
			} else {
				from += size
			}
		}
		switch {
		case size == 1 && !dropped:
			return
		case size > 1:
			parts *= 2
		}
		if s.runs == 0 {
			return
		}
	}
}

// values lowers decisions.
func (s *shrinker) values() {
	for i := 0; i < s.best.Len(); i++ {
		for _, lower := range []int{1, s.best.made[i].value / 2, s.best.made[i].value - 1} {
			if lower < 1 || lower >= s.best.made[i].value {
				continue
			}
			made := slices.Clone(s.best.made)
			made[i].value = lower
			if s.try(made) {
				break
			}
		}
		if s.runs == 0 {
			return
		}
	}
}
