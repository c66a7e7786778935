package app

import (
	"context"
	"time"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/core/sm"
)

// Raw is a view of the raw keys of a cluster: single keys without transactions. A key
// is read back as soon as its write was answered; writes of several keys are not
// atomic. Immutable; safe for concurrent use.
//
// What became of a write that failed is told by [OutcomeOf]: [Applied],
// [NotApplied] or [Unknown]. Puts and deletes whose answer was lost are sent again
// until the deadline, since twice is as good as once.
type Raw struct {
	client   *Client
	settings rawSettings
}

type rawSettings struct {
	options raw.Options
}

// Raw returns a view of the raw keys.
func (c *Client) Raw(opts ...RawOption) *Raw { return (&Raw{client: c}).With(opts...) }

// With returns a view that differs in the given options.
func (r *Raw) With(opts ...RawOption) *Raw {
	view := &Raw{client: r.client, settings: r.settings}
	for _, o := range opts {
		o.applyRaw(&view.settings)
	}
	return view
}

// ColumnFamily selects the column family: "default", "lock" or "write". The default
// is the first.
func ColumnFamily(name string) RawOption { return columnFamily(name) }

type columnFamily string

func (o columnFamily) applyRaw(s *rawSettings) { s.options.CF = string(o) }

// Atomic makes single writes linearizable with the swaps of the same keys, at the
// price of a latch in TiKV. Swaps are refused on a view without it, since the writes
// of that view could slip between their comparison and their write; DeleteRange,
// which takes no latch, is refused on a view with it.
func Atomic() RawOption { return atomicOption{} }

type atomicOption struct{}

func (atomicOption) applyRaw(s *rawSettings) { s.options.ForCAS = true }

// PutOption shapes a raw write.
type PutOption interface{ applyPut(*putSettings) }

type putSettings struct{ ttl time.Duration }

// TTL lets a pair live for d, rounded up to seconds. The default, 0, is for ever; d
// must not be negative. TiKV must run with enable-ttl.
func TTL(d time.Duration) PutOption { return ttlOption(d) }

type ttlOption time.Duration

func (o ttlOption) applyPut(s *putSettings) { s.ttl = time.Duration(o) }

// Get returns the value of a key, [ErrNotFound] when it is absent. An empty value is
// not nil.
func (r *Raw) Get(ctx context.Context, key []byte) ([]byte, error) {
	const op = "raw get"
	if err := r.ready(ctx, op, key); err != nil {
		return nil, err
	}
	o := r.client.rawPoints.Op()
	o.Machine.InitGet(key, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	value, found := o.Machine.Value()
	err := readError(ctx, op, run, o.Machine.Failure(), found)
	o.Release()
	if err != nil {
		return nil, err
	}
	return present(value), nil
}

// TTL returns how long a key has yet to live, 0 when that is for ever, [ErrNotFound]
// when the key is absent.
func (r *Raw) TTL(ctx context.Context, key []byte) (time.Duration, error) {
	const op = "raw ttl"
	if err := r.ready(ctx, op, key); err != nil {
		return 0, err
	}
	o := r.client.rawPoints.Op()
	o.Machine.InitTTL(key, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	seconds, found := o.Machine.TTL()
	err := readError(ctx, op, run, o.Machine.Failure(), found)
	o.Release()
	if err != nil {
		return 0, err
	}
	return time.Duration(seconds) * time.Second, nil
}

// Put sets a key. The value may be empty.
func (r *Raw) Put(ctx context.Context, key, value []byte, opts ...PutOption) error {
	const op = "raw put"
	if err := r.ready(ctx, op, key); err != nil {
		return err
	}
	seconds, err := putTTL(op, opts)
	if err != nil {
		return err
	}
	o := r.client.rawPoints.Op()
	o.Machine.InitPut(key, value, seconds, r.settings.options, r.client.deadline(ctx))
	return writePoint(ctx, op, o)
}

// Delete removes a key, whether it is there or not.
func (r *Raw) Delete(ctx context.Context, key []byte) error {
	const op = "raw delete"
	if err := r.ready(ctx, op, key); err != nil {
		return err
	}
	o := r.client.rawPoints.Op()
	o.Machine.InitDelete(key, r.settings.options, r.client.deadline(ctx))
	return writePoint(ctx, op, o)
}

// writePoint runs a write and releases it.
func writePoint(ctx context.Context, op string, o *drive.Op[raw.Point]) error {
	run := o.Run(ctx)
	err := pointError(ctx, op, run, &o.Machine)
	o.Release()
	return err
}

func pointError(ctx context.Context, op string, run error, m *raw.Point) error {
	f := m.Failure()
	switch {
	case run != nil:
		return failed(ctx, op, Unknown, run, f)
	case f.Failed():
		return failed(ctx, op, rawOutcome(m.Outcome()), nil, f)
	}
	return nil
}

// readError returns why a read of one key failed, nil if it did not.
func readError(ctx context.Context, op string, run error, f *sm.Failure, found bool) error {
	switch {
	case run != nil || f.Failed():
		return failed(ctx, op, NotApplied, run, f)
	case !found:
		return ErrNotFound
	}
	return nil
}

// ready checks a call with one key before anything is sent.
func (r *Raw) ready(ctx context.Context, op string, key []byte) error {
	if err := r.client.ready(ctx, op, rawKeys); err != nil {
		return err
	}
	return r.client.checkKey(op, key)
}

// putTTL returns the life in seconds that the options of a write ask for.
func putTTL(op string, opts []PutOption) (uint64, error) {
	if len(opts) == 0 {
		return 0, nil
	}
	var s putSettings
	for _, o := range opts {
		o.applyPut(&s)
	}
	return seconds(op, s.ttl)
}

// seconds rounds a life up to what TiKV counts in.
func seconds(op string, ttl time.Duration) (uint64, error) {
	if ttl < 0 {
		return 0, misuse(op, "ttl", "negative")
	}
	whole := uint64(ttl / time.Second)
	if ttl%time.Second > 0 {
		whole++
	}
	return whole, nil
}

// present makes the value of a key that is there distinct from nil.
func present(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
