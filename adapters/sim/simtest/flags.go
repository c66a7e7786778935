package simtest

import (
	"flag"
	"strconv"
	"testing"
)

// The flags of a test binary that imports this package.
var (
	flagSeed   = flag.String("sim.seed", "", "run simulations with this seed only")
	flagSeeds  = flag.Int("sim.seeds", 0, "number of seeds that each simulation runs (20, 5 with -short)")
	flagCheck  = flag.Bool("sim.check", false, "run each seed twice and report the first decision that differs")
	flagReplay = flag.String("sim.replay", "", "run simulations with the decisions of this transcript only")
	flagShrink = flag.Int("sim.shrink", 1000, "number of runs that shrinking a failure may take; 0 leaves it as it is")
	flagTrace  = flag.String("sim.trace", "", "write the trace of the last run to this file")
)

// settings are the flags, or what a test of this package says instead.
type settings struct {
	// only says that seed is the only one.
	only          bool
	seed          uint64
	seeds, shrink int
	check         bool
	replay, trace string
}

func flags(t *testing.T) settings {
	t.Helper()
	s := settings{seeds: *flagSeeds, check: *flagCheck, replay: *flagReplay, shrink: *flagShrink, trace: *flagTrace}
	if s.seeds <= 0 {
		s.seeds = 20
		if testing.Short() {
			s.seeds = 5
		}
	}
	if *flagSeed != "" {
		seed, err := strconv.ParseUint(*flagSeed, 0, 64)
		if err != nil {
			t.Fatalf("-sim.seed: %v", err)
		}
		s.only, s.seed, s.seeds = true, seed, 1
	}
	return s
}
