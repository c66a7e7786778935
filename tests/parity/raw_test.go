package parity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// rawPut writes pairs, written "key=value", one by one.
func (c *cluster) rawPut(pairs ...string) {
	c.t.Helper()
	c.must(func(ctx context.Context) (err error) {
		for _, p := range pairs {
			k, v, _ := strings.Cut(p, "=")
			err = errors.Join(err, c.db.Raw().Put(ctx, []byte(k), []byte(v)))
		}
		return err
	})
}

func (c *cluster) rawScan(raw *app.Raw, opts ...app.ScanOption) string {
	c.t.Helper()
	var found app.Pairs
	c.must(func(ctx context.Context) (err error) {
		found, err = collect(raw.Scan(ctx, opts...))
		return err
	})
	return show(found)
}

// Scans with all kinds of bounds and limits are the same however the keys are cut into
// regions, also after regions that are known have been split.
func TestRawScansDoNotDependOnRegions(t *testing.T) {
	var all []string
	for _, k := range strings.Fields("k1 k2 k3 k5 k7") {
		all = append(all, k+"="+k)
	}
	for _, bounds := range [][]string{nil, {"k2"}, {"k2", "k5"}, {"k1", "k5", "k50", "k7", "k8"}} {
		for _, later := range []bool{false, true} {
			c := openRaw(t)
			if !later {
				c = openRaw(t, bounds...)
			}
			c.rawPut(all...)
			require.Equal(t, strings.Join(all, " "), c.rawScan(c.db.Raw()))
			if later {
				for _, b := range bounds {
					require.True(t, c.w.Split([]byte(b)))
				}
			}
			borders := []string{"", "k1", "k1\x00", "k2", "k4", "k5", "k5\x00", "k7", "k9"}
			for _, from := range borders {
				for _, to := range borders {
					if to != "" && to < from {
						continue
					}
					c.checkRawScans(all, from, to)
				}
			}
		}
	}
}

// checkRawScans scans a range both ways with several limits.
func (c *cluster) checkRawScans(all []string, from, to string) {
	c.t.Helper()
	within := slices.DeleteFunc(slices.Clone(all), func(p string) bool {
		k := p[:2]
		return k < from || to != "" && k >= to
	})
	for _, reverse := range []bool{false, true} {
		want, opts := slices.Clone(within), []app.ScanOption{app.Range([]byte(from), []byte(to))}
		if reverse {
			slices.Reverse(want)
			opts = append(opts, app.Reverse())
		}
		for _, limit := range []int{1, 2, 10} {
			got := c.rawScan(c.db.Raw(), append(opts, app.Limit(limit))...)
			require.Equal(c.t, strings.Join(want[:min(limit, len(want))], " "), got, "%q to %q", from, to)
		}
	}
}

// Ranges inside one region, over several, without a key and over everything.
func TestRawDeleteRangeOverRegions(t *testing.T) {
	for _, r := range []struct{ from, to, left string }{
		{"b", "d", "a0 a9 d0 d9"}, {"c11", "c12", "a0 a9 b0 b9 c0 c9 d0 d9"}, {"d0", "d0", "a0 a9 b0 b9 c0 c9 d0 d9"},
		{"b5", "d0", "a0 a9 b0 d0 d9"}, {"", "b", "b0 b9 c0 c9 d0 d9"}, {"c", "", "a0 a9 b0 b9"}, {"", "", ""},
	} {
		c := openRaw(t, "b", "c", "d")
		c.rawPut("a0=", "a9=", "b0=", "b9=", "c0=", "c9=", "d0=", "d9=")
		c.must(func(ctx context.Context) error { return c.db.Raw().DeleteRange(ctx, []byte(r.from), []byte(r.to)) })
		require.Equal(t, r.left, c.rawScan(c.db.Raw(), app.KeysOnly()), "%q to %q", r.from, r.to)
	}
}

// Batches that need several requests for each of two regions.
func TestRawBatchesOverRegions(t *testing.T) {
	c := openRaw(t, "key0500")
	var pairs []app.KV
	var keys [][]byte
	for i := range 1000 {
		k := fmt.Appendf(nil, "key%04d", i)
		keys, pairs = append(keys, k), append(pairs, app.KV{Key: k, Value: []byte(strings.Repeat("v", 130))})
	}
	raw := c.db.Raw()
	c.must(func(ctx context.Context) error { return raw.BatchPut(ctx, pairs) })
	require.GreaterOrEqual(t, c.seen.count(ports.VerbRawBatchPut), 8)
	var found app.Pairs
	get := func(ctx context.Context) (err error) {
		found, err = raw.BatchGet(ctx, keys)
		return err
	}
	c.must(get)
	require.Equal(t, app.Pairs(pairs), found)
	require.True(t, c.w.Split([]byte("key0250")))
	c.must(get)
	require.Equal(t, app.Pairs(pairs), found)
	c.must(func(ctx context.Context) error { return raw.BatchDelete(ctx, keys) })
	c.must(get)
	require.Empty(t, found)
}

// Twenty thousand pairs in twenty regions.
func TestRawManyRegions(t *testing.T) {
	const n, limit = 20480, 10240
	var bounds []string
	var pairs []app.KV
	for i := range n {
		k := fmt.Sprintf("key@%08d", i)
		if i > 0 && i%1024 == 0 {
			bounds = append(bounds, k)
		}
		pairs = append(pairs, app.KV{Key: []byte(k), Value: fmt.Append(nil, i)})
	}
	c := openRaw(t, bounds...)
	raw := c.db.Raw()
	c.must(func(ctx context.Context) error { return raw.BatchPut(ctx, pairs) })
	for _, reverse := range []bool{false, true} {
		opts, want := []app.ScanOption{app.Prefix([]byte("key@")), app.Limit(limit)}, slices.Clone(pairs)
		if reverse {
			opts = append(opts, app.Reverse())
			slices.Reverse(want)
		}
		var found app.Pairs
		c.must(func(ctx context.Context) (err error) {
			found, err = collect(raw.Scan(ctx, opts...))
			return err
		})
		require.Equal(t, app.Pairs(want[:limit]), found)
	}
	c.must(func(ctx context.Context) error { return raw.DeleteRange(ctx, []byte("key@"), []byte("keyA")) })
	require.Empty(t, c.rawScan(raw))
}

// A key with a life is there as long as it lives.
func TestRawLivesEnd(t *testing.T) {
	c := openRaw(t)
	raw := c.db.Raw()
	ttl := func() (left time.Duration, err error) {
		c.do(func(ctx context.Context) { left, err = raw.TTL(ctx, []byte("k")) })
		return left, err
	}
	c.must(func(ctx context.Context) error { return raw.Put(ctx, []byte("k"), []byte("v"), app.TTL(2*time.Second)) })
	require.Equal(t, "k=v", c.rawScan(raw))
	c.w.Run(c.w.Now().Add(time.Second), nil)
	left, err := ttl()
	require.NoError(t, err)
	require.LessOrEqual(t, left, time.Second)
	require.Positive(t, left)
	c.w.Run(c.w.Now().Add(1500*time.Millisecond), nil)
	_, err = ttl()
	require.Equal(t, error(app.ErrNotFound), err)
	require.Empty(t, c.rawScan(raw))
	c.do(func(ctx context.Context) { _, err = raw.Get(ctx, []byte("k")) })
	require.Equal(t, error(app.ErrNotFound), err)
}

// Column families keep their keys apart, for every command.
func TestRawFamiliesAreApart(t *testing.T) {
	c := openRaw(t, "k5")
	write, other := c.db.Raw(app.ColumnFamily("write")), c.db.Raw()
	c.must(func(ctx context.Context) error {
		return errors.Join(
			write.Put(ctx, []byte("k1"), []byte("w")), write.BatchPut(ctx, []app.KV{{Key: []byte("k7"), Value: []byte("w")}}),
			other.Put(ctx, []byte("k1"), []byte("d")), other.Put(ctx, []byte("k9"), []byte("d")),
		)
	})
	require.Equal(t, "k1=w k7=w", c.rawScan(write))
	require.Equal(t, "k1=d k9=d", c.rawScan(other))
	var one, two app.Pairs
	c.must(func(ctx context.Context) (err error) {
		if one, err = write.BatchGet(ctx, byteKeys("k1", "k7", "k9")); err == nil {
			two, err = other.BatchGet(ctx, byteKeys("k1", "k7", "k9"))
		}
		return err
	})
	require.Equal(t, "k1=w k7=w", show(one))
	require.Equal(t, "k1=d k9=d", show(two))
	c.must(func(ctx context.Context) error {
		return errors.Join(write.Delete(ctx, []byte("k1")), write.BatchDelete(ctx, byteKeys("k9")))
	})
	require.Equal(t, "k7=w", c.rawScan(write))
	require.Equal(t, "k1=d k9=d", c.rawScan(other))
	c.must(func(ctx context.Context) error { return other.DeleteRange(ctx, nil, nil) })
	require.Equal(t, "k7=w", c.rawScan(write))
	require.Empty(t, c.rawScan(other))
}

// Stores that come back on other addresses, one of them on that of the other, are
// found again, whatever is asked of them.
func TestRawStoresChangeAddresses(t *testing.T) {
	c := openRaw(t, "m")
	raw := c.db.Raw()
	c.rawPut("a=1", "z=1")
	one, two := c.leader(0), c.leader(1)
	require.NotEqual(t, one, two)
	swap := func() {
		stores := c.w.Stores()
		c.w.Crash(one)
		c.w.Crash(two)
		c.w.Restart(one, stores[two-1].Address)
		c.w.Restart(two, stores[one-1].Address)
		require.Equal(t, stores[two-1].Address, c.w.Stores()[one-1].Address)
	}
	for i, use := range []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := raw.Get(ctx, []byte("a")); return err },
		func(ctx context.Context) error { return raw.Put(ctx, []byte("z"), []byte("2")) },
		func(ctx context.Context) error {
			return raw.BatchPut(ctx, []app.KV{{Key: []byte("a"), Value: []byte("3")}, {Key: []byte("z"), Value: []byte("3")}})
		},
		func(ctx context.Context) error { _, err := raw.BatchGet(ctx, byteKeys("a", "z")); return err },
		func(ctx context.Context) error { return raw.DeleteRange(ctx, []byte("b"), nil) },
		func(ctx context.Context) error { _, err := collect(raw.Scan(ctx)); return err },
		func(ctx context.Context) error { return raw.BatchDelete(ctx, byteKeys("a", "z")) },
	} {
		swap()
		took := c.must(use)
		require.Less(t, took, 20*time.Second, "use %d", i)
	}
	require.True(t, slices.ContainsFunc(c.seen, func(a ports.Attempt) bool {
		return a.Fault == ports.FaultStoreNotMatch
	}), "another store was met")
	require.Empty(t, c.rawScan(raw))
}

// A region that is led by a store which is no more is served by another one.
func TestRawLeaderIsReplaced(t *testing.T) {
	c := openRaw(t)
	c.rawPut("a=1")
	first := c.leader(0)
	c.w.Crash(first)
	c.rawPut("a=2")
	require.NotEqual(t, first, c.leader(0))
	require.Equal(t, "a=2", c.rawScan(c.db.Raw()))
}
