package txn

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Retry is the policy of a transaction that is run again when it met a conflict.
// The zero value is ready; one Retry serves all runs of one transaction.
type Retry struct {
	runs int
}

// Next says whether a run that ended as o is worth another one, and after which
// pause. Nothing is run again after Unknown, nor past the deadline.
func (r *Retry) Next(o *Outcome, now, deadline ports.Instant, rnd *sm.Rand) (pause time.Duration, again bool) {
	return 0, false
}

// Retryable reports whether a failure is worth another run of the transaction
// from its beginning. It says nothing of the outcome.
func Retryable(f *sm.Failure) bool { return false }
