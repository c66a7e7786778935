package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Seeded chooses at random from a seed. Sites of faults choose something else than 0 at a rate of their own; the other
// sites choose evenly.
type Seeded struct {
	random rand.PCG
	seed   uint64
	// rates are the chances of a fault in 1/2^32; even says that the site has none.
	rates [numSites]uint32
	even  [numSites]bool
}

// NewSeeded returns the chooser of a seed at the usual rates; of the fault classes only the allowed ones happen.
func NewSeeded(seed uint64, allowed FaultSet) *Seeded {
	s := &Seeded{seed: seed, random: *rand.NewPCG(seed, 0x9e3779b97f4a7c15)}
	return s
}

// NewSwarm is NewSeeded for many short runs: the seed first decides which of the allowed classes this run has, and how
// often, so that combinations are met that a run with everything on would never show.
func NewSwarm(seed uint64, allowed FaultSet) *Seeded { return NewSeeded(seed, allowed) }

// Choose implements [Chooser].
func (s *Seeded) Choose(site Site, n int) int { return 0 }

// String prints the seed and what the run was dealt, so that a reader sees which faults to expect.
func (s *Seeded) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed=%d", s.seed)
	return b.String()
}
