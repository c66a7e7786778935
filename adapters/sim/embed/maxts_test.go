package embed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/ports"
)

// A read at a timestamp that PD cannot have given out fails at once: no later attempt could fare better.
func TestReadsBeyondPDFailAtOnce(t *testing.T) {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	defer w.Close()
	db, _, err := embed.Tasks(w, "reader", 1)
	require.NoError(t, err)
	far := w.Reserve(1) + ports.ComposeTimestamp(time.Hour.Milliseconds(), 0)
	var took time.Duration
	w.Go("reader", func(*sim.Task) {
		ctx, cancel := embed.Context(w, 10*time.Second)
		defer cancel()
		began := w.Now()
		_, err = db.SnapshotAt(far).Get(ctx, []byte("k"))
		took = w.Now().Sub(began)
		require.NoError(t, db.Close(ctx))
	})
	w.Run(w.Now().Add(time.Minute), nil)
	require.Error(t, err)
	require.Less(t, took, 100*time.Millisecond)
}
