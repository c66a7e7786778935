package txn

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The pause before run n (from 1) is drawn from [0, base·2ⁿ⁻¹), at most from
// [0, cap): transactions that met in a conflict must not meet again, and the winner
// needs no time to speak of (TiDB: pkg/kv/txn.go).
const (
	retryBase = time.Millisecond
	retryCap  = 100 * time.Millisecond
)

// Retry is the policy of a transaction that is run again when it met a conflict.
// The zero value is ready; one Retry serves all runs of one transaction.
type Retry struct {
	runs int
}

// Next says whether a run that ended as o is worth another one, and after which
// pause. Nothing is run again after Unknown, nor past the deadline.
func (r *Retry) Next(o *Outcome, now, deadline ports.Instant, rnd *sm.Rand) (pause time.Duration, again bool) {
	if o.Kind != Aborted || !Retryable(&o.Failure) {
		return 0, false
	}
	limit := retryCap
	if r.runs < 16 {
		limit = min(limit, retryBase<<r.runs)
	}
	r.runs++
	pause = time.Duration(rnd.Below(uint64(limit)))
	if now.Add(pause) >= deadline {
		return 0, false
	}
	return pause, true
}

// Retryable reports whether a failure is worth another run of the transaction
// from its beginning. It says nothing of the outcome.
func Retryable(f *sm.Failure) bool {
	switch f.Code {
	case sm.FailConflict, sm.FailTxnAborted, sm.FailTxnTooOld:
		return true
	case sm.FailNone, sm.FailCancelled, sm.FailDeadline, sm.FailLost, sm.FailRejected, sm.FailKeyExists,
		sm.FailUnsupported, sm.FailMisuse, sm.FailProtocol:
	}
	return false
}
