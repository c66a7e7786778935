package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// Error is what calls fail with, except that a missing key is [ErrNotFound] itself.
// Only the fields that its code names are set. Immutable.
type Error struct {
	Code Code
	// Op names the call that failed, as "commit" or "raw put".
	Op string
	// Outcome is what became of the write: Aborted (NotApplied) for whatever writes
	// nothing. See [OutcomeOf].
	Outcome Outcome
	// Text says more in a few words, without keys or values.
	Text string

	// Argument names what is wrong with a call (ErrMisuse, ErrTooLarge): "context",
	// "key", "value", "range", "limit", "timestamp", …
	Argument string
	// Size and Limit, in bytes, belong to ErrTooLarge.
	Size, Limit int

	// Key is the key on which a transaction failed (ErrConflict, ErrKeyExists),
	// nil when TiKV did not name it. It never appears in the text.
	Key []byte
	// StartTS is the transaction's start, ConflictTS and ConflictCommitTS are start
	// and commit of the transaction that it met (ErrConflict).
	StartTS, ConflictTS, ConflictCommitTS ports.Timestamp
	// Keys says for each key of a raw batch what became of it, in key order.
	Keys []KeyOutcome

	// Runs is how often Update has run the transaction.
	Runs int
	// Attempts counts the requests that were answered with a region error or not at
	// all; Last are the newest of them, oldest first.
	Attempts int
	Last     []FailedAttempt
	// Fault and Cause are what the last of them met; Detail says more about Cause.
	Fault  ports.FaultKind
	Cause  ports.CauseKind
	Detail string

	// Err is the cause with which the context ended, or an adapter's own error; nil
	// when there is none.
	Err error

	retryable bool
	// timedOut: the deadline has passed, be it the context's or the default one.
	timedOut bool
}

// FailedAttempt is one request that a store did not serve.
type FailedAttempt struct {
	Store ports.StoreID
	// Fault is the region error, or none when Cause says why no answer came.
	Fault ports.FaultKind
	Cause ports.CauseKind
}

// KeyOutcome says what became of one key of a raw batch.
type KeyOutcome struct {
	Key     []byte
	Outcome Outcome
}

// Error implements error. The text is short and free of keys and values.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("tikvx: ")
	b.WriteString(e.Op)
	b.WriteString(": ")
	b.WriteString(e.Code.text())
	if e.Argument != "" {
		b.WriteString(" (" + e.Argument + ")")
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Code == ErrTooLarge {
		b.WriteString(": " + strconv.Itoa(e.Size) + " bytes, limit " + strconv.Itoa(e.Limit))
	}
	if e.Runs > 1 {
		b.WriteString("; ran " + strconv.Itoa(e.Runs) + " times")
	}
	e.writeAttempts(&b)
	if e.Outcome == Unknown {
		b.WriteString("; outcome unknown")
	}
	return b.String()
}

func (e *Error) writeAttempts(b *strings.Builder) {
	if e.Attempts > 0 {
		b.WriteString("; " + strconv.Itoa(e.Attempts) + " failed attempts")
	}
	for i, a := range e.Last {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		b.WriteString(separator + a.String())
	}
	if e.Detail != "" {
		b.WriteString("; last: " + e.Detail)
	}
}

// String implements [fmt.Stringer].
func (a FailedAttempt) String() string {
	why := causeText(a.Cause)
	if a.Fault != ports.FaultNone {
		why = faultText(a.Fault)
	}
	return "store " + strconv.FormatUint(uint64(a.Store), 10) + " " + why
}

// Is makes errors.Is match an error with its code, and with the context's error
// when that is what ended the call.
func (e *Error) Is(target error) bool {
	if code, ok := target.(Code); ok {
		return e.Code == code || e.Code.Is(code)
	}
	switch target {
	case context.DeadlineExceeded:
		return e.timedOut
	case context.Canceled:
		return e.Code == ErrCancelled
	}
	return false
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Retryable reports what [Retryable] reports of this error.
func (e *Error) Retryable() bool { return Retryable(e) }

// refused describes a call that was refused before anything was sent.
func refused(op string, code Code, argument, text string) *Error {
	return &Error{Code: code, Op: op, Outcome: NotApplied, Argument: argument, Text: text}
}

func misuse(op, argument, text string) *Error { return refused(op, ErrMisuse, argument, text) }

var faultTexts = [ports.FaultKinds]string{
	ports.FaultNone:                  "served",
	ports.FaultOther:                 "unknown region error",
	ports.FaultNotLeader:             "not leader",
	ports.FaultRegionNotFound:        "region not found",
	ports.FaultKeyNotInRegion:        "key not in region",
	ports.FaultEpochNotMatch:         "epoch not match",
	ports.FaultServerIsBusy:          "server is busy",
	ports.FaultStaleCommand:          "stale command",
	ports.FaultStoreNotMatch:         "store not match",
	ports.FaultRaftEntryTooLarge:     "raft entry too large",
	ports.FaultMaxTimestampNotSynced: "max timestamp not synced",
	ports.FaultReadIndexNotReady:     "read index not ready",
	ports.FaultProposalInMergingMode: "proposal in merging mode",
	ports.FaultDataIsNotReady:        "data is not ready",
	ports.FaultRegionNotInitialized:  "region not initialized",
	ports.FaultDiskFull:              "disk full",
	ports.FaultRecoveryInProgress:    "recovery in progress",
	ports.FaultFlashbackInProgress:   "flashback in progress",
	ports.FaultFlashbackNotPrepared:  "flashback not prepared",
	ports.FaultIsWitness:             "is witness",
	ports.FaultMismatchPeerID:        "mismatched peer id",
	ports.FaultBucketVersionNotMatch: "bucket version not match",
	ports.FaultUndeterminedResult:    "undetermined result",
}

func faultText(f ports.FaultKind) string {
	if int(f) < len(faultTexts) {
		return faultTexts[f]
	}
	return faultTexts[ports.FaultOther]
}

func causeText(c ports.CauseKind) string {
	switch c {
	case ports.CauseNone:
		return "no cause"
	case ports.CauseTimeout:
		return "timeout"
	case ports.CauseConnection:
		return "connection failed"
	case ports.CauseClosed:
		return "closed"
	case ports.CauseMalformed:
		return "malformed answer"
	case ports.CauseRejected:
		return "call rejected"
	case ports.CauseNotFound:
		return "not known to PD"
	case ports.CauseHung:
		return "hung"
	}
	return "unknown cause"
}
