package tikvx

import (
	"context"
	"log/slog"
	"time"

	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// What a program holds.
type (
	// Client is one program's access to one cluster; see [app.Client].
	Client = app.Client
	// Txn is an optimistic transaction; see [app.Txn].
	Txn = app.Txn
	// Savepoint is a moment to which a transaction can be rolled back; see
	// [app.Savepoint].
	Savepoint = app.Savepoint
	// Snapshot is the data as it was at one timestamp; see [app.Snapshot].
	Snapshot = app.Snapshot
	// Raw is a view of the raw keys; see [app.Raw].
	Raw = app.Raw
)

// What calls return.
type (
	// KV is a key with its value; see [app.KV].
	KV = app.KV
	// Pairs is what a batch read has found; see [app.Pairs].
	Pairs = app.Pairs
	// Timestamp is a timestamp of PD's oracle; see [ports.Timestamp].
	Timestamp = ports.Timestamp
	// Commit is what a committed transaction is told; see [app.Commit].
	Commit = app.Commit
	// CommitMode is how a transaction was committed; see [app.CommitMode].
	CommitMode = app.CommitMode
	// Swap is the result of a compare-and-swap; see [app.Swap].
	Swap = app.Swap
	// Outcome says what became of a write; see [app.Outcome].
	Outcome = app.Outcome
	// Error is what calls fail with; see [app.Error].
	Error = app.Error
	// Code says what kind of failure an error is; see [app.Code].
	Code = app.Code
	// FailedAttempt is one request that a store did not serve; see
	// [app.FailedAttempt].
	FailedAttempt = app.FailedAttempt
	// KeyOutcome says what became of one key of a raw batch; see [app.KeyOutcome].
	KeyOutcome = app.KeyOutcome
	// Usage is what a client holds in memory; see [app.Usage].
	Usage = app.Usage
)

// What shapes things.
type (
	// ClientOption shapes a client; see [app.ClientOption].
	ClientOption = app.ClientOption
	// TxnOption shapes a transaction; see [app.TxnOption].
	TxnOption = app.TxnOption
	// SnapshotOption shapes a snapshot; see [app.SnapshotOption].
	SnapshotOption = app.SnapshotOption
	// ReadOption shapes whatever reads at a timestamp; see [app.ReadOption].
	ReadOption = app.ReadOption
	// PriorityOption is valid for everything that sends requests; see
	// [app.PriorityOption].
	PriorityOption = app.PriorityOption
	// ScanOption shapes a scan; see [app.ScanOption].
	ScanOption = app.ScanOption
	// RawOption shapes a raw view; see [app.RawOption].
	RawOption = app.RawOption
	// PutOption shapes a raw write; see [app.PutOption].
	PutOption = app.PutOption
	// Limits bound what is written; see [app.Limits].
	Limits = app.Limits
	// TLS names the files of certificates; see [app.TLS].
	TLS = app.TLS
	// Observer watches a client; see [ports.Observer].
	Observer = ports.Observer
	// Attempt describes one request to an observer; see [ports.Attempt].
	Attempt = ports.Attempt
)

// The kinds of failure; see [app.Code].
const (
	ErrNotFound      = app.ErrNotFound
	ErrConflict      = app.ErrConflict
	ErrKeyExists     = app.ErrKeyExists
	ErrTxnAborted    = app.ErrTxnAborted
	ErrTxnTooOld     = app.ErrTxnTooOld
	ErrTooLarge      = app.ErrTooLarge
	ErrMisuse        = app.ErrMisuse
	ErrConcurrentUse = app.ErrConcurrentUse
	ErrFinished      = app.ErrFinished
	ErrClosed        = app.ErrClosed
	ErrCancelled     = app.ErrCancelled
	ErrUnavailable   = app.ErrUnavailable
	ErrUnsupported   = app.ErrUnsupported
	ErrRejected      = app.ErrRejected
	ErrProtocol      = app.ErrProtocol
	ErrInternal      = app.ErrInternal
)

// The outcomes of a write; see [app.Outcome].
const (
	Unknown    = app.Unknown
	Committed  = app.Committed
	Aborted    = app.Aborted
	Applied    = app.Applied
	NotApplied = app.NotApplied
)

// The ways to commit; see [app.CommitMode].
const (
	NothingToCommit = app.NothingToCommit
	TwoPhase        = app.TwoPhase
)

// DefaultTimeout is the time that a call has when its context has no deadline.
const DefaultTimeout = app.DefaultTimeout

// MaxTimestamp asks [Snapshot.Get] for the newest version; see [ports.MaxTimestamp].
const MaxTimestamp = ports.MaxTimestamp

// Open connects to the cluster whose PD listens at the endpoints (host:port, or http
// and https URLs). It fails with an error that names the endpoints, within ctx, or
// within the default timeout when ctx has no deadline: [ErrMisuse] when there is none or
// one is malformed, [ErrUnavailable] when none answers. Close the client in the end.
func Open(ctx context.Context, endpoints []string, opts ...ClientOption) (*Client, error) {
	return app.Open(ctx, func(ctx context.Context, c app.Connection) (app.Ports, error) {
		return connect(ctx, endpoints, c)
	}, opts...)
}

// OutcomeOf returns what became of the write that ended with err; see
// [app.OutcomeOf].
func OutcomeOf(err error) Outcome { return app.OutcomeOf(err) }

// Retryable reports whether it is safe and worth it to try again; see
// [app.Retryable].
func Retryable(err error) bool { return app.Retryable(err) }

// WithTLS encrypts the connections; see [app.WithTLS].
func WithTLS(files TLS) ClientOption { return app.WithTLS(files) }

// WithLogger lets the client log; see [app.WithLogger].
func WithLogger(l *slog.Logger) ClientOption { return app.WithLogger(l) }

// WithObserver names who watches the client; see [app.WithObserver].
func WithObserver(o Observer) ClientOption { return app.WithObserver(o) }

// WithDefaultTimeout bounds calls whose context has no deadline; see
// [app.WithDefaultTimeout].
func WithDefaultTimeout(d time.Duration) ClientOption { return app.WithDefaultTimeout(d) }

// WithLimits bounds what is written; see [app.WithLimits].
func WithLimits(l Limits) ClientOption { return app.WithLimits(l) }

// HighPriority asks the stores to schedule requests before others; see
// [app.HighPriority].
func HighPriority() PriorityOption { return app.HighPriority() }

// LowPriority asks the stores to schedule requests after others; see
// [app.LowPriority].
func LowPriority() PriorityOption { return app.LowPriority() }

// NotFillCache keeps what is read out of the stores' caches; see [app.NotFillCache].
func NotFillCache() ReadOption { return app.NotFillCache() }

// RequestSource labels requests in TiKV's accounting; see [app.RequestSource].
func RequestSource(label string) ReadOption { return app.RequestSource(label) }

// Range bounds a scan to the keys from start on and before end; see [app.Range].
func Range(start, end []byte) ScanOption { return app.Range(start, end) }

// Prefix bounds a scan to the keys that begin with prefix; see [app.Prefix].
func Prefix(prefix []byte) ScanOption { return app.Prefix(prefix) }

// Limit ends a scan after n pairs; see [app.Limit].
func Limit(n int) ScanOption { return app.Limit(n) }

// Reverse scans from the end of the range to its start; see [app.Reverse].
func Reverse() ScanOption { return app.Reverse() }

// KeysOnly leaves values on the stores; see [app.KeysOnly].
func KeysOnly() ScanOption { return app.KeysOnly() }

// ColumnFamily selects a column family of raw keys; see [app.ColumnFamily].
func ColumnFamily(name string) RawOption { return app.ColumnFamily(name) }

// Atomic makes raw writes linearizable with swaps; see [app.Atomic].
func Atomic() RawOption { return app.Atomic() }

// TTL lets a raw pair live for d; see [app.TTL].
func TTL(d time.Duration) PutOption { return app.TTL(d) }
