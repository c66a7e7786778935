package app

import (
	"context"
	"errors"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// failed translates what became of an operation that did not succeed: an error of
// the driver, or else the machine's failure.
func failed(ctx context.Context, op string, outcome Outcome, run error, f *sm.Failure) *Error {
	if run != nil {
		return broken(ctx, op, outcome, run)
	}
	e := &Error{
		Code: codes[f.Code], Op: op, Outcome: outcome, Text: f.Text,
		Attempts: f.History.Count, Last: lastAttempts(&f.History),
		Fault: f.Fault, Cause: f.Cause.Kind, Detail: f.Cause.Text,
		retryable: txn.Retryable(f),
	}
	e.byKey(f.KeyError)
	switch f.Code {
	case sm.FailCancelled:
		e.ended(ctx)
	case sm.FailDeadline:
		e.Text, e.timedOut = "deadline passed", true
	case sm.FailLost:
		e.Text = "no answer to a request that must not be repeated"
	case sm.FailNone:
		e.Text = "failed without saying why"
	case sm.FailRejected, sm.FailConflict, sm.FailKeyExists, sm.FailTxnAborted, sm.FailTxnTooOld,
		sm.FailUnsupported, sm.FailMisuse, sm.FailProtocol:
	}
	return e
}

var codes = [...]Code{
	sm.FailNone:        ErrInternal,
	sm.FailCancelled:   ErrCancelled,
	sm.FailDeadline:    ErrUnavailable,
	sm.FailLost:        ErrUnavailable,
	sm.FailRejected:    ErrRejected,
	sm.FailConflict:    ErrConflict,
	sm.FailKeyExists:   ErrKeyExists,
	sm.FailTxnAborted:  ErrTxnAborted,
	sm.FailTxnTooOld:   ErrTxnTooOld,
	sm.FailUnsupported: ErrUnsupported,
	sm.FailMisuse:      ErrMisuse,
	sm.FailProtocol:    ErrProtocol,
}

// broken translates an error of the driver: the client was closed, the host's wait
// ended, or a machine broke an invariant.
func broken(ctx context.Context, op string, outcome Outcome, run error) *Error {
	e := &Error{Code: ErrInternal, Op: op, Outcome: outcome}
	var invariant *drive.BrokenError
	switch {
	case errors.Is(run, drive.ErrClosed):
		e.Code = ErrClosed
	case errors.As(run, &invariant):
		e.Text = "invariant broken in " + invariant.Machine
		e.Err = invariant
	case ctx.Err() != nil:
		e.ended(ctx)
	default:
		e.Err = run
	}
	return e
}

// ended makes the end of the context the reason: its deadline makes the cluster
// unavailable, anything else is the caller's wish.
func (e *Error) ended(ctx context.Context) {
	e.Err = context.Cause(ctx)
	e.Code, e.Text = ErrCancelled, "context cancelled"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Code, e.Text, e.timedOut = ErrUnavailable, "deadline passed", true
	}
}

// byKey takes over what TiKV said about a key, except its text, which may contain
// the key.
func (e *Error) byKey(k *ports.KeyError) {
	if k == nil {
		return
	}
	e.Key = k.Key
	e.StartTS, e.ConflictTS, e.ConflictCommitTS = k.StartTS, k.ConflictTS, k.ConflictCommitTS
}

func lastAttempts(h *sm.History) []FailedAttempt {
	var last []FailedAttempt
	for i := max(0, h.Count-sm.HistorySize); i < h.Count; i++ {
		a := h.Last[i%sm.HistorySize]
		last = append(last, FailedAttempt{Store: a.Store, Fault: a.Fault, Cause: a.Cause})
	}
	return last
}

func commitOutcome(kind txn.OutcomeKind) Outcome {
	switch kind {
	case txn.Unknown:
		return Unknown
	case txn.Committed:
		return Committed
	case txn.Aborted:
		return Aborted
	}
	return Unknown
}

func rawOutcome(o raw.Outcome) Outcome {
	switch o {
	case raw.NotApplied:
		return NotApplied
	case raw.Applied:
		return Applied
	case raw.Unknown:
		return Unknown
	}
	return Unknown
}
