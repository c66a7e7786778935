package txn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestCancelSaysWhatWasTried: a context's deadline is a cancel, and whoever reads the
// error wants to know on what the time was spent.
func TestCancelSaysWhatWasTried(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		kind   OutcomeKind
		fault  ports.FaultKind
		tried  int
	}{
		"while grouping": {"regions none\nstart", Aborted, 0, 0},
		"while prewriting": {"start\nprewritten #2\nfault #1 MaxTimestampNotSynced", Aborted,
			ports.FaultMaxTimestampNotSynced, 1},
		"while a lock is in the way": {
			"start\nprewritten #1 locked a<p@T10\npresent #3 T20\nfault #4 MaxTimestampNotSynced", Aborted,
			ports.FaultMaxTimestampNotSynced, 1,
		},
		"while the oracle is silent": {"start\nprewritten #1\nprewritten #2\nrefused #4 connection", Aborted, 0, 1},
		"before the commit point": {
			"start\nprewritten #1\nprewritten #2\npresent #4 T1010\nfault #5 MaxTimestampNotSynced", Aborted,
			ports.FaultMaxTimestampNotSynced, 1,
		},
		"after the commit point": {
			"start\nprewritten #1\nprewritten #2\npresent #4 T1010\nfault #5 StaleCommand\ntimer #6", Unknown,
			ports.FaultStaleCommand, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(params(view(t, "put a 1", "put z 2")))
			p.script(t, c.script+"\ncancel")
			o := p.c.Outcome()
			require.Equal(t, c.kind, o.Kind)
			require.Equal(t, sm.FailCancelled, o.Failure.Code)
			require.Equal(t, c.fault, o.Failure.Fault)
			require.Equal(t, c.tried, o.Failure.History.Count)
		})
	}
}
