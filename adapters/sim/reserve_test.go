package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// TestReserve: batches of timestamps do not overlap, and none crosses a millisecond.
func TestReserve(t *testing.T) {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	defer w.Close()
	last := ports.Timestamp(0)
	for _, n := range []int{1, 1 << 17, 1 << 17, 1 << 17, 2, 1<<18 - 1, 1<<18 - 1} {
		ts := w.Reserve(n)
		first := ts - ports.Timestamp(n-1)
		require.Greater(t, first, last)
		require.Equal(t, ts.Physical(), first.Physical())
		last = ts
	}
	require.Zero(t, w.Reserve(0))
	require.Zero(t, w.Reserve(1<<18))
}
