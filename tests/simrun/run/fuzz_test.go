package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
)

// FuzzRun lets a fuzzer choose what goes wrong, and the seed what the clients do meanwhile. Its
// findings are short strings, and shorter ones are calmer runs.
func FuzzRun(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, []byte("\xff\x01\x00\xf0\x02\x7f\xff\x03\xff\x01\x05\x40\xff\x02"))
	}
	f.Fuzz(func(t *testing.T, seed uint64, bytes []byte) {
		report := seeded(seed, nil, func(c sim.Chooser) sim.Chooser { return written{c, sim.NewBytes(bytes)} })
		require.Empty(t, report.Wrong)
	})
}

// written lets bytes choose what goes wrong. The work and how long things take are the seed's: behind the last byte all
// would be one call that is as quick as can be.
type written struct{ seeded, written sim.Chooser }

// Choose implements [sim.Chooser].
func (w written) Choose(site sim.Site, n int) int {
	switch site {
	case sim.SiteWorkload, sim.SiteDelay, sim.SiteExecute, sim.SiteOracleDelay:
		return w.seeded.Choose(site, n)
	default:
		return w.written.Choose(site, n)
	}
}
