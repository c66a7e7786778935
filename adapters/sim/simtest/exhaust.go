package simtest

import (
	"path/filepath"
	"testing"

	"github.com/tikvx/tikvx/adapters/sim"
)

// Exhaust runs a test with every sequence of decisions within bounds ([sim.Exhaustive]) instead of those that follow
// from seeds: "whatever two messages of this are lost". It fails t at the first sequence that fails the test, as [Run]
// does, with a transcript, and begins with that as Run does. The test must be small: what it takes is a run for each
// sequence, of which there are about as many as ways to choose Most of its decisions.
//
// Decisions are counted from the first task on, as those of a seed. The flags -sim.replay, -sim.shrink and -sim.trace
// are understood.
func Exhaust(t *testing.T, cfg sim.Config, bounds sim.Bounds, test Test) {
	t.Helper()
	exhaust(t, t, cfg, flags(t), bounds, filepath.Join("testdata", "sim", filepath.FromSlash(t.Name())+".log"), test)
}

// exhaust is Exhaust with settings and a file. It returns the number of runs.
func exhaust(
	t *testing.T, out reporter, cfg sim.Config, s settings, bounds sim.Bounds, file string, test Test,
) (runs int) {
	t.Helper()
	s.seeds, s.only = 0, false // what search then runs is a transcript, if there is one
	failed := search(t, out, cfg, s, file, test)
	if every := sim.NewExhaustive(bounds); s.replay == "" {
		for more := true; more && failed == nil; more = every.Next() {
			runs++
			r := once(t, out, cfg, s, plan{seed: cfg.Seed, every: every}, test)
			if failed = onlyFailed(r); t.Failed() {
				failed = r
			}
		}
	}
	if failed != nil {
		report(t, out, cfg, s, failed, file, test)
	}
	return runs
}
