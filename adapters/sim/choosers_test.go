package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/adapters/sim"
)

func TestBytesAreCalmBehindTheLast(t *testing.T) {
	b := sim.NewBytes([]byte{0xff, 2, 7, 1, 2})
	require.Equal(t, 1+2%4, b.Choose(sim.SiteDuplicate, 5)) // one byte to decide, one to choose
	require.Equal(t, 7, b.Choose(sim.SiteWorkload, 100))
	require.Equal(t, (1<<8|2)%1000, b.Choose(sim.SiteWorkload, 1000))
	require.Zero(t, b.Choose(sim.SiteWorkload, 1000))
	require.Zero(t, b.Choose(sim.SiteDuplicate, 5))
	require.Zero(t, sim.NewBytes([]byte{0xef, 1}).Choose(sim.SiteDuplicate, 5))
}

func TestTrailsDiverge(t *testing.T) {
	a, b := sim.NewTrail(sim.NewBytes([]byte{1, 2})), sim.NewTrail(sim.NewBytes([]byte{1, 3}))
	for _, trail := range []*sim.Trail{a, b} {
		trail.Choose(sim.SiteDelay, 16)
	}
	require.Empty(t, a.Diverges(b))
	a.Choose(sim.SiteExecute, 8)
	require.Equal(t, "decision 1: 2 decisions, then 1", a.Diverges(b))
	b.Choose(sim.SiteExecute, 8)
	require.Equal(t, "decision 1: execute 2 of 8, then execute 3 of 8", a.Diverges(b))
}

// drawn lets rapid choose, so that what it finds shrinks to few decisions.
type drawn struct{ t *rapid.T }

func (d drawn) Choose(site sim.Site, n int) int {
	return rapid.IntRange(0, n-1).Draw(d.t, site.String())
}

// TestChoosersStayInBounds lets each kind of chooser decide a world in which nobody does anything but the faults.
func TestChoosersStayInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		choosers := []sim.Chooser{
			drawn{t}, sim.NewBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")),
		}
		for _, c := range choosers {
			w, err := sim.New(sim.Config{Chooser: c, Faults: sim.AllFaults})
			require.NoError(t, err)
			for range 30 {
				w.Step()
			}
			w.Close()
		}
	})
}
