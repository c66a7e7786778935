package jobqueue

import (
	"context"
	"flag"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/simtest"
)

var rewrite = flag.Bool("rewrite", false, "shrink the bugs as far as they go and rewrite their transcripts")

// outside is a queue that looks for the next job before it begins the transaction in which it takes it: whoever took
// it in between is overwritten.
type outside struct{ *Queue }

func (q outside) Claim(ctx context.Context, worker string) (job Job, ok bool, err error) {
	err = q.db.View(ctx, func(ctx context.Context, s *tikvx.Snapshot) error {
		if job, ok, err = claimed(ctx, s, worker); ok || err != nil {
			return err
		}
		job, ok, err = first(ctx, s)
		return err
	})
	if !ok || err != nil {
		return job, false, err
	}
	err = q.db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error { return take(tx, worker, job) })
	return job, err == nil, err
}

// hopeful is a queue that takes an unknown outcome for success.
type hopeful struct{ *Queue }

func (q hopeful) Claim(ctx context.Context, worker string) (job Job, ok bool, err error) {
	if job, ok, err = q.Queue.Claim(ctx, worker); tikvx.OutcomeOf(err) == tikvx.Unknown {
		return job, job.ID != "", nil
	}
	return job, ok, err
}

// lossy is the cluster where only messages are lost: the fewer things can go wrong, the shorter is the story of what
// did.
var lossy = sim.Config{Splits: cluster.Splits, Faults: sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost)}

// What the tests of the queue are worth: each of these bugs is found within a few seeds, found again with the same
// seed, and repeated by the transcript to which it was shrunk. The transcripts in testdata were written by the
// searches.
func TestBugsAreFound(t *testing.T) {
	for name, wrong := range map[string]func(*Queue) source{
		"outside": func(q *Queue) source { return outside{q} },
		"hopeful": func(q *Queue) source { return hopeful{q} },
	} {
		t.Run(name, func(t *testing.T) {
			broken := func(w *simtest.World, db *tikvx.Client) { q := New(db); emptied(w, q, wrong(q)) }
			correct := func(w *simtest.World, db *tikvx.Client) { q := New(db); emptied(w, q, q) }
			found := search(t, broken)
			t.Logf("found with seed %#x: %s", found.Transcript.Seed, found.Failures[0])
			again := simtest.Try(t, lossy, found.Transcript.Seed, broken)
			require.Equal(t, found.Hash, again.Hash)
			require.Equal(t, found.Failures, again.Failures)

			file := filepath.Join("testdata", "bugs", name+".log")
			runs := 60
			if *rewrite {
				runs = 1000
			}
			small := simtest.Shrink(t, lossy, found.Transcript, runs, broken)
			require.Less(t, small.Len(), found.Transcript.Len())
			if *rewrite {
				require.NoError(t, small.Write(file))
			}

			committed, err := simtest.ReadTranscript(file)
			require.NoError(t, err)
			replayed := simtest.Replay(t, lossy, committed, broken)
			require.True(t, replayed.Failed(), "the client asks the cluster other things now: run the test with -rewrite")
			require.Equal(t, "check", replayed.Failures[0].Kind)
			require.Less(t, committed.Len(), 30)
			require.Empty(t, simtest.Replay(t, lossy, committed, correct).Failures)
		})
	}
}

// search runs seeds until one fails.
func search(t *testing.T, test simtest.Test) *simtest.Result {
	for seed := range uint64(100) {
		if r := simtest.Try(t, lossy, seed, test); r.Failed() {
			return r
		}
	}
	require.Fail(t, "no seed has found it")
	return nil
}
