package parity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// A transaction that meets a conflict on one of its keys, in whatever region, changes
// none of them. What it has locked elsewhere is removed at once, so that readers do
// not stumble, and the next transaction can write.
func TestConflictChangesNothing(t *testing.T) {
	for _, key := range []string{"a", "b", "c"} {
		t.Run(key, func(t *testing.T) {
			c := open(t, "b", "c")
			c.put("a=0", "b=0", "c=0")
			tx := c.begin(c.db, "a=mine", "b=mine", "c=mine")
			c.put(key + "=other")
			_, err := c.commit(tx)
			require.ErrorIs(t, err, app.ErrConflict)
			require.Equal(t, app.Aborted, app.OutcomeOf(err))
			c.unlocked(500 * time.Millisecond)

			want := strings.Replace("a=0 b=0 c=0", key+"=0", key+"=other", 1)
			took := time.Duration(0)
			for range 10 {
				took += c.do(func(ctx context.Context) {
					_, err := c.db.SnapshotAt(tx.StartTS()).BatchGet(ctx, byteKeys("a", "b", "c"))
					require.NoError(t, err)
				})
			}
			require.Less(t, took, 200*time.Millisecond)
			require.Equal(t, want, c.get("a", "b", "c"))
			c.put("a=next", "b=next", "c=next")
			require.Equal(t, "a=next b=next c=next", c.get("a", "b", "c"))
		})
	}
}

// Whoever leaves as soon as the commit has answered does not stop the rest of it.
func TestCancelAfterTheAnswerStopsNothing(t *testing.T) {
	c := open(t, "b", "c")
	tx := c.begin(c.db, "a=1", "b=2", "c=3")
	var err error
	var left int
	c.do(func(context.Context) {
		ctx, cancel := embed.Context(c.w, patience)
		_, err = tx.Commit(ctx)
		left = len(c.w.Locks())
		cancel()
	})
	require.NoError(t, err)
	require.Equal(t, 2, left, "the secondaries come after the answer")
	c.unlocked(2 * time.Second)
	for _, k := range []string{"a", "b", "c"} {
		require.Len(t, c.w.Versions([]byte(k)), 1)
	}
}

// Each lock says how many keys of its transaction are locked in its region, whatever
// the batches in which they came.
func TestLocksCountTheKeysOfTheirRegion(t *testing.T) {
	c := open(t, "b")
	var pairs []string
	for i := range 50 {
		pairs = append(pairs, fmt.Sprintf("a%02d=1", i))
	}
	for i := range 20 {
		pairs = append(pairs, fmt.Sprintf("b%02d=1", i))
	}
	tx := c.begin(c.db, pairs...)
	task := c.start(func(ctx context.Context) { _, _ = tx.Commit(ctx) })
	c.within(time.Second, func() bool { return len(c.w.Locks()) == len(pairs) }, "prewritten")
	for _, l := range c.w.Locks() {
		want := map[byte]uint64{'a': 50, 'b': 20}[l.Key[0]]
		require.Equal(t, want, l.TxnSize, "%s", l.Key)
	}
	c.await(task)
	require.Greater(t, c.seen.count(ports.VerbPrewrite), 2, "in several batches")
}

// A key that was inserted and deleted again is not the primary: a reader that meets a
// lock of the transaction, whose client has died after the commit, finds it committed.
func TestDeletedInsertIsNoPrimary(t *testing.T) {
	c := open(t, "b", "c")
	require.NoError(t, c.w.Script("lose-request verb=Commit client=writer nth=2 times=1000"))
	db, process := c.client("writer")
	tx := c.begin(db, "b=2", "c=3")
	require.NoError(t, tx.Insert([]byte("a"), []byte("1")))
	require.NoError(t, tx.Delete([]byte("a")))
	c.must(func(ctx context.Context) error {
		_, err := tx.Commit(ctx)
		process.Crash()
		return err
	})
	locks := c.w.Locks()
	require.Len(t, locks, 1)
	require.Equal(t, "c", string(locks[0].Key))
	require.Equal(t, "b", string(locks[0].Primary))
	require.Equal(t, "b=2 c=3", c.get("a", "b", "c"))
}

// A transaction of which one key is only checked, and another takes long to lock, is
// kept alive like any other.
func TestDeletedInsertIsKeptAlive(t *testing.T) {
	for _, checked := range []string{"a", "b", "z"} {
		t.Run(checked, func(t *testing.T) {
			c := open(t, "c")
			tx := c.begin(c.db, "ab=1", "x=1")
			require.NoError(t, tx.Insert([]byte(checked), []byte("1")))
			require.NoError(t, tx.Delete([]byte(checked)))
			c.w.Hang(c.leader(1))
			c.w.After(c.w.Now().Add(8*time.Second), c.w.Heal)
			_, err := c.commit(tx)
			require.NoError(t, err)
			require.NotZero(t, c.seen.count(ports.VerbTxnHeartBeat))
		})
	}
}

// Two transactions that write the same keys at the same time, each in many batches:
// one of them commits, one is told of a conflict.
func TestOppositeWritersDoNotBlockEachOther(t *testing.T) {
	for seed := range uint64(20) {
		c := openConfig(t, sim.Config{Chooser: sim.NewSeeded(seed, 0)}, "b", "m")
		fill := func(own string) []string {
			pairs := []string{"a=" + own, "z=" + own}
			for i := range 20 {
				pairs = append(pairs, fmt.Sprintf("b/%s/%02d=%040d", own, i, i), fmt.Sprintf("y/%s/%02d=%040d", own, i, i))
			}
			return pairs
		}
		one, two := c.begin(c.db, fill("1")...), c.begin(c.db, fill("2")...)
		errs := make([]error, 2)
		c.await(
			c.start(func(ctx context.Context) { _, errs[0] = one.Commit(ctx) }),
			c.start(func(ctx context.Context) { _, errs[1] = two.Commit(ctx) }),
		)
		winner := slices.Index(errs, nil)
		require.GreaterOrEqual(t, winner, 0, "seed %d: %v", seed, errs)
		require.ErrorIs(t, errs[1-winner], app.ErrConflict, "seed %d", seed)
		require.Equal(t, fmt.Sprintf("a=%d z=%d", winner+1, winner+1), c.get("a", "z"))
	}
}

// The commit is executed and nobody hears of it: the outcome is unknown, and whoever
// reads later finds the whole transaction.
func TestLostCommitIsFound(t *testing.T) {
	c := open(t, "b")
	require.NoError(t, c.w.Script("lose-reply verb=Commit client=writer times=1000"))
	db, process := c.client("writer", app.WithDefaultTimeout(5*time.Second))
	tx := c.begin(db, "a=1", "b=2")
	var err error
	took := c.do(func(context.Context) { _, err = tx.Commit(context.Background()) })
	require.Equal(t, app.Unknown, app.OutcomeOf(err))
	require.LessOrEqual(t, took, 5*time.Second)
	require.NoError(t, func() (err error) {
		c.do(func(ctx context.Context) { err = tx.Rollback(ctx) })
		return err
	}(), "a rollback behind a commit is harmless")
	process.Crash()
	require.Equal(t, "a=1 b=2", c.get("a", "b"))
}

// Many small pairs, and fewer large ones, over several regions and batches.
func TestCommitOverManyRegions(t *testing.T) {
	for name, shape := range map[string]struct{ pairs, value int }{"small": {100, 3}, "large": {50, 2340}} {
		t.Run(name, func(t *testing.T) {
			c := open(t, "b", "e", "m", "t")
			rnd := rand.New(rand.NewPCG(1, 1))
			pairs := map[string]string{}
			for len(pairs) < shape.pairs {
				k := fmt.Sprintf("%c%06d", 'a'+rune(rnd.IntN(26)), rnd.IntN(1e6))
				pairs[k] = k + "=" + strings.Repeat("v", shape.value)
			}
			var list []string
			for _, p := range pairs {
				list = append(list, p)
			}
			slices.Sort(list)
			c.put(list...)
			require.Equal(t, strings.Join(list, " "), c.scan())
		})
	}
}

// span is the life of a committed transaction.
type span struct{ start, commit ports.Timestamp }

// Writers of one key repeat each other until they succeed; no two of those that did
// overlap.
func TestWritersOfOneKeyNeverOverlap(t *testing.T) {
	const writers, each = 10, 50
	c := openConfig(t, sim.Config{Chooser: sim.NewSeeded(1, 0)})
	var spans []span
	var wrong error
	increment := func(ctx context.Context) error {
		tx, err := c.db.Begin(ctx)
		if err != nil {
			return err
		}
		v, err := tx.Get(ctx, []byte("n"))
		if err != nil && err != app.ErrNotFound {
			return err
		}
		if err := tx.Put([]byte("n"), append(v, '+')); err != nil {
			return err
		}
		commit, err := tx.Commit(ctx)
		if err == nil {
			spans = append(spans, span{tx.StartTS(), commit.TS})
		}
		return err
	}
	var tasks []*sim.Task
	for range writers {
		tasks = append(tasks, c.w.Go("writer", func(*sim.Task) {
			for done := 0; done < each; {
				ctx, cancel := embed.Context(c.w, patience)
				err := increment(ctx)
				cancel()
				switch {
				case err == nil:
					done++
				case !app.Retryable(err):
					wrong = errors.Join(wrong, err)
					return
				}
			}
		}))
	}
	c.within(time.Hour, func() bool {
		return !slices.ContainsFunc(tasks, func(t *sim.Task) bool { return !t.Done() })
	}, "writers starve")
	require.NoError(t, wrong)
	require.Len(t, spans, writers*each)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(spans); i++ {
		require.Greater(t, spans[i].start, spans[i-1].commit)
	}
	require.Len(t, c.w.Versions([]byte("n"))[0].Value, writers*each)
}

// Readers beside a writer see what was committed last before they began, without an
// error.
func TestReadersBesideAWriter(t *testing.T) {
	const readers, writes = 10, 10
	c := openConfig(t, sim.Config{Chooser: sim.NewSeeded(1, 0)})
	c.put("k=first")
	type read struct {
		ts    ports.Timestamp
		value string
	}
	var reads []read
	var wrong error
	writing := c.start(func(ctx context.Context) {
		for i := range writes {
			wrong = errors.Join(wrong, update(ctx, c.db, fmt.Sprintf("k=%d", i)))
		}
	})
	tasks := []*sim.Task{writing}
	for range readers {
		tasks = append(tasks, c.start(func(ctx context.Context) {
			for !writing.Done() {
				wrong = errors.Join(wrong, c.db.View(ctx, func(ctx context.Context, s *app.Snapshot) error {
					v, err := s.Get(ctx, []byte("k"))
					reads = append(reads, read{s.TS(), string(v)})
					return err
				}))
			}
		}))
	}
	c.await(tasks...)
	require.NoError(t, wrong)
	require.Greater(t, len(reads), 10*readers)
	versions := c.w.Versions([]byte("k"))
	require.Len(t, versions, writes+1)
	for _, r := range reads {
		i := slices.IndexFunc(versions, func(v sim.Version) bool { return v.CommitTS <= r.ts })
		require.Equal(t, string(versions[i].Value), r.value)
	}
}
