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
	"github.com/tikvx/tikvx/ports"
)

// letters are the keys of the tests below, each of which has itself as value at first.
func letters() (keys, pairs []string) {
	for k := 'a'; k <= 'z'; k++ {
		keys, pairs = append(keys, string(k)), append(pairs, fmt.Sprintf("%c=%c", k, k))
	}
	return keys, pairs
}

// litter leaves locks of all kinds on some letters: of an owner that committed, of one
// that did not and has expired, and of one that did not but wrote last.
func (c *cluster) litter() (want []string) {
	_, pairs := letters()
	c.put(pairs...)
	c.leave(leftover{primary: "c", keys: []string{"z1"}, value: "C", ttl: 3 * time.Second, commit: true})
	c.leave(leftover{primary: "z2", keys: []string{"d", "e"}, value: "D", ttl: 3 * time.Second, commit: true})
	c.leave(leftover{primary: "z3", keys: []string{"m"}, value: "M", ttl: time.Second})
	c.leave(leftover{primary: "q", keys: []string{"w"}, value: "Q", ttl: time.Second})
	for i, p := range pairs {
		switch p[0] {
		case 'c':
			pairs[i] = "c=C"
		case 'd', 'e':
			pairs[i] = p[:2] + "D"
		}
	}
	return pairs
}

// What is read is right whatever was left on the keys, whichever way they are read, and
// soon afterwards nothing is left.
func TestReadsClearLeftovers(t *testing.T) {
	all, _ := letters()
	whole := app.Range([]byte("a"), []byte("z1"))
	for name, read := range map[string]func(c *cluster) string{
		"get":  func(c *cluster) string { return c.get(all...) },
		"scan": func(c *cluster) string { return c.scan(whole) },
		"batch get": func(c *cluster) string {
			var found app.Pairs
			c.must(func(ctx context.Context) error {
				return c.db.View(ctx, func(ctx context.Context, s *app.Snapshot) (err error) {
					found, err = s.BatchGet(ctx, byteKeys(all...))
					return err
				})
			})
			return show(found)
		},
		"reverse scan": func(c *cluster) string {
			texts := strings.Fields(c.scan(whole, app.Reverse()))
			slices.Reverse(texts)
			return strings.Join(texts, " ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, "d", "n", "z")
			want := c.litter()
			require.Equal(t, strings.Join(want, " "), read(c), "while they live")
			require.NotEmpty(t, c.w.Locks())
			c.w.Run(c.w.Now().Add(4*time.Second), nil)
			require.Equal(t, strings.Join(want, " "), read(c))
			c.scan() // the keys behind the letters
			c.unlocked(5 * time.Second)
			require.Equal(t, strings.Join(want, " "), read(c))
		})
	}
	t.Run("keys only", func(t *testing.T) {
		c := open(t, "d", "n", "z")
		c.litter()
		require.Equal(t, strings.Join(all, " "), c.scan(whole, app.KeysOnly()))
	})
}

// Locks that their owner left do not stop a writer for longer than they live.
func TestWritersClearLeftovers(t *testing.T) {
	c := open(t, "d", "n", "z")
	all, pairs := letters()
	c.leave(leftover{primary: "a", keys: all[1:], value: "left", ttl: 3 * time.Second})
	took := c.must(func(ctx context.Context) error { return update(ctx, c.db, pairs...) })
	require.Less(t, took, 5*time.Second)
	require.Equal(t, strings.Join(pairs, " "), c.get(all...))
	c.unlocked(time.Second)
}

// The leftovers of a great transaction are removed region by region, not key by key,
// and with the timestamp of its commit.
func TestGreatLeftoversAreClearedByRegion(t *testing.T) {
	for name, commit := range map[string]bool{"committed": true, "rolled back": false} {
		t.Run(name, func(t *testing.T) {
			c := open(t, "k10")
			var all []string
			for i := range 20 {
				all = append(all, fmt.Sprintf("k%02d", i))
			}
			l := leftover{primary: "a", keys: all, value: "v", ttl: time.Millisecond, size: 512, commit: commit}
			start, at := c.leave(l)
			c.w.Run(c.w.Now().Add(100*time.Millisecond), nil) // they expire
			read := func(keys ...string) (found app.Pairs) {
				c.must(func(ctx context.Context) error {
					return c.db.View(ctx, func(ctx context.Context, s *app.Snapshot) (err error) {
						found, err = s.BatchGet(ctx, byteKeys(keys...))
						return err
					})
				})
				return found
			}
			want := map[bool]int{true: 1}[commit]
			require.Len(t, read("k03", "k15"), 2*want, "one key of each region")
			c.unlocked(5 * time.Second)
			require.Equal(t, 2, c.seen.count(ports.VerbResolveLock), "one for each region")
			require.Len(t, read(all...), 20*want)
			for _, k := range all {
				for _, v := range c.w.Versions([]byte(k)) {
					require.Equal(t, []ports.Timestamp{start, at}, []ports.Timestamp{v.StartTS, v.CommitTS})
				}
			}
		})
	}
}

// A secondary of a transaction that is committed is read at once, before its lock is
// gone.
func TestCommittedLocksAreReadThrough(t *testing.T) {
	c := open(t, "m")
	c.put("z=old")
	c.leave(leftover{primary: "a", keys: []string{"z"}, value: "new", ttl: time.Minute, commit: true})
	require.NoError(t, c.w.Script("busy verb=ResolveLock times=2"))
	ts := c.now()
	took := c.do(func(ctx context.Context) {
		v, err := c.db.SnapshotAt(ts).Get(ctx, []byte("z"))
		require.NoError(t, err)
		require.Equal(t, "new", string(v))
		found, err := c.db.SnapshotAt(ts).BatchGet(ctx, byteKeys("a", "z"))
		require.NoError(t, err)
		require.Equal(t, "a=new z=new", show(found))
	})
	require.Less(t, took, 200*time.Millisecond)
	require.Len(t, c.w.Locks(), 1, "it is still there")
	c.unlocked(20 * time.Second)
}

// slowCommit prewrites a transaction whose primary's store is then busy for some
// seconds, so that its locks can be met while it lives.
func (c *cluster) slowCommit(pairs ...string) (commit func() (app.Commit, error), prewritten ports.Timestamp) {
	require.NoError(c.t, c.w.Script("busy verb=Commit client=writer times=1"))
	db, _ := c.client("writer")
	tx := c.begin(db, pairs...)
	var told app.Commit
	var err error
	task := c.start(func(ctx context.Context) { told, err = tx.Commit(ctx) })
	c.within(time.Second, func() bool {
		counts := c.w.Counts()
		return counts[sim.FaultBusy] == 1
	}, "the commit was sent")
	return func() (app.Commit, error) {
		c.await(task)
		return told, err
	}, c.now()
}

// A reader that meets a living lock pushes it instead of waiting: the value is not
// there for the reader, and the transaction is committed above it.
func TestReadersPushLivingLocks(t *testing.T) {
	c := open(t, "m")
	c.put("b=1", "y=1")
	wait, ts := c.slowCommit("a=new", "z=new")
	took := c.do(func(ctx context.Context) {
		_, err := c.db.SnapshotAt(ts).Get(ctx, []byte("a"))
		require.Equal(t, error(app.ErrNotFound), err)
		_, err = c.db.SnapshotAt(ts).Get(ctx, []byte("z"))
		require.Equal(t, error(app.ErrNotFound), err)
		found, err := c.db.SnapshotAt(ts).BatchGet(ctx, byteKeys("a", "b", "y", "z"))
		require.NoError(t, err)
		require.Equal(t, "b=1 y=1", show(found))
		left, err := collect(c.db.SnapshotAt(ts).Scan(ctx))
		require.NoError(t, err)
		require.Equal(t, "b=1 y=1", show(left))
	})
	require.Less(t, took, 500*time.Millisecond)
	require.Len(t, c.w.Locks(), 2, "it lives")
	commit, err := wait()
	require.NoError(t, err)
	require.Greater(t, commit.TS, ts, "what was read stays true")
	require.Equal(t, "", c.getAt(ts, "a", "z"))
	require.Equal(t, "a=new z=new", c.getAt(commit.TS, "a", "z"))
}

// Who reads the newest version passes a living lock on a secondary without waiting and
// without pushing it: the transaction is committed where it meant to be.
func TestNewestReadsPushNobody(t *testing.T) {
	c := open(t, "m")
	wait, ts := c.slowCommit("a=new", "z=new")
	took := c.do(func(ctx context.Context) {
		_, err := c.db.SnapshotAt(ports.MaxTimestamp).Get(ctx, []byte("z"))
		require.Equal(t, error(app.ErrNotFound), err)
	})
	require.Less(t, took, 500*time.Millisecond)
	require.Len(t, c.w.Locks(), 2, "it lives")
	commit, err := wait()
	require.NoError(t, err)
	require.Less(t, commit.TS, ts)
	require.Equal(t, "z=new", c.getAt(ports.MaxTimestamp, "z"))
}
