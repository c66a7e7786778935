package app

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func TestRawPoints(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		_, err := raw.Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		require.NoError(t, raw.Put(t.Context(), b("a"), b("1")))
		v, err := raw.Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "1", string(v))

		require.NoError(t, raw.Put(t.Context(), b("a"), nil))
		v, err = raw.Get(t.Context(), b("a"))
		require.NoError(t, err, "empty is not missing")
		require.NotNil(t, v)
		require.Empty(t, v)
		require.NoError(t, raw.Delete(t.Context(), b("a")))
		require.NoError(t, raw.Delete(t.Context(), b("a")))
		_, err = raw.Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
	})
}

func TestRawTTL(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		_, err := raw.TTL(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		for ttl, want := range map[time.Duration]time.Duration{
			0: 0, time.Nanosecond: time.Second, time.Second: time.Second, 1500 * time.Millisecond: 2 * time.Second,
		} {
			require.NoError(t, raw.Put(t.Context(), b("a"), b("1"), TTL(time.Hour), TTL(ttl)))
			got, err := raw.TTL(t.Context(), b("a"))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		sent := c.count()
		require.ErrorIs(t, raw.Put(t.Context(), b("a"), b("1"), TTL(-1)), ErrMisuse)
		require.ErrorIs(t, raw.BatchPut(t.Context(), []KV{{Key: b("a"), TTL: -1}}), ErrMisuse)
		_, err = raw.With(Atomic()).PutIfAbsent(t.Context(), b("a"), b("1"), TTL(-1))
		require.ErrorIs(t, err, ErrMisuse)
		require.Equal(t, sent, c.count())
	})
}

func TestRawBatches(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		require.NoError(t, raw.BatchPut(t.Context(), []KV{
			{Key: b("b"), Value: b("first"), TTL: time.Minute}, {Key: b("c"), Value: b("3")},
			{Key: b("b"), Value: b("last")}, {Key: b("a")},
		}))
		got, err := raw.BatchGet(t.Context(), keys("x", "c", "b", "a", "b"))
		require.NoError(t, err)
		require.Equal(t, "a= b=last c=3", show(got))
		require.NotNil(t, got[0].Value, "empty is not missing")
		v, err := got.Get(b("b"))
		require.NoError(t, err)
		require.Equal(t, "last", string(v))
		_, err = got.Get(b("x"))
		require.Equal(t, error(ErrNotFound), err)
		ttl, err := raw.TTL(t.Context(), b("b"))
		require.NoError(t, err)
		require.Zero(t, ttl, "the last pair of a key has no ttl")

		require.NoError(t, raw.BatchDelete(t.Context(), keys("b", "x", "b")))
		got, err = raw.BatchGet(t.Context(), keys("a", "b", "c"))
		require.NoError(t, err)
		require.Equal(t, "a= c=3", show(got))

		sent := c.count()
		require.NoError(t, raw.BatchPut(t.Context(), nil))
		require.NoError(t, raw.BatchDelete(t.Context(), nil))
		got, err = raw.BatchGet(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
		require.ErrorIs(t, raw.BatchPut(t.Context(), []KV{{Key: b("a")}, {}}), ErrMisuse)
		require.ErrorIs(t, raw.BatchDelete(t.Context(), keys("a", "")), ErrMisuse)
		_, err = raw.BatchGet(t.Context(), [][]byte{bytes.Repeat(b("k"), 1<<16)})
		require.ErrorIs(t, err, ErrTooLarge)
		require.Equal(t, sent, c.count())
	})
}

func TestRawRanges(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		for i := range 10 {
			require.NoError(t, raw.Put(t.Context(), b("d%d", i), b("%d", i)))
		}
		require.NoError(t, raw.Put(t.Context(), b("e"), nil))
		for _, tt := range []struct {
			want string
			opts []ScanOption
		}{
			{"d0=0 d1=1 d2=2 d3=3 d4=4 d5=5 d6=6 d7=7 d8=8 d9=9 e=", nil},
			{"d8=8 d9=9", []ScanOption{Range(b("d8"), b("e"))}},
			{"e d9 d8 d7", []ScanOption{Reverse(), KeysOnly(), Limit(4)}},
			{"d3=3 d2=2", []ScanOption{Reverse(), Range(b("d2"), b("d4"))}},
			{"misuse (range)", []ScanOption{Range(b("d2"), b("d1"))}},
			{"misuse (limit)", []ScanOption{Limit(0)}},
		} {
			require.Equal(t, tt.want, collect(raw.Scan(t.Context(), tt.opts...)))
		}
		require.NoError(t, raw.DeleteRange(t.Context(), b("d2"), b("d9")))
		require.Equal(t, "d0 d1 d9 e", collect(raw.Scan(t.Context(), KeysOnly())))

		sent := c.count()
		require.NoError(t, raw.DeleteRange(t.Context(), b("d"), b("d")))
		require.ErrorIs(t, raw.DeleteRange(t.Context(), b("e"), b("d")), ErrMisuse)
		require.ErrorIs(t, raw.With(Atomic()).DeleteRange(t.Context(), b("d"), b("e")), ErrMisuse)
		require.Equal(t, sent, c.count())
		require.NoError(t, raw.DeleteRange(t.Context(), b("d9"), nil))
		require.Equal(t, "d0 d1", collect(raw.Scan(t.Context(), KeysOnly())))
	}, smallPages())
}

func TestRawSwaps(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw(Atomic())
		swap, err := raw.CompareAndSwap(t.Context(), b("a"), nil, b("1"))
		require.NoError(t, err)
		require.Equal(t, Swap{}, swap, "an absent key is not an empty value")
		swap, err = raw.PutIfAbsent(t.Context(), b("a"), b(""), TTL(time.Minute))
		require.NoError(t, err)
		require.Equal(t, Swap{Swapped: true}, swap)
		swap, err = raw.PutIfAbsent(t.Context(), b("a"), b("2"))
		require.NoError(t, err)
		require.Equal(t, Swap{Previous: []byte{}}, swap)
		swap, err = raw.CompareAndSwap(t.Context(), b("a"), nil, b("2"))
		require.NoError(t, err)
		require.Equal(t, Swap{Swapped: true, Previous: []byte{}}, swap)
		swap, err = raw.CompareAndDelete(t.Context(), b("a"), b("3"))
		require.NoError(t, err)
		require.Equal(t, Swap{Previous: b("2")}, swap)
		swap, err = raw.CompareAndDelete(t.Context(), b("a"), b("2"))
		require.NoError(t, err)
		require.Equal(t, Swap{Swapped: true, Previous: b("2")}, swap)
		_, err = raw.Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)

		sent := c.count()
		_, err = db.Raw().CompareAndSwap(t.Context(), b("a"), nil, b("1"))
		require.ErrorIs(t, err, ErrMisuse)
		_, err = raw.CompareAndSwap(t.Context(), nil, nil, b("1"))
		require.ErrorIs(t, err, ErrMisuse)
		require.Equal(t, sent, c.count())
	})
}

// A swap whose answer is lost is sent once; puts are sent until they are answered.
func TestRawLosses(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw(Atomic())
		c.on(ports.VerbRawCompareAndSwap, replyLost)
		_, err := raw.PutIfAbsent(t.Context(), b("a"), b("1"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, Unknown, OutcomeOf(err))
		require.False(t, Retryable(err))
		require.Equal(t, 1, c.count(ports.VerbRawCompareAndSwap))

		c.on(ports.VerbRawPut, requestLost)
		err = raw.Put(t.Context(), b("a"), b("1"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, Unknown, OutcomeOf(err))
		require.Greater(t, c.count(ports.VerbRawPut), 1)

		c.on(ports.VerbRawPut, unsent)
		err = raw.Put(t.Context(), b("a"), b("1"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, NotApplied, OutcomeOf(err), "nothing was handed to the wire")

		c.on(ports.VerbRawGet, hung)
		_, err = raw.Get(t.Context(), b("a"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, NotApplied, OutcomeOf(err), "a read writes nothing")
	}, WithDefaultTimeout(2*time.Second))
}

func TestRawBatchLosses(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		pairs := []KV{{Key: b("b"), Value: b("2")}, {Key: b("a"), Value: b("1")}}
		c.on(ports.VerbRawBatchPut, requestLost)
		err := raw.BatchPut(t.Context(), pairs)
		require.Equal(t, Unknown, OutcomeOf(err))
		var e *Error
		require.ErrorAs(t, err, &e)
		pairs[0].Key[0] = 'x' // the caller's memory is the caller's
		require.Equal(t, []KeyOutcome{{b("a"), Unknown}, {b("b"), Unknown}}, e.Keys)

		c.on(ports.VerbRawBatchDelete, unsent)
		err = raw.BatchDelete(t.Context(), keys("b", "a"))
		require.Equal(t, NotApplied, OutcomeOf(err))
		require.ErrorAs(t, err, &e)
		require.Equal(t, []KeyOutcome{{b("a"), NotApplied}, {b("b"), NotApplied}}, e.Keys)

		c.on(ports.VerbRawDeleteRange, requestLost)
		err = raw.DeleteRange(t.Context(), nil, nil)
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, Unknown, OutcomeOf(err))

		c.on(ports.VerbRawBatchGet, hung)
		_, err = raw.BatchGet(t.Context(), keys("a"))
		require.ErrorIs(t, err, ErrUnavailable)
		c.on(ports.VerbRawScan, hung)
		require.Equal(t, "unavailable ()", collect(raw.Scan(t.Context())))
	}, WithDefaultTimeout(2*time.Second))
}

// Views are values: deriving one changes no other.
func TestRawViews(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		raw := db.Raw()
		write := raw.With(ColumnFamily("write"), HighPriority())
		require.NoError(t, write.Put(t.Context(), b("a"), b("w")))
		_, err := raw.Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		v, err := write.With(Atomic()).Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "w", string(v))
		require.Equal(t, ports.PriorityHigh, c.headers[0].Priority)
		require.Equal(t, ports.PriorityNormal, c.headers[1].Priority)
	})
}
