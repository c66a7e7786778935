package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

// TestSafePointsAreWatched: a run in which the GC safe point passes a lock is a wrong one.
func TestSafePointsAreWatched(t *testing.T) {
	w, err := sim.New(sim.Config{Chooser: sim.Boring{}})
	require.NoError(t, err)
	defer w.Close()
	o := observe(w)
	w.Engine().PutLock([]byte("k"), mvcc.Lock{StartTS: 5, Kind: ports.KindPut})
	c := w.Client("c")
	for _, kind := range []ports.AdminKind{ports.AdminAdvanceTxnSafePoint, ports.AdminAdvanceGCSafePoint} {
		req := &ports.AdminRequest{Kind: kind, Keyspace: ports.NullKeyspace, TS: 5}
		c.Administer(req, ports.Never, ports.Tok{}, make(porttest.Mailbox, 1))
		w.Run(w.Now().Add(time.Second), nil)
	}
	require.Len(t, o.invariants.Wrong(), 1)
}
