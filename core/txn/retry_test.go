package txn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

func TestRetryable(t *testing.T) {
	for code := sm.FailNone; code <= sm.FailProtocol; code++ {
		want := code == sm.FailConflict || code == sm.FailTxnAborted || code == sm.FailTxnTooOld
		require.Equal(t, want, Retryable(&sm.Failure{Code: code}), code)
	}
	require.False(t, Retryable(&sm.Failure{Code: sm.FailProtocol + 1}))
}

func TestRetryNext(t *testing.T) {
	rnd := sm.NewRand(1)
	conflict := sm.Failure{Code: sm.FailConflict}
	for _, c := range []struct {
		name     string
		outcome  Outcome
		deadline ports.Instant
		again    bool
	}{
		{"a conflict", Outcome{Kind: Aborted, Failure: conflict}, ports.Never, true},
		{"success", Outcome{Kind: Committed}, ports.Never, false},
		{"never after unknown, whatever the failure", Outcome{Kind: Unknown, Failure: conflict}, ports.Never, false},
		{"not what would fail again", Outcome{Kind: Aborted, Failure: sm.Failure{Code: sm.FailKeyExists}}, ports.Never,
			false},
		{"not past the deadline", Outcome{Kind: Aborted, Failure: conflict}, 10, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Retry
			_, again := r.Next(&c.outcome, 10, c.deadline, &rnd)
			require.Equal(t, c.again, again)
		})
	}
}

// TestRetryPauses: pauses are spread below 1, 2, 4, … 100 ms.
func TestRetryPauses(t *testing.T) {
	rnd := sm.NewRand(1)
	o := Outcome{Kind: Aborted, Failure: sm.Failure{Code: sm.FailConflict}}
	longest := [40]time.Duration{}
	for range 200 {
		var r Retry
		for run := range longest {
			pause, again := r.Next(&o, 0, ports.Never, &rnd)
			require.True(t, again)
			longest[run] = max(longest[run], pause)
		}
	}
	for run, pause := range longest {
		limit := retryCap
		if run < 7 {
			limit = time.Millisecond << run
		}
		require.Less(t, pause, limit, run)
		require.Greater(t, pause, limit*9/10, run)
	}
}
