package app

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Options are values that are fixed when the thing that they shape is made: a
// client, a transaction, a snapshot, a scan, a raw view. Of options that contradict
// each other the last one wins.

// ClientOption shapes a client; see [New].
type ClientOption interface{ applyClient(*clientSettings) }

// TxnOption shapes a transaction; see [Client.Begin] and [Client.Update].
type TxnOption interface{ applyTxn(*Txn) }

// SnapshotOption shapes a snapshot; see [Client.SnapshotAt].
type SnapshotOption interface{ applySnapshot(*readSettings) }

// RawOption shapes a raw view; see [Client.Raw].
type RawOption interface{ applyRaw(*rawSettings) }

// ReadOption shapes whatever reads at a timestamp.
type ReadOption interface {
	TxnOption
	SnapshotOption
}

// PriorityOption is valid for everything that sends requests.
type PriorityOption interface {
	TxnOption
	SnapshotOption
	RawOption
}

// Limits bound in bytes what is written. A zero field means its default.
type Limits struct {
	// Key bounds a key, transactional or raw. The default, 65,535, is also the most;
	// TiKV's own limit (storage.max-key-size) is 8 KiB unless it was raised.
	Key int
	// Entry bounds a key with its value in a transaction. The default is 6 MiB
	// (client-go: TxnEntrySizeLimit); TiKV's raft-entry-max-size is 8 MiB.
	Entry int
	// Txn bounds all entries of a transaction together. The default is 100 MiB
	// (client-go: TxnTotalSizeLimit).
	Txn int
}

func (l *Limits) setDefaults() {
	l.Key = cmp.Or(l.Key, buffer.MaxKeySize)
	l.Entry = cmp.Or(l.Entry, 6<<20)
	l.Txn = cmp.Or(l.Txn, 100<<20)
}

// DefaultTimeout is the time that a call has when its context has no deadline.
const DefaultTimeout = 40 * time.Second

type clientSettings struct {
	connection Connection
	timeout    time.Duration
	limits     Limits
	logger     *slog.Logger
	observer   ports.Observer
	// The rest is for simulated clusters and tests.
	knobs    sm.Knobs
	host     drive.Host
	seed     uint64
	visitor  sm.Visitor
	letPanic bool
}

// settingsOf applies and checks the options of a client.
func settingsOf(opts []ClientOption) (clientSettings, error) {
	const op = "open"
	s := clientSettings{timeout: DefaultTimeout, knobs: sm.DefaultKnobs(), seed: rand.Uint64()}
	for _, o := range opts {
		o.applyClient(&s)
	}
	s.limits.setDefaults()
	switch {
	case s.connection.TLS != nil && !s.connection.TLS.complete():
		return s, misuse(op, "WithTLS", "a file is not named")
	case s.timeout <= 0:
		return s, misuse(op, "WithDefaultTimeout", "not positive")
	case min(s.limits.Key, s.limits.Entry, s.limits.Txn) < 0:
		return s, misuse(op, "WithLimits", "negative")
	case s.limits.Key > buffer.MaxKeySize:
		return s, tooLarge(op, "WithLimits", s.limits.Key, buffer.MaxKeySize)
	}
	return s, nil
}

// WithDefaultTimeout bounds calls whose context has no deadline. The default is
// [DefaultTimeout]; d must be positive.
func WithDefaultTimeout(d time.Duration) ClientOption { return defaultTimeout(d) }

type defaultTimeout time.Duration

func (o defaultTimeout) applyClient(s *clientSettings) { s.timeout = time.Duration(o) }

// WithLimits bounds what is written. The defaults are those of [Limits].
func WithLimits(l Limits) ClientOption { return limitsOption(l) }

type limitsOption Limits

func (o limitsOption) applyClient(s *clientSettings) { s.limits = Limits(o) }

// WithLogger lets the client log. The default is silence. Lost outcomes and locks left
// behind are warnings, broken invariants are errors, everything else is for debugging.
func WithLogger(l *slog.Logger) ClientOption { return loggerOption{l} }

type loggerOption struct{ logger *slog.Logger }

func (o loggerOption) applyClient(s *clientSettings) { s.logger = o.logger }

// WithObserver names who watches the client. The default is nobody.
func WithObserver(o ports.Observer) ClientOption { return observerOption{o} }

type observerOption struct{ observer ports.Observer }

func (o observerOption) applyClient(s *clientSettings) { s.observer = o.observer }

// WithKnobs sets the limits that shape what the client does. The default is
// [sm.DefaultKnobs]. For simulated clusters and tests.
func WithKnobs(k sm.Knobs) ClientOption { return knobsOption(k) }

type knobsOption sm.Knobs

func (o knobsOption) applyClient(s *clientSettings) { s.knobs = sm.Knobs(o) }

// WithHost says how callers wait. The default is that they block their goroutines.
// For simulated clusters.
func WithHost(h drive.Host) ClientOption { return hostOption(h) }

type hostOption drive.Host

func (o hostOption) applyClient(s *clientSettings) { s.host = drive.Host(o) }

// WithSeed fixes the origin of the client's randomness (the jitter of pauses and of
// cache entries). The default is drawn. For simulated clusters.
func WithSeed(seed uint64) ClientOption { return seedOption(seed) }

type seedOption uint64

func (o seedOption) applyClient(s *clientSettings) { s.seed = uint64(o) }

// WithVisitor counts the transitions of all machines. For simulated clusters.
func WithVisitor(v sm.Visitor) ClientOption { return visitorOption{v} }

type visitorOption struct{ visitor sm.Visitor }

func (o visitorOption) applyClient(s *clientSettings) { s.visitor = o.visitor }

// WithPanics lets the panic of a broken invariant through, instead of an
// [ErrInternal]. For simulated clusters and tests.
func WithPanics() ClientOption { return panicsOption{} }

type panicsOption struct{}

func (panicsOption) applyClient(s *clientSettings) { s.letPanic = true }

type readSettings struct {
	priority     ports.Priority
	notFillCache bool
	source       string
}

// HighPriority asks the stores to schedule requests before others. The default is
// normal priority.
func HighPriority() PriorityOption { return priorityOption(ports.PriorityHigh) }

// LowPriority asks the stores to schedule requests after others.
func LowPriority() PriorityOption { return priorityOption(ports.PriorityLow) }

type priorityOption ports.Priority

func (o priorityOption) applyTxn(t *Txn)               { o.applySnapshot(&t.snapshot.options) }
func (o priorityOption) applySnapshot(s *readSettings) { s.priority = ports.Priority(o) }
func (o priorityOption) applyRaw(s *rawSettings)       { s.options.Priority = ports.Priority(o) }

// NotFillCache keeps what is read out of the stores' block caches, as suits scans of
// data that nobody else reads. By default reads fill them.
func NotFillCache() ReadOption { return notFillCache{} }

type notFillCache struct{}

func (o notFillCache) applyTxn(t *Txn)             { o.applySnapshot(&t.snapshot.options) }
func (notFillCache) applySnapshot(s *readSettings) { s.notFillCache = true }

// RequestSource labels requests in TiKV's accounting of resources. The default is no
// label.
func RequestSource(label string) ReadOption { return requestSource(label) }

type requestSource string

func (o requestSource) applyTxn(t *Txn)               { o.applySnapshot(&t.snapshot.options) }
func (o requestSource) applySnapshot(s *readSettings) { s.source = string(o) }
