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

const (
	jobs    = 12
	workers = 3
)

// cluster is what the queue is tested on: the regions meet within the keys, and everything can go wrong.
var cluster = sim.Config{
	Splits: [][]byte{[]byte("claim/"), []byte("job/06"), []byte("pending/"), []byte("pending/08")},
	Faults: sim.AllFaults,
}

func TestEachJobIsDoneOnce(t *testing.T) {
	simtest.Run(t, cluster, func(w *simtest.World, db *tikvx.Client) { emptied(w, New(db), New(db)) })
}

// emptied lets a producer and workers, which know the queue as source, use the queue under faults, and checks what is
// left.
func emptied(w *simtest.World, queue *Queue, source source) {
	for i := range jobs / 2 {
		w.NoErr(queue.Add(w.Context(), number(i)))
	}
	w.Go("producer", func(ctx context.Context) error {
		for i := range jobs {
			if err := insist(ctx, func(ctx context.Context) error { return queue.Add(ctx, number(i)) }); err != nil {
				return err
			}
		}
		return nil
	})
	did := map[string]int{}
	do := func(worker string) func(Job) {
		return func(job Job) {
			w.Logf("%s does %s", worker, job.ID)
			did[job.ID]++
		}
	}
	for i := range workers {
		name := fmt.Sprint("worker-", i)
		w.Go(name, func(ctx context.Context) error { return Work(ctx, source, name, do(name)) })
	}
	w.Wait()
	w.NoErr(Work(w.Context(), source, "last", do("last"))) // what the producer added when the workers had left

	for i := range jobs {
		require.Equal(w, 1, did[number(i).ID], "how often %s was done", number(i).ID)
	}
	pending, claimed, done, err := queue.Count(w.Context())
	w.NoErr(err)
	require.Equal(w, []int{0, 0, jobs}, []int{pending, claimed, done})
}

// Whatever two messages are lost.
func TestAJobIsDoneOnceWhateverIsLost(t *testing.T) {
	bounds := sim.Bounds{Sites: []sim.Site{sim.SiteRequestLost, sim.SiteReplyLost}, Depth: 40, Most: 2}
	simtest.Exhaust(t, lossy, bounds, func(w *simtest.World, db *tikvx.Client) {
		queue, did := New(db), 0
		w.NoErr(queue.Add(w.Context(), Job{ID: "only", Payload: []byte("dig")}))
		w.Go("ada", func(ctx context.Context) error {
			return Work(ctx, queue, "ada", func(Job) { did++ })
		})
		w.Wait()
		require.Equal(w, 1, did)
	})
}

// The outcome of a claim whose answer is lost is found out by claiming again.
func TestTheAnswerToAClaimIsLost(t *testing.T) {
	simtest.Run(t, sim.Config{}, func(w *simtest.World, db *tikvx.Client) {
		queue := New(db)
		w.NoErr(queue.Add(w.Context(), number(1)))
		w.Script("lose-reply verb=Commit primary times=100")
		ctx, cancel := context.WithTimeout(w.Context(), callTimeout)
		defer cancel()
		_, ok, err := queue.Claim(ctx, "ada")
		require.Equal(w, tikvx.Unknown, tikvx.OutcomeOf(err))
		require.False(w, ok)
		w.Do(func(world *sim.World) { world.Heal() })
		got, ok, err := queue.Claim(w.Context(), "ada")
		w.NoErr(err)
		require.True(w, ok)
		require.Equal(w, number(1), got)
		_, ok, err = queue.Claim(w.Context(), "bob")
		w.NoErr(err)
		require.False(w, ok)
	})
}

func number(i int) Job {
	return Job{ID: fmt.Sprintf("%02d", i), Payload: []byte(fmt.Sprint("payload ", i))}
}
