package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/core/read"
	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// Ports are what a client stands on. All but Close are required, and must be safe
// for concurrent use unless the host says otherwise.
type Ports struct {
	Network   ports.Network
	Oracle    ports.Oracle
	Placement ports.Placement
	Timers    ports.Timers
	// Close, when set, is called once, after the client has ended everything that it
	// runs on the ports.
	Close func()
}

// Client is one program's access to one cluster. It shares nothing with other
// clients. Safe for concurrent use.
//
// Without keyspaces TiKV keeps transactional and raw keys in one space without
// telling them apart, and either kind destroys the other. A client therefore serves
// one of the two: its first use decides, and the other kind is [ErrMisuse] from then
// on.
type Client struct {
	settings clientSettings
	release  func()
	driver   *drive.Driver
	observer ports.Observer
	closed   atomic.Bool
	// keys is the keyKind that the first use settled on.
	keys atomic.Uint32

	timestamps *drive.Pool[read.Timestamp]
	gets       *drive.Pool[read.Get]
	batchGets  *drive.Pool[read.BatchGet]
	pages      *drive.Pool[read.ScanPage]
	commits    *drive.Pool[txn.Commit]

	rawPoints  *drive.Pool[raw.Point]
	rawBatches *drive.Pool[raw.Batch]
	rawRanges  *drive.Pool[raw.DeleteRange]
	rawPages   *drive.Pool[raw.ScanPage]
}

// keyKind is what the keys of a client are.
type keyKind uint32

const (
	anyKeys keyKind = iota
	txnKeys
	rawKeys
)

// New returns a client on the given ports and begins to run on them. It sends
// nothing but what keeps its clock young. Close it.
func New(p Ports, opts ...ClientOption) (*Client, error) {
	s, err := settingsOf(opts)
	switch {
	case err != nil:
		return nil, err
	case s.connection.TLS != nil:
		return nil, misuse("open", "WithTLS", "the ports are connected already")
	}
	return start(p, s)
}

// start begins to run on ports.
func start(p Ports, s clientSettings) (*Client, error) {
	if p.Network == nil || p.Oracle == nil || p.Placement == nil || p.Timers == nil {
		return nil, misuse("open", "ports", "a port is missing")
	}
	c := &Client{settings: s, release: p.Close, observer: s.watcher()}
	c.driver = drive.New(drive.Config{
		Network: p.Network, Oracle: p.Oracle, Placement: p.Placement, Timers: p.Timers,
		Observer: c.observer, Knobs: s.knobs, Seed: s.seed, Logger: s.logger,
		Trouble: s.troubled(), Visitor: s.visitor, Host: s.host, LetPanic: s.letPanic,
	})
	c.open()
	return c, nil
}

func (c *Client) open() {
	transactional, plain := key.Codec{Mode: key.Txn}, key.Codec{Mode: key.Raw}
	c.timestamps = drive.NewPool[read.Timestamp](c.driver, transactional)
	c.gets = drive.NewPool[read.Get](c.driver, transactional)
	c.batchGets = drive.NewPool[read.BatchGet](c.driver, transactional)
	c.pages = drive.NewPool[read.ScanPage](c.driver, transactional)
	c.commits = drive.NewPool[txn.Commit](c.driver, transactional)
	c.rawPoints = drive.NewPool[raw.Point](c.driver, plain)
	c.rawBatches = drive.NewPool[raw.Batch](c.driver, plain)
	c.rawRanges = drive.NewPool[raw.DeleteRange](c.driver, plain)
	c.rawPages = drive.NewPool[raw.ScanPage](c.driver, plain)
}

// Close refuses new calls with [ErrClosed] and waits for those that run, and for
// commits that have answered but still clean up behind themselves. When ctx ends
// first, these are given up where they are: other clients finish them when they meet
// their locks. No goroutine of the client outlives Close. A later Close returns nil
// at once.
func (c *Client) Close(ctx context.Context) error {
	const op = "close"
	if ctx == nil {
		return misuse(op, "context", "nil")
	}
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	err := c.driver.Close(ctx)
	if c.release != nil {
		c.release()
	}
	if err != nil {
		return broken(ctx, op, NotApplied, err)
	}
	return nil
}

// Timestamp returns a timestamp of PD's oracle: greater than those of all commits
// that were answered before, and smaller than those of all that begin later.
func (c *Client) Timestamp(ctx context.Context) (ports.Timestamp, error) {
	const op = "timestamp"
	if err := c.ready(ctx, op, anyKeys); err != nil {
		return 0, err
	}
	return c.timestamp(ctx, op, c.deadline(ctx))
}

func (c *Client) timestamp(ctx context.Context, op string, deadline ports.Instant) (ports.Timestamp, error) {
	o := c.timestamps.Op()
	o.Machine.Init(deadline)
	run := o.Run(ctx)
	ts := o.Machine.TS()
	var err error
	if f := o.Machine.Failure(); run != nil || f.Failed() {
		err = failed(ctx, op, NotApplied, run, f)
	}
	o.Release()
	return ts, err
}

// ready checks what every call checks before it does anything: the context, that
// the client is open, and that it serves the kind of keys.
func (c *Client) ready(ctx context.Context, op string, kind keyKind) error {
	switch {
	case ctx == nil:
		return misuse(op, "context", "nil")
	case c.closed.Load():
		return refused(op, ErrClosed, "", "")
	case ctx.Err() != nil:
		e := refused(op, ErrCancelled, "", "")
		e.ended(ctx)
		return e
	}
	return c.serve(op, kind)
}

// serve settles on the first use which kind of keys the client has.
func (c *Client) serve(op string, kind keyKind) error {
	if kind == anyKeys || keyKind(c.keys.Load()) == kind || c.keys.CompareAndSwap(0, uint32(kind)) {
		return nil
	}
	if keyKind(c.keys.Load()) == kind {
		return nil
	}
	if kind == rawKeys {
		return misuse(op, "client", "it serves transactional keys")
	}
	return misuse(op, "client", "it serves raw keys")
}

func (c *Client) deadline(ctx context.Context) ports.Instant {
	return c.driver.Deadline(ctx, c.settings.timeout)
}

// committed tells the observer of a commit.
func (c *Client) committed(outcome Outcome, keys int, elapsed time.Duration) {
	if c.observer != nil {
		c.observer.OnCommit(outcome.String(), keys, elapsed)
	}
}

// checkKey refuses what no key can be.
func (c *Client) checkKey(op string, k []byte) error {
	switch {
	case len(k) == 0:
		return misuse(op, "key", "empty")
	case len(k) > c.settings.limits.Key:
		return tooLarge(op, "key", len(k), c.settings.limits.Key)
	}
	return nil
}

func tooLarge(op, argument string, size, limit int) *Error {
	e := refused(op, ErrTooLarge, argument, "")
	e.Size, e.Limit = size, limit
	return e
}
