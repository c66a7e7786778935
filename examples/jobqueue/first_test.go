package jobqueue

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/simtest"
)

func TestTwoWorkersShareTheJobs(t *testing.T) {
	simtest.Run(t, sim.Config{Faults: sim.AllFaults}, func(w *simtest.World, db *tikvx.Client) {
		queue := New(db)
		for i := range 10 {
			w.NoErr(queue.Add(w.Context(), Job{ID: fmt.Sprint(i), Payload: []byte("dig")}))
		}
		did := map[string]int{}
		for _, name := range []string{"ada", "bob"} {
			w.Go(name, func(ctx context.Context) error {
				return Work(ctx, queue, name, func(job Job) { did[job.ID]++ })
			})
		}
		w.Wait()
		for i := range 10 {
			require.Equal(w, 1, did[fmt.Sprint(i)], "job %d", i)
		}
	})
}
