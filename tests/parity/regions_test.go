package parity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// bound returns a transactional key as PD knows it.
func bound(k string) []byte { return key.AppendMemcomparable(nil, []byte(k)) }

// What a store says about a split is enough to go on without PD.
func TestSplitWithoutPD(t *testing.T) {
	c := open(t)
	c.put("a=1", "m=2", "z=3")
	c.w.SilencePD(ports.Forever)
	ts := ports.MaxTimestamp
	require.Equal(t, "a=1 m=2", c.getAt(ts, "a", "m"))
	require.True(t, c.w.Split(bound("m")))
	require.Equal(t, "a=1 m=2 z=3", c.getAt(ts, "a", "m", "z"))
	require.True(t, c.w.Split(bound("t")))
	require.Equal(t, "z=3 a=1", c.getAt(ts, "z", "a"))
}

// A batch get whose region is split between the grouping and the request.
func TestSplitBeforeBatchGet(t *testing.T) {
	c := open(t)
	all, pairs := letters()
	c.put(pairs...)
	require.True(t, c.w.Split(bound("h")))
	require.True(t, c.w.Split(bound("q")))
	ts := c.now()
	var found app.Pairs
	c.must(func(ctx context.Context) (err error) {
		found, err = c.db.SnapshotAt(ts).BatchGet(ctx, byteKeys(all...))
		return err
	})
	require.Equal(t, strings.Join(pairs, " "), show(found))
	faults := slices.ContainsFunc(c.seen, func(a ports.Attempt) bool {
		return a.Verb == ports.VerbBatchGet && a.Fault == ports.FaultEpochNotMatch
	})
	require.True(t, faults, "the old region was asked first")
}

// A store that is busy once is asked again.
func TestBusyStoreIsAskedAgain(t *testing.T) {
	c := open(t)
	c.put("a=1")
	require.NoError(t, c.w.Script("busy verb=Get times=1"))
	require.Equal(t, "a=1", c.get("a"))
	counts := c.w.Counts()
	require.EqualValues(t, 1, counts[sim.FaultBusy])
}

// Scans of so many rows that they fill a page, do not, or need several, over regions
// that were cut somewhere.
func TestScansOverRegions(t *testing.T) {
	row := func(i int) string { return fmt.Sprintf("row%04d", i) }
	for _, rows := range []int{1, 10, 11, 256, 257, 768} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			c := open(t, row(123), row(456))
			var keys, pairs []string
			for i := range rows {
				keys, pairs = append(keys, row(i)), append(pairs, fmt.Sprintf("%s=%d", row(i), i))
			}
			c.put(append(pairs, "other=1", "s=1")...)
			half := rows / 2
			require.Equal(t, strings.Join(pairs, " "), c.scan(app.Prefix([]byte("row"))))
			require.Equal(t, strings.Join(pairs[:half], " "), c.scan(app.Range([]byte("row"), []byte(row(half)))))
			require.Equal(t, strings.Join(keys, " "), c.scan(app.Prefix([]byte("row")), app.KeysOnly()))
			slices.Reverse(pairs)
			require.Equal(t, strings.Join(pairs, " "), c.scan(app.Prefix([]byte("row")), app.Reverse()))
		})
	}
}

// The letters from either end, and those before i.
func TestScansOfLetters(t *testing.T) {
	c := open(t, "h", "m")
	_, pairs := letters()
	c.put(pairs...)
	require.Equal(t, strings.Join(pairs, " "), c.scan(app.Range([]byte("a"), nil)))
	require.Equal(t, strings.Join(pairs[:8], " "), c.scan(app.Range([]byte("a"), []byte("i"))))
	reversed := slices.Clone(pairs[:25])
	slices.Reverse(reversed)
	require.Equal(t, strings.Join(reversed, " "), c.scan(app.Range(nil, []byte("z")), app.Reverse()))
	require.Equal(t, strings.Join(reversed[17:], " "), c.scan(app.Range([]byte("a"), []byte("i")), app.Reverse()))
}

// The only store that has a region stops and comes back: calls in between fail at their
// deadline and say what they met, calls after it are served.
func TestOnlyStoreRestarts(t *testing.T) {
	c := openConfig(t, sim.Config{Stores: 1})
	c.put("a=1")
	store := c.leader(0)
	c.w.Crash(store)
	db, _ := c.client("hasty", app.WithDefaultTimeout(2*time.Second))
	var err error
	took := c.do(func(context.Context) {
		_, err = db.SnapshotAt(ports.MaxTimestamp).Get(context.Background(), []byte("a"))
	})
	require.ErrorIs(t, err, app.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 2*time.Second, took)
	var e *app.Error
	require.ErrorAs(t, err, &e)
	require.Positive(t, e.Attempts)
	require.Equal(t, store, e.Last[0].Store)
	c.w.Restart(store, "")
	require.Equal(t, "a=1", c.get("a"))
}

// The leader stands still with its connections open: a commit that has just reached it
// is given up there and finds the new leader soon after its election.
func TestHungLeaderIsLeft(t *testing.T) {
	c := open(t)
	c.put("a=1")
	require.NoError(t, c.w.Script("hang verb=Prewrite"))
	tx := c.begin(c.db, "a=2", "b=2")
	began := c.w.Now()
	_, err := c.commit(tx)
	require.NoError(t, err)
	require.Less(t, c.w.Now().Sub(began), 2*ports.SilenceLimit+500*time.Millisecond)
	require.Equal(t, "a=2 b=2", c.get("a", "b"))
}
