package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

func TestCodes(t *testing.T) {
	texts := map[string]bool{}
	for c := ErrNotFound; c < numCodes; c++ {
		require.NotEmpty(t, c.text())
		require.False(t, texts[c.text()], "two codes say %q", c.text())
		texts[c.text()] = true
		require.ErrorIs(t, fmt.Errorf("wrapped: %w", c), c)
		require.ErrorIs(t, &Error{Code: c}, c)
	}
	require.Equal(t, "tikvx: key not found", ErrNotFound.Error())
	require.Equal(t, "tikvx: invalid code", numCodes.Error())
	require.NotErrorIs(t, ErrConflict, ErrKeyExists)
	for _, special := range []Code{ErrFinished, ErrConcurrentUse} {
		require.ErrorIs(t, special, ErrMisuse)
		require.ErrorIs(t, &Error{Code: special}, ErrMisuse)
		require.NotErrorIs(t, ErrMisuse, special)
	}
}

// Every failure of core becomes an error with a code, a text and an answer to what
// is to be done.
func TestFailures(t *testing.T) {
	for code := sm.FailNone; int(code) < len(codes); code++ {
		e := failed(t.Context(), "get", NotApplied, nil, &sm.Failure{Code: code})
		require.NotZero(t, e.Code, "failure code %d", code)
		require.ErrorIs(t, e, e.Code)
		require.Equal(t, code == sm.FailDeadline, errors.Is(e, context.DeadlineExceeded))
		require.Equal(t, code == sm.FailCancelled, errors.Is(e, context.Canceled))
		require.Equal(t, txn.Retryable(&sm.Failure{Code: code}), Retryable(e))
		require.Equal(t, NotApplied, OutcomeOf(e))
	}
}

func TestFailureTellsWhatWasTried(t *testing.T) {
	f := sm.Failure{Code: sm.FailDeadline, Fault: ports.FaultServerIsBusy,
		Cause: ports.Cause{Kind: ports.CauseConnection, Text: "refused"}}
	for i := range 6 {
		a := sm.Attempt{Store: ports.StoreID(i), Fault: ports.FaultNotLeader}
		if i%2 == 0 {
			a = sm.Attempt{Store: ports.StoreID(i), Cause: ports.CauseConnection}
		}
		f.History.Add(a)
	}
	e := failed(t.Context(), "commit", Unknown, nil, &f)
	require.Equal(t, 6, e.Attempts)
	require.Equal(t, ports.FaultServerIsBusy, e.Fault)
	require.Equal(t, ports.CauseConnection, e.Cause)
	require.Equal(t, "tikvx: commit: unavailable: deadline passed; 6 failed attempts: store 2 connection failed, "+
		"store 3 not leader, store 4 connection failed, store 5 not leader; last: refused; outcome unknown", e.Error())
}

// Keys and values stay in fields that no text shows.
func TestErrorsAreRedacted(t *testing.T) {
	const secret = "secret-key"
	k := &ports.KeyError{
		Kind: ports.KeyWriteConflict, Text: "conflict on " + secret, Key: []byte(secret), Primary: []byte(secret),
		StartTS: 1, ConflictTS: 2, ConflictCommitTS: 3,
	}
	e := failed(t.Context(), "commit", Aborted, nil, &sm.Failure{Code: sm.FailConflict, KeyError: k})
	e.Keys = []KeyOutcome{{Key: []byte(secret), Outcome: Applied}}
	require.Equal(t, secret, string(e.Key))
	require.Equal(t, []ports.Timestamp{1, 2, 3}, []ports.Timestamp{e.StartTS, e.ConflictTS, e.ConflictCommitTS})
	for _, text := range []string{e.Error(), fmt.Sprint(e), fmt.Sprintf("%+v", e), fmt.Sprintf("%q", e)} {
		require.NotContains(t, text, secret)
		require.NotContains(t, text, fmt.Sprint([]byte(secret)))
	}
	require.Less(t, len(e.Error()), 200)
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		want string
		err  *Error
	}{
		{"tikvx: put: misuse (key): empty", misuse("put", "key", "empty")},
		{"tikvx: put: too large (entry): 7 bytes, limit 5", tooLarge("put", "entry", 7, 5)},
		{"tikvx: get: client closed", refused("get", ErrClosed, "", "")},
		{
			"tikvx: update: write conflict; ran 3 times",
			&Error{Code: ErrConflict, Op: "update", Outcome: Aborted, Runs: 3},
		},
		{
			"tikvx: raw put: rejected: ttl is not enabled",
			&Error{Code: ErrRejected, Op: "raw put", Outcome: NotApplied, Text: "ttl is not enabled"},
		},
		{
			"tikvx: commit: internal error: failed without saying why",
			failed(t.Context(), "commit", Aborted, nil, &sm.Failure{}),
		},
		{"tikvx: scan: invalid code", &Error{Op: "scan", Outcome: Aborted}},
		{"tikvx: commit: transaction has ended; outcome unknown", &Error{Code: ErrFinished, Op: "commit"}},
		{
			"tikvx: get: unavailable; 1 failed attempts: store 9 no cause",
			&Error{Code: ErrUnavailable, Op: "get", Outcome: Aborted, Attempts: 1, Last: []FailedAttempt{{Store: 9}}},
		},
	} {
		require.Equal(t, tt.want, tt.err.Error())
	}
}

func TestFaultsAndCausesHaveTexts(t *testing.T) {
	for f := range ports.FaultKinds {
		require.NotEmpty(t, faultText(ports.FaultKind(f)), "fault %d", f)
	}
	require.Equal(t, "unknown region error", faultText(250))
	seen := map[string]bool{}
	for c := ports.CauseNone; c <= ports.CauseHung; c++ {
		seen[causeText(c)] = true
	}
	require.Len(t, seen, int(ports.CauseHung)+1)
	require.Equal(t, "unknown cause", causeText(250))
}

// What the driver answers instead of the machine.
func TestDriverErrors(t *testing.T) {
	e := broken(t.Context(), "get", NotApplied, drive.ErrClosed)
	require.ErrorIs(t, e, ErrClosed)

	bug := &drive.BrokenError{Machine: "read.Get(reading)", Panic: "index out of range"}
	e = broken(t.Context(), "get", NotApplied, bug)
	require.ErrorIs(t, e, ErrInternal)
	require.ErrorIs(t, e, error(bug))
	require.Contains(t, e.Error(), "read.Get(reading)")

	other := errors.New("other")
	require.ErrorIs(t, broken(t.Context(), "get", NotApplied, other), other)
}

func TestContextErrors(t *testing.T) {
	why := errors.New("user went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	e := failed(ctx, "get", NotApplied, nil, &sm.Failure{Code: sm.FailCancelled})
	require.ErrorIs(t, e, ErrCancelled)
	require.ErrorIs(t, e, context.Canceled)
	require.ErrorIs(t, e, why)
	require.NotErrorIs(t, e, context.DeadlineExceeded)

	ctx, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelLate()
	for _, e := range []*Error{
		failed(ctx, "get", NotApplied, nil, &sm.Failure{Code: sm.FailCancelled}),
		broken(ctx, "get", NotApplied, ctx.Err()),
	} {
		require.ErrorIs(t, e, ErrUnavailable)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		require.NotErrorIs(t, e, context.Canceled)
	}
}

func TestOutcomeOf(t *testing.T) {
	aborted := &Error{Code: ErrConflict, Outcome: Aborted, retryable: true}
	unknown := &Error{Code: ErrUnavailable, Outcome: Unknown, retryable: true}
	committed := &Error{Code: ErrFinished, Outcome: Committed}
	foreign := errors.New("not enough money")
	for _, tt := range []struct {
		err   error
		want  Outcome
		retry bool
	}{
		{nil, Committed, false},
		{aborted, Aborted, true},
		{unknown, Unknown, false},
		{committed, Committed, false},
		{foreign, Aborted, false},
		{ErrNotFound, Aborted, false},
		{fmt.Errorf("wrapped: %w", unknown), Unknown, false},
		{fmt.Errorf("wrapped: %w", aborted), Aborted, true},
		{errors.Join(foreign, aborted), Aborted, true},
		{errors.Join(aborted, unknown), Unknown, false},
		{errors.Join(aborted, committed), Unknown, false},
		{errors.Join(foreign, committed), Unknown, false},
		{hollow{}, Aborted, false},
		{list{}, Aborted, false},
		{list{nil}, Aborted, false},
		{list{nil, unknown}, Unknown, false},
		{list{nil, aborted}, Aborted, true},
	} {
		require.Equal(t, tt.want, OutcomeOf(tt.err), "%v", tt.err)
		require.Equal(t, tt.retry, Retryable(tt.err), "%v", tt.err)
	}
	require.True(t, aborted.Retryable())
	require.False(t, unknown.Retryable())
}

// hollow is an error that wraps nothing after all.
type hollow struct{}

func (hollow) Error() string { return "hollow" }
func (hollow) Unwrap() error { return nil }

// list is an error of errors that may be none, which package errors never makes.
type list []error

func (list) Error() string     { return "list" }
func (l list) Unwrap() []error { return l }

func TestOutcomesOfCore(t *testing.T) {
	require.Equal(t, []Outcome{Unknown, Committed, Aborted, Unknown},
		[]Outcome{commitOutcome(txn.Unknown), commitOutcome(txn.Committed), commitOutcome(txn.Aborted), commitOutcome(9)})
	require.Equal(t, []Outcome{NotApplied, Applied, Unknown, Unknown},
		[]Outcome{rawOutcome(raw.NotApplied), rawOutcome(raw.Applied), rawOutcome(raw.Unknown), rawOutcome(9)})
	require.Equal(t, "unknown committed aborted invalid", strings.Join([]string{
		Unknown.String(), Committed.String(), Aborted.String(), Outcome(9).String()}, " "))
	require.Equal(t, "nothing to commit, two-phase, invalid",
		fmt.Sprintf("%v, %v, %v", NothingToCommit, TwoPhase, CommitMode(9)))
}
