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
	faults FaultSet
	// rates are the chances of a fault in 1/2^32; sites without one choose evenly.
	rates [numSites]uint32
}

// siteRates are the usual chances of faults, in 1 of 2^32. Some sites serve several classes.
var siteRates = [numSites]float64{
	SiteHint:        0.2,
	SiteRequestLost: 0.003, SiteReplyLost: 0.003, SiteDuplicate: 0.01, SiteSlow: 0.003, SiteReset: 0.0005, SiteDial: 0.1,
	SiteBusy: 0.005, SiteStale: 0.002,
	SiteOracleGap: 0.01, SiteOracleSlow: 0.01, SiteStalePD: 0.2, SiteGapPD: 0.1, SiteBlankPD: 0.05,
	SiteDisturb: 0.9, SiteKeep: 0.2, SiteHandOver: 0.5,
}

// siteFaults are the classes without which a site is quiet.
var siteFaults = [numSites]FaultSet{
	SiteRequestLost: 1 << FaultRequestLost, SiteReplyLost: 1 << FaultReplyLost,
	SiteDuplicate: 1<<FaultDuplicate | 1<<FaultLateDuplicate, SiteSlow: 1 << FaultSlow,
	SiteReset: 1 << FaultReset, SiteDial: 1 << FaultDial, SiteBusy: 1 << FaultBusy,
	SiteStale: 1<<FaultStaleCommand | 1<<FaultUndetermined, SiteBlankPD: 1 << FaultBlankPD,
	SiteOracleGap: 1 << FaultOracleGap, SiteOracleSlow: 1 << FaultOracleSlow,
	SiteStalePD: 1 << FaultStalePD, SiteGapPD: 1 << FaultGapPD,
	SiteDisturb: disturbances, SiteKeep: 1 << FaultLostLock, SiteHandOver: 1 << FaultLostLock,
}

// NewSeeded returns the chooser of a seed at the usual rates; of the fault classes only the allowed ones happen.
func NewSeeded(seed uint64, allowed FaultSet) *Seeded {
	s := &Seeded{seed: seed, faults: allowed, random: *rand.NewPCG(seed, digestPrime)}
	for site := range numSites {
		if siteFaults[site] == 0 || siteFaults[site]&allowed != 0 {
			s.rates[site] = rate(siteRates[site])
		}
	}
	return s
}

func rate(chance float64) uint32 { return uint32(min(chance, 1) * (1<<32 - 1)) }

// NewSwarm is NewSeeded for many short runs: the seed first decides which of the allowed classes this run has, and how
// often, so that combinations are met that a run with everything on would never show.
func NewSwarm(seed uint64, allowed FaultSet) *Seeded {
	draw := rand.New(rand.NewPCG(seed, ^uint64(digestPrime)))
	var dealt FaultSet
	for f := range numFaults {
		if allowed.Has(f) && draw.IntN(3) > 0 {
			dealt |= 1 << f
		}
	}
	s := NewSeeded(seed, dealt)
	for site := range numSites {
		if siteFaults[site] != 0 && site != SiteDisturb {
			weights := [...]float64{0.25, 1, 1, 4}
			s.rates[site] = rate(float64(s.rates[site]) / (1 << 32) * weights[draw.IntN(len(weights))])
		}
	}
	return s
}

// traffic are the sites that are asked for each message or timestamp.
var traffic = [...]Site{
	SiteRequestLost, SiteReplyLost, SiteDuplicate, SiteSlow, SiteReset, SiteBusy, SiteStale, SiteOracleGap, SiteOracleSlow,
}

// Rarer divides the rates of the faults that messages and timestamps meet, and returns s; 0 counts as 1. The usual
// rates are for short runs with little traffic: many callers that share a few connections stand behind each other's
// late messages.
func (s *Seeded) Rarer(divisor uint32) *Seeded {
	for _, site := range traffic {
		s.rates[site] /= max(divisor, 1)
	}
	return s
}

// Faults returns the classes that can happen in this run.
func (s *Seeded) Faults() FaultSet { return s.faults }

// Choose implements [Chooser].
func (s *Seeded) Choose(site Site, n int) int {
	if siteRates[site] == 0 {
		return int(uint64(uint32(s.random.Uint64())) * uint64(n) >> 32)
	}
	chance := s.rates[site]
	if chance == 0 {
		return 0
	}
	x := s.random.Uint64()
	if uint32(x) >= chance {
		return 0
	}
	return 1 + int((x>>32)*uint64(n-1)>>32)
}

// String prints the seed and what the run was dealt, so that a reader sees which faults to expect.
func (s *Seeded) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed=%d", s.seed)
	for site := range numSites {
		if siteFaults[site] != 0 && s.rates[site] != 0 {
			fmt.Fprintf(&b, " %s=%.4f", site, float64(s.rates[site])/(1<<32))
		}
	}
	return b.String()
}
