package simtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
)

// counting increments a counter from several tasks, some of which sleep to the same instants.
func counting(w *World, db *app.Client) {
	const tasks, rounds = 4, 5
	key := []byte("counter")
	w.NoErr(db.Update(w.Context(), func(_ context.Context, tx *app.Txn) error { return tx.Put(key, make([]byte, 8)) }))
	sure, unsure := 0, 0
	for i := range tasks {
		w.Go(fmt.Sprint("task-", i), func(ctx context.Context) error {
			for range rounds {
				time.Sleep(10 * time.Millisecond)
				err := db.Update(ctx, func(ctx context.Context, tx *app.Txn) error {
					v, err := tx.Get(ctx, key)
					if err != nil {
						return err
					}
					return tx.Put(key, binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(v)+1))
				})
				switch {
				case err == nil:
					sure++
				case app.OutcomeOf(err) == app.Unknown:
					unsure++
				}
			}
			return nil
		})
	}
	w.Wait()
	s, err := db.Snapshot(w.Context())
	w.NoErr(err)
	v, err := s.Get(w.Context(), key)
	w.NoErr(err)
	n := int(binary.BigEndian.Uint64(v))
	require.GreaterOrEqual(w, n, sure)
	require.LessOrEqual(w, n, sure+unsure)
}

func TestRunsRepeat(t *testing.T) {
	hashes := map[uint64]bool{}
	var counts sim.Counts
	for seed := range uint64(10) {
		one := Try(t, sim.Config{Faults: sim.AllFaults}, seed, counting)
		require.Empty(t, one.Failures, "seed %d", seed)
		again := Try(t, sim.Config{Faults: sim.AllFaults}, seed, counting)
		require.Equal(t, one.Hash, again.Hash, "seed %d", seed)
		replayed := Replay(t, sim.Config{Faults: sim.AllFaults}, one.Transcript, counting)
		require.Equal(t, one.Hash, replayed.Hash, "seed %d", seed)
		hashes[one.Hash] = true
		counts.Add(&one.Counts)
	}
	require.Len(t, hashes, 10, "seeds differ")
	require.NotZero(t, counts[sim.FaultRequestLost]+counts[sim.FaultReplyLost])
}
