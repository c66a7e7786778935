package run_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/tests/simrun/run"
)

const hashes = "testdata/hashes.txt"

// TestHashes holds the first seeds against the runs that they were when the file was
// written: whoever changes what a client or the simulator does sees it here, and
// writes the file anew with UPDATE_HASHES=1, saying why.
func TestHashes(t *testing.T) {
	var lines []string
	for seed := uint64(1); seed <= 20; seed++ {
		r := run.Seed(seed, nil)
		require.Empty(t, r.Wrong, "seed %d", seed)
		lines = append(lines, fmt.Sprintf("%d %s %d %016x", seed, r.Workload, r.Events, r.Hash))
	}
	got := strings.Join(lines, "\n") + "\n"
	if os.Getenv("UPDATE_HASHES") == "1" {
		require.NoError(t, os.WriteFile(hashes, []byte(got), 0o644))
	}
	want, err := os.ReadFile(hashes)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestTwice runs a seed of each workload two times.
func TestTwice(t *testing.T) {
	for seed := uint64(101); seed <= 107; seed++ {
		require.Empty(t, run.Twice(seed), "seed %d", seed)
	}
}

// TestCoverage shows that runs count what they meet, and tell what longer ones met besides.
func TestCoverage(t *testing.T) {
	var sum run.Report
	for seed := uint64(1); seed <= 7; seed++ {
		sum.Add(run.Seed(seed, nil))
	}
	require.NotEmpty(t, sum.Triples.Unreached())
	require.Contains(t, sum.Triples.String(), "txn.Commit/deciding Reply\n")
	require.Less(t, len(sum.Marks.Missing()), run.NumMarks/2)
	var none run.Marks
	require.Len(t, none.Missing(), run.NumMarks)
	require.Greater(t, sum.Needed.Requests, 2*sum.Needed.Txns)
}

// TestTraceChangesNothing shows that a run is the same with and without its trace,
// and that the trace is the same every time.
func TestTraceChangesNothing(t *testing.T) {
	var first, second bytes.Buffer
	a, b := run.Seed(3, &first), run.Seed(3, &second)
	require.Equal(t, run.Seed(3, nil).Hash, a.Hash)
	require.Equal(t, a.Hash, b.Hash)
	require.NotZero(t, first.Len())
	require.Equal(t, first.String(), second.String())
}
