package app

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// bubble runs a test in virtual time, with a cluster and a client. A goroutine that
// the client leaves behind fails the test.
func bubble(t *testing.T, run func(t *testing.T, c *cluster, db *Client), opts ...ClientOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		run(t, c, c.open(t, opts...))
	})
}

// pass lets virtual time pass. It is called inside bubbles only, whose clock moves on at
// once when everybody waits: no test of this package waits in real time.
func pass(d time.Duration) { time.Sleep(d) }

// begin starts a transaction.
func begin(t *testing.T, db *Client) *Txn {
	t.Helper()
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	return tx
}

// put commits pairs given as "key=value".
func put(t *testing.T, db *Client, pairs ...string) {
	t.Helper()
	require.NoError(t, db.Update(t.Context(), func(_ context.Context, tx *Txn) error {
		for _, p := range pairs {
			k, v, _ := strings.Cut(p, "=")
			if err := tx.Put([]byte(k), []byte(v)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// show writes pairs as "key=value key=value".
func show(pairs Pairs) string {
	var texts []string
	for _, kv := range pairs {
		texts = append(texts, string(kv.Key)+"="+string(kv.Value))
	}
	return strings.Join(texts, " ")
}

func keys(list ...string) [][]byte {
	var all [][]byte
	for _, k := range list {
		all = append(all, []byte(k))
	}
	return all
}

func TestCommitIsRead(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		defer func() { require.NoError(t, tx.Rollback(t.Context()), "rollback after commit is harmless") }()
		require.NoError(t, tx.Put(b("a"), b("1")))
		require.NoError(t, tx.Insert(b("b"), b("2")))
		commit, err := tx.Commit(t.Context())
		require.NoError(t, err)
		require.Equal(t, TwoPhase, commit.Mode)
		require.Greater(t, commit.TS, tx.StartTS())

		at := db.SnapshotAt(commit.TS)
		require.Equal(t, commit.TS, at.TS())
		got, err := at.BatchGet(t.Context(), keys("b", "a", "c", "a"))
		require.NoError(t, err)
		require.Equal(t, "a=1 b=2", show(got))
		_, err = db.SnapshotAt(commit.TS-1).Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		v, err := db.SnapshotAt(ports.MaxTimestamp).Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "1", string(v))
	})
}

func TestEmptyCommitSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		commit, err := tx.Commit(t.Context())
		require.NoError(t, err)
		require.Equal(t, Commit{Mode: NothingToCommit}, commit)
		require.Zero(t, c.count())

		sp := begin(t, db)
		require.NoError(t, sp.Put(b("a"), b("1")))
		require.NoError(t, sp.Rollback(t.Context()))
		require.Zero(t, c.count(), "a rollback has nothing to undo on the stores")
	})
}

func TestTxnReadsItsOwnWrites(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		put(t, db, "a=1", "b=2", "c=3")
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("own")))
		require.NoError(t, tx.Delete(b("b")))
		require.NoError(t, tx.Put(b("d"), b("new")))
		sent := c.count()

		v, err := tx.Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "own", string(v))
		copy(v, "xxx")
		v, err = tx.Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "own", string(v), "what is returned belongs to the caller")
		_, err = tx.Get(t.Context(), b("b"))
		require.Equal(t, error(ErrNotFound), err)
		require.Equal(t, sent, c.count(), "own writes are read from memory")

		v, err = tx.Get(t.Context(), b("c"))
		require.NoError(t, err)
		require.Equal(t, "3", string(v))
		got, err := tx.BatchGet(t.Context(), keys("e", "d", "c", "b", "a"))
		require.NoError(t, err)
		require.Equal(t, "a=own c=3 d=new", show(got))
		got, err = tx.BatchGet(t.Context(), keys("d"))
		require.NoError(t, err)
		require.Equal(t, "d=new", show(got))
		got, err = tx.BatchGet(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, got)
	})
}

func TestSavepoints(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		outer := tx.Savepoint()
		require.NoError(t, tx.Put(b("a"), b("2")))
		inner := tx.Savepoint()
		require.NoError(t, tx.Put(b("b"), b("3")))
		require.NoError(t, inner.Rollback())
		require.NoError(t, inner.Rollback(), "a savepoint can be rolled back to again")
		require.NoError(t, outer.Rollback())
		v, err := tx.Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "1", string(v))

		require.ErrorIs(t, inner.Rollback(), ErrMisuse, "undone with what came after the outer one")
		require.ErrorIs(t, Savepoint{}.Rollback(), ErrMisuse)
		require.NoError(t, tx.Rollback(t.Context()))
		require.ErrorIs(t, outer.Rollback(), ErrFinished)
		require.ErrorIs(t, tx.Savepoint().Rollback(), ErrFinished)
	})
}

func TestConflict(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		put(t, db, "a=other")
		require.NoError(t, tx.Put(b("a"), b("mine")))
		_, err := tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrConflict)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.True(t, Retryable(err))
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "a", string(e.Key))
		require.Equal(t, tx.StartTS(), e.StartTS)
		require.Greater(t, e.ConflictCommitTS, tx.StartTS())
		require.NotZero(t, e.ConflictTS)
	})
}

func TestInsertOfAnExistingKey(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		put(t, db, "a=there")
		tx := begin(t, db)
		require.NoError(t, tx.Insert(b("a"), b("mine")))
		_, err := tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrKeyExists)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.False(t, Retryable(err))

		tx = begin(t, db)
		require.NoError(t, tx.Put(b("b"), b("1")))
		err = tx.Insert(b("b"), b("2"))
		require.ErrorIs(t, err, ErrKeyExists)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "b", string(e.Key))
	})
}

// The reply to the request that decides the commit is lost, and the store is gone:
// nobody can say what happened.
func TestLostCommitIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		c.on(ports.VerbCommit, replyLost)
		began := time.Now()
		_, err := tx.Commit(t.Context())
		require.Equal(t, Unknown, OutcomeOf(err))
		require.False(t, Retryable(err))
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(began), 5*time.Second+latency)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Positive(t, e.Attempts)
		require.NotEmpty(t, e.Last)
		require.Equal(t, ports.StoreID(3), e.Last[0].Store)

		_, err = tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrFinished)
		require.Equal(t, Unknown, OutcomeOf(err), "the outcome that the transaction had")
		c.on(ports.VerbCommit, served)
	}, WithDefaultTimeout(5*time.Second))
}

// Before the commit point the end of the context aborts.
func TestCancelledPrewriteIsAborted(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		c.on(ports.VerbPrewrite, hung)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			pass(10 * time.Millisecond)
			cancel()
		}()
		_, err := tx.Commit(ctx)
		require.ErrorIs(t, err, ErrCancelled)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, Aborted, OutcomeOf(err))
	})
}

// After the commit point cancelling only stops the waiting.
func TestCancelledCommitIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		c.on(ports.VerbCommit, hung)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for c.count(ports.VerbCommit) == 0 {
				pass(latency)
			}
			cancel()
		}()
		_, err := tx.Commit(ctx)
		require.ErrorIs(t, err, ErrCancelled)
		require.Equal(t, Unknown, OutcomeOf(err))
		c.on(ports.VerbCommit, served)
	})
}

func TestEndedContextSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tx.Commit(ctx)
		require.ErrorIs(t, err, ErrCancelled)
		require.Equal(t, Aborted, OutcomeOf(err))
		_, err = db.SnapshotAt(tx.StartTS()).Get(ctx, b("a"))
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, c.count())
	})
}

func TestUseAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		_, err := tx.Commit(t.Context())
		require.NoError(t, err)
		sent := c.count()
		for name, err := range everyUse(t, tx) {
			require.ErrorIs(t, err, ErrFinished, name)
			require.ErrorIs(t, err, ErrMisuse, name)
		}
		_, err = tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrFinished)
		require.Equal(t, Committed, OutcomeOf(err), "the outcome that the transaction had")
		require.NoError(t, tx.Rollback(t.Context()))
		require.Equal(t, sent, c.count())
	})
}

// everyUse makes every call but Commit and Rollback and returns the errors.
func everyUse(t *testing.T, tx *Txn) map[string]error {
	_, get := tx.Get(t.Context(), b("a"))
	_, batchGet := tx.BatchGet(t.Context(), keys("a"))
	var scan error
	for _, err := range tx.Scan(t.Context()) {
		scan = err
	}
	return map[string]error{
		"get": get, "batch get": batchGet, "scan": scan, "put": tx.Put(b("a"), b("1")),
		"insert": tx.Insert(b("a"), b("1")), "delete": tx.Delete(b("a")), "savepoint": tx.Savepoint().Rollback(),
	}
}

// While one goroutine waits in a commit, another one's use of the transaction is an
// error, not a race.
func TestConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("a"), b("1")))
		done := make(chan error)
		go func() {
			_, err := tx.Commit(t.Context())
			done <- err
		}()
		synctest.Wait()
		for name, err := range everyUse(t, tx) {
			require.ErrorIs(t, err, ErrConcurrentUse, name)
			require.ErrorIs(t, err, ErrMisuse, name)
		}
		_, err := tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrConcurrentUse)
		require.Equal(t, Unknown, OutcomeOf(err), "it is the other goroutine's to know")
		require.ErrorIs(t, tx.Rollback(t.Context()), ErrConcurrentUse)
		require.NoError(t, <-done)
	})
}

func TestConcurrentReads(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		put(t, db, "a=1", "b=2")
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("c"), b("3")))
		errs := make(chan error)
		const readers = 8
		for range readers {
			go func() {
				_, err := tx.Get(t.Context(), b("a"))
				for _, scanErr := range tx.Scan(t.Context()) {
					err = errors.Join(err, scanErr)
				}
				errs <- err
			}()
		}
		synctest.Wait()
		require.ErrorIs(t, tx.Put(b("a"), b("1")), ErrConcurrentUse, "a write beside reads")
		_, err := tx.Commit(t.Context())
		require.ErrorIs(t, err, ErrConcurrentUse)
		for range readers {
			require.NoError(t, <-errs)
		}
		require.NoError(t, tx.Put(b("a"), b("1")))
	})
}

func TestWritesAreChecked(t *testing.T) {
	limits := WithLimits(Limits{Key: 4, Entry: 8, Txn: 12})
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		for _, tt := range []struct {
			err         error
			code        Code
			argument    string
			size, limit int
		}{
			{tx.Put(nil, b("v")), ErrMisuse, "key", 0, 0},
			{tx.Delete(b("")), ErrMisuse, "key", 0, 0},
			{tx.Put(b("k"), nil), ErrMisuse, "value", 0, 0},
			{tx.Insert(b("k"), b("")), ErrMisuse, "value", 0, 0},
			{tx.Put(b("12345"), b("v")), ErrTooLarge, "key", 5, 4},
			{tx.Put(b("1234"), b("12345")), ErrTooLarge, "entry", 9, 8},
		} {
			var e *Error
			require.ErrorAs(t, tt.err, &e)
			require.ErrorIs(t, e, tt.code)
			require.Equal(t, tt.argument, e.Argument)
			require.Equal(t, []int{tt.size, tt.limit}, []int{e.Size, e.Limit})
			require.Equal(t, Aborted, OutcomeOf(e))
		}
		require.NoError(t, tx.Put(b("1"), bytes.Repeat(b("v"), 7)))
		err := tx.Put(b("2"), b("1234"))
		require.ErrorIs(t, err, ErrTooLarge)
		require.EqualError(t, err, "tikvx: put: too large (transaction): 13 bytes, limit 12")
		_, err = tx.Get(t.Context(), b("12345"))
		require.ErrorIs(t, err, ErrTooLarge)
		_, err = tx.Get(t.Context(), nil)
		require.ErrorIs(t, err, ErrMisuse)
		_, err = tx.BatchGet(t.Context(), keys("a", ""))
		require.ErrorIs(t, err, ErrMisuse)
		require.Zero(t, c.count())
	}, limits)
	require.Equal(t, "tikvx: x: internal error: unknown refusal",
		(&Txn{snapshot: Snapshot{client: &Client{}}}).accept("x", nil, nil, 99).Error())
}

func TestTxnOptions(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx, err := db.Begin(t.Context(), LowPriority(), NotFillCache(), RequestSource("etl"), HighPriority())
		require.NoError(t, err)
		_, err = tx.Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		require.NoError(t, tx.Put(b("a"), b("1")))
		_, err = tx.Commit(t.Context())
		require.NoError(t, err)
		for i, h := range c.headers {
			require.Equal(t, ports.PriorityHigh, h.Priority, "of contradicting options the last wins: %d", i)
			require.Equal(t, "etl", h.RequestSource)
		}
		require.True(t, c.headers[0].NotFillCache)

		_, err = db.SnapshotAt(tx.StartTS(), LowPriority()).Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		require.Equal(t, ports.PriorityLow, c.headers[len(c.headers)-1].Priority)
	})
}
