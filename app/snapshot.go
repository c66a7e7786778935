package app

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/read"
	"github.com/tikvx/tikvx/ports"
)

// Snapshot is the transactional data of a cluster as it was at one timestamp. TiKV
// keeps it readable until the garbage collector's safe point passes the timestamp.
// Immutable; safe for concurrent use.
type Snapshot struct {
	client  *Client
	ts      ports.Timestamp
	options readSettings
}

// Snapshot returns a snapshot at the present timestamp.
func (c *Client) Snapshot(ctx context.Context, opts ...SnapshotOption) (*Snapshot, error) {
	const op = "snapshot"
	if err := c.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	ts, err := c.timestamp(ctx, op, c.deadline(ctx))
	if err != nil {
		return nil, err
	}
	return c.SnapshotAt(ts, opts...), nil
}

// SnapshotAt returns the snapshot at a timestamp. A commit is seen from its own
// timestamp on. At [ports.MaxTimestamp] only Get is allowed; it reads the newest
// version, without asking PD for a timestamp first. Timestamps at which nothing can
// be read are refused by the reads.
func (c *Client) SnapshotAt(ts ports.Timestamp, opts ...SnapshotOption) *Snapshot {
	s := &Snapshot{client: c, ts: ts}
	for _, o := range opts {
		o.applySnapshot(&s.options)
	}
	return s
}

// View calls fn with a snapshot at the present timestamp and returns fn's error as it
// is.
func (c *Client) View(ctx context.Context, fn func(context.Context, *Snapshot) error, opts ...SnapshotOption) error {
	if fn == nil {
		return misuse("view", "function", "nil")
	}
	s, err := c.Snapshot(ctx, opts...)
	if err != nil {
		return err
	}
	return fn(ctx, s)
}

// TS returns the snapshot's timestamp.
func (s *Snapshot) TS() ports.Timestamp { return s.ts }

// Get returns the value of a key, [ErrNotFound] when it is absent.
func (s *Snapshot) Get(ctx context.Context, key []byte) ([]byte, error) {
	const op = "get"
	if err := s.client.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	if err := s.client.checkKey(op, key); err != nil {
		return nil, err
	}
	if !s.ts.Readable() {
		return nil, unreadable(op)
	}
	return s.get(ctx, op, key)
}

func (s *Snapshot) get(ctx context.Context, op string, key []byte) ([]byte, error) {
	o := s.client.gets.Op()
	o.Machine.Init(key, s.ts, s.options.read(), s.client.deadline(ctx))
	run := o.Run(ctx)
	value, found := o.Machine.Value()
	var err error
	if f := o.Machine.Failure(); run != nil || f.Failed() {
		err = failed(ctx, op, NotApplied, run, f)
	} else if !found {
		err = ErrNotFound
	}
	o.Release()
	if err != nil {
		return nil, err
	}
	return value, nil
}

// BatchGet returns the values of many keys. Absent keys have no pair in the result.
// It fails as a whole or not at all.
func (s *Snapshot) BatchGet(ctx context.Context, keys [][]byte) (Pairs, error) {
	const op = "batch get"
	if err := s.client.ready(ctx, op, txnKeys); err != nil {
		return nil, err
	}
	if !s.ts.Readable() || s.ts == ports.MaxTimestamp {
		return nil, unreadable(op)
	}
	sorted, err := s.client.sortKeys(op, keys)
	if err != nil {
		return nil, err
	}
	return s.batchGet(ctx, op, sorted)
}

func (s *Snapshot) batchGet(ctx context.Context, op string, sorted [][]byte) (Pairs, error) {
	if len(sorted) == 0 {
		return nil, nil
	}
	o := s.client.batchGets.Op()
	o.Machine.Init(sorted, s.ts, s.options.read(), s.client.deadline(ctx))
	run := o.Run(ctx)
	var pairs Pairs
	var err error
	if f := o.Machine.Failure(); run != nil || f.Failed() {
		err = failed(ctx, op, NotApplied, run, f)
	} else {
		pairs = pairsOf(o.Machine.Pairs())
	}
	o.Release()
	return pairs, err
}

// Scan reads a range page by page, in key order, while the loop over it goes on; with
// no option it reads everything. An error is the last thing that it yields. Each loop
// over the result reads anew.
func (s *Snapshot) Scan(ctx context.Context, opts ...ScanOption) iter.Seq2[KV, error] {
	return func(yield func(KV, error) bool) {
		run := scan{op: "scan", pages: s}
		if err := s.begin(ctx, &run, opts); err != nil {
			yield(KV{}, err)
			return
		}
		var nothing buffer.View
		run.run(ctx, &nothing, yield)
	}
}

// begin checks a scan before anything is sent.
func (s *Snapshot) begin(ctx context.Context, run *scan, opts []ScanOption) error {
	if err := s.client.ready(ctx, run.op, txnKeys); err != nil {
		return err
	}
	if !s.ts.Readable() || s.ts == ports.MaxTimestamp {
		return unreadable(run.op)
	}
	return run.begin(s.client, opts)
}

// page implements pager.
func (s *Snapshot) page(ctx context.Context, run *scan, limit int) ([]ports.KV, error) {
	o := s.client.pages.Op()
	o.Machine.Init(run.rest, s.ts, limit, run.settings.reverse, run.settings.keysOnly, s.options.read(),
		s.client.deadline(ctx))
	ran := o.Run(ctx)
	var pairs []ports.KV
	var err error
	if f := o.Machine.Failure(); ran != nil || f.Failed() {
		err = failed(ctx, run.op, NotApplied, ran, f)
	} else {
		pairs = o.Machine.Pairs()
		run.left(o.Machine.Next())
	}
	o.Release()
	return pairs, err
}

// check implements pager: a snapshot never ends.
func (s *Snapshot) check(string) error { return nil }

func (s *readSettings) read() read.Options {
	return read.Options{Priority: s.priority, NotFillCache: s.notFillCache, RequestSource: s.source}
}

func unreadable(op string) error { return misuse(op, "timestamp", "nothing can be read at it") }

// sortKeys returns the distinct keys in order, in memory of their own.
func (c *Client) sortKeys(op string, keys [][]byte) ([][]byte, error) {
	size := 0
	for _, k := range keys {
		if err := c.checkKey(op, k); err != nil {
			return nil, err
		}
		size += len(k)
	}
	memory := make([]byte, 0, size)
	sorted := make([][]byte, len(keys))
	for i, k := range keys {
		from := len(memory)
		memory = append(memory, k...)
		sorted[i] = memory[from:len(memory):len(memory)]
	}
	slices.SortFunc(sorted, bytes.Compare)
	return slices.CompactFunc(sorted, bytes.Equal), nil
}
