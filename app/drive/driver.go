package drive

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// ErrClosed is returned for operations on a driver that is closing, and for those
// that Close gave up.
var ErrClosed = errors.New("client is closed")

// BrokenError reports a machine that broke one of its own invariants: a bug. The
// operation ends there; nothing is known about what it had sent.
type BrokenError struct {
	// Machine is what the machine said about itself, without keys or values.
	Machine string
	// Panic is what it panicked with.
	Panic string
	// Committing: a request that can decide a commit had been submitted, so that
	// the outcome of the transaction is unknown.
	Committing bool
}

// Error implements error.
func (e *BrokenError) Error() string { return "internal error in " + e.Machine + ": " + e.Panic }

// Config is what a driver needs. Ports must be safe for concurrent use unless the
// host is direct.
type Config struct {
	Network   ports.Network
	Oracle    ports.Oracle
	Placement ports.Placement
	Timers    ports.Timers
	// Observer watches; nil means nobody does.
	Observer ports.Observer
	Knobs    sm.Knobs
	// Seed is the origin of all randomness: equal seeds give equal sequences.
	Seed uint64
	// Logger is told about broken invariants; nil means silence.
	Logger *slog.Logger
	// Visitor counts visited transitions; nil in production. It is called from
	// every goroutine that runs machines.
	Visitor sm.Visitor
	Host    Host
	// LetPanic lets a machine's panic through, for tests and simulated runs.
	LetPanic bool
}

// Driver runs machines. Safe for concurrent use, unless the host is direct.
type Driver struct{ cfg Config }

// New starts a driver. The network must not have been watched before.
func New(cfg Config) *Driver { return &Driver{cfg: cfg} }

// Close refuses new operations with [ErrClosed] and waits for those that run, also
// those that were handed over. When ctx is done first, callers that still wait get
// ErrClosed and hosted operations are dropped where they are; then Close returns
// the context's error. No goroutine of the driver outlives Close. What the ports
// post afterwards is ignored. The ports are not closed. A second Close returns
// ErrClosed at once.
func (d *Driver) Close(ctx context.Context) error { return nil }

// Now returns the present instant of the host's clock.
func (d *Driver) Now() ports.Instant { return d.cfg.Timers.Now() }

// Deadline returns the instant at which ctx ends, or, when it has no deadline, the
// one that is fallback away.
func (d *Driver) Deadline(ctx context.Context, fallback time.Duration) ports.Instant { return 0 }

// Clock returns the client's low-resolution timestamp with the instant of its
// arrival; zero before the first.
func (d *Driver) Clock() sm.Clock { return sm.Clock{} }

// Draw returns the next number of the driver's seeded sequence.
func (d *Driver) Draw() uint64 { return 0 }

// Sleep waits on the host's clock. It returns the context's error when ctx is done
// first, and [ErrClosed] when the driver is closed first.
func (d *Driver) Sleep(ctx context.Context, pause time.Duration) error { return nil }
