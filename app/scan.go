package app

import (
	"bytes"
	"context"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// ScanOption shapes a scan; see [Snapshot.Scan], [Txn.Scan] and [Raw.Scan].
type ScanOption interface{ applyScan(*scanSettings) }

type scanSettings struct {
	rng               ports.KeyRange
	limit             int
	limited           bool
	reverse, keysOnly bool
}

// Range bounds a scan to the keys from start on and before end. An empty start is
// the first key, an empty end means no upper bound; that is also the default. An end
// before the start is [ErrMisuse].
func Range(start, end []byte) ScanOption {
	return rangeOption{bytes.Clone(start), bytes.Clone(end)}
}

// Prefix bounds a scan to the keys that begin with prefix.
func Prefix(prefix []byte) ScanOption {
	return rangeOption{bytes.Clone(prefix), key.PrefixEnd(prefix)}
}

type rangeOption ports.KeyRange

func (o rangeOption) applyScan(s *scanSettings) { s.rng = ports.KeyRange(o) }

// Limit ends a scan after n pairs. The default is no limit; n must be positive.
func Limit(n int) ScanOption { return limitOption(n) }

type limitOption int

func (o limitOption) applyScan(s *scanSettings) { s.limit, s.limited = int(o), true }

// Reverse scans from the end of the range to its start.
func Reverse() ScanOption { return reverseOption{} }

type reverseOption struct{}

func (reverseOption) applyScan(s *scanSettings) { s.reverse = true }

// KeysOnly leaves values nil, and on the stores.
func KeysOnly() ScanOption { return keysOnlyOption{} }

type keysOnlyOption struct{}

func (keysOnlyOption) applyScan(s *scanSettings) { s.keysOnly = true }

// pager reads pages for a scan.
type pager interface {
	// page reads the next at most limit pairs of s.rest, and moves on with s.left.
	page(ctx context.Context, s *scan, limit int) ([]ports.KV, error)
	// check says why the scan cannot go on although its page is not used up.
	check(op string) error
}

// scan is one loop over a range.
type scan struct {
	op       string
	pages    pager
	settings scanSettings
	// pageLimit is the number of pairs that a page may have.
	pageLimit int
	// rest is what no page has covered yet, if more says that there is something.
	rest ports.KeyRange
	more bool
}

// begin applies and checks the options.
func (s *scan) begin(c *Client, opts []ScanOption) error {
	for _, o := range opts {
		o.applyScan(&s.settings)
	}
	rng := s.settings.rng
	switch {
	case s.settings.limited && s.settings.limit <= 0:
		return misuse(s.op, "limit", "not positive")
	case len(rng.End) > 0 && bytes.Compare(rng.Start, rng.End) > 0:
		return misuse(s.op, "range", "end before start")
	}
	s.pageLimit, s.rest, s.more = c.settings.knobs.ScanPage, rng, !rng.Empty()
	return nil
}

// run yields the union of the view and the pages until the range, the limit or the
// caller's interest ends. No page is read before it is needed, so that leaving the
// loop leaves nothing behind.
func (s *scan) run(ctx context.Context, view *buffer.View, yield func(KV, error) bool) {
	if !s.more {
		return
	}
	var union buffer.Overlay
	if s.settings.reverse {
		union.InitDescending(view, s.rest)
	} else {
		union.InitAscending(view, s.rest)
	}
	for n := 0; !s.settings.limited || n < s.settings.limit; {
		pair, want := union.Next()
		switch want {
		case buffer.WantEnd:
			return
		case buffer.WantPage:
			page, err := s.next(ctx, n)
			if err != nil {
				yield(KV{}, err)
				return
			}
			union.Feed(page, s.more)
		case buffer.WantNothing:
			n++
			if err := s.pages.check(s.op); err != nil {
				yield(KV{}, err)
				return
			}
			if !yield(s.pair(pair, union.FromView()), nil) {
				return
			}
		}
	}
}

// next reads a page, no longer than what the limit leaves after n pairs.
func (s *scan) next(ctx context.Context, n int) ([]ports.KV, error) {
	limit := s.pageLimit
	if s.settings.limited {
		limit = min(limit, s.settings.limit-n)
	}
	return s.pages.page(ctx, s, limit)
}

// left notes what a page has left of the range, in memory of its own: what the
// machine says may share memory with the pairs, which become the caller's.
func (s *scan) left(rest ports.KeyRange, more bool) {
	s.rest, s.more = ports.KeyRange{Start: bytes.Clone(rest.Start), End: bytes.Clone(rest.End)}, more
}

// pair makes a pair the caller's own: what comes from the buffer is copied.
func (s *scan) pair(kv ports.KV, fromView bool) KV {
	out := KV{Key: kv.Key}
	if !s.settings.keysOnly {
		out.Value = present(kv.Value)
	}
	if fromView {
		out.Key, out.Value = bytes.Clone(out.Key), bytes.Clone(out.Value)
	}
	return out
}
