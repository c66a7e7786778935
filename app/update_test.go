package app

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// Every increment counts, however many meet.
func TestUpdateRunsConflictsAgain(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		const workers, each = 4, 10
		runs := make(chan int)
		errs := make(chan error)
		increment := func(ctx context.Context, tx *Txn) error {
			runs <- 1
			v, err := tx.Get(ctx, b("n"))
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			return tx.Put(b("n"), append(v, '+'))
		}
		for range workers {
			go func() {
				var err error
				for range each {
					err = errors.Join(err, db.Update(t.Context(), increment))
				}
				errs <- err
			}()
		}
		ran := 0
		for left := workers; left > 0; {
			select {
			case <-runs:
				ran++
			case err := <-errs:
				require.NoError(t, err)
				left--
			}
		}
		v, err := db.SnapshotAt(ports.MaxTimestamp).Get(t.Context(), b("n"))
		require.NoError(t, err)
		require.Len(t, v, workers*each)
		require.Greater(t, ran, workers*each, "no conflict was met")
	})
}

// overrun is the time that the function of a conflicting Update takes with a context
// of its own.
const overrun = 10 * latency

// conflicting writes a key that another transaction has written since.
func conflicting(t *testing.T, db *Client, runs *atomic.Int64) func(context.Context, *Txn) error {
	return func(_ context.Context, tx *Txn) error {
		runs.Add(1)
		put(t, db, "a=other")
		return tx.Put(b("a"), b("mine"))
	}
}

func TestUpdateGivesUpAtTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		var runs atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := db.Update(ctx, conflicting(t, db, &runs))
		require.LessOrEqual(t, time.Since(began), 3*time.Second+overrun)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.Greater(t, runs.Load(), int64(3))
		var e *Error
		require.ErrorAs(t, err, &e)
		require.EqualValues(t, runs.Load(), e.Runs)

		runs.Store(0)
		began = time.Now()
		err = db.Update(context.Background(), conflicting(t, db, &runs))
		require.LessOrEqual(t, time.Since(began), 5*time.Second+overrun, "the default timeout bounds all runs together")
		require.Greater(t, runs.Load(), int64(3))
		require.Equal(t, Aborted, OutcomeOf(err))
	}, WithDefaultTimeout(5*time.Second))
}

func TestUpdateCancelledBetweenRuns(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		ctx, cancel := context.WithCancel(t.Context())
		var runs atomic.Int64
		conflict := conflicting(t, db, &runs)
		err := db.Update(ctx, func(ctx context.Context, tx *Txn) error {
			if runs.Load() == 8 {
				cancel()
			}
			return conflict(ctx, tx)
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.False(t, Retryable(err))
	})
}

// The pause before another run ends with the context, and the error tells both why it
// ended and what had happened.
func TestUpdateCancelledWhilePausing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var runs atomic.Int64
		conflict := conflicting(t, db, &runs)
		go func() {
			for {
				sent, ran := c.count(), runs.Load()
				pass(7 * latency) // longer than any request takes: a pause
				if ran > 5 && runs.Load() == ran && c.count() == sent {
					cancel(why)
					return
				}
			}
		}()
		err := db.Update(ctx, conflict)
		require.ErrorIs(t, err, ErrCancelled)
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, err, ErrConflict)
		require.Equal(t, Aborted, OutcomeOf(err))
	})
}

func TestUpdateStopsAtUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		c.on(ports.VerbCommit, replyLost)
		runs := 0
		err := db.Update(t.Context(), func(_ context.Context, tx *Txn) error {
			runs++
			return tx.Put(b("a"), b("1"))
		})
		require.Equal(t, Unknown, OutcomeOf(err))
		require.Equal(t, 1, runs)
	}, WithDefaultTimeout(time.Second))
}

func TestUpdateReturnsTheFunctionsError(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		own := errors.New("not enough money")
		var escaped *Txn
		err := db.Update(t.Context(), func(_ context.Context, tx *Txn) error {
			escaped = tx
			return errors.Join(tx.Put(b("a"), b("1")), own)
		})
		require.ErrorIs(t, err, own)
		err = db.Update(t.Context(), func(context.Context, *Txn) error { return own })
		require.True(t, err == own, "as it is")
		require.Equal(t, Aborted, OutcomeOf(err))
		require.ErrorIs(t, escaped.Put(b("a"), b("1")), ErrFinished)
		require.Zero(t, c.count())
	})
}

func TestUpdatePanics(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		var escaped *Txn
		require.PanicsWithValue(t, "bug", func() {
			_ = db.Update(t.Context(), func(_ context.Context, tx *Txn) error {
				escaped = tx
				if err := tx.Put(b("a"), b("1")); err != nil {
					return err
				}
				panic("bug")
			})
		})
		require.ErrorIs(t, escaped.Put(b("a"), b("1")), ErrFinished)
		_, err := escaped.Commit(t.Context())
		require.ErrorIs(t, err, ErrMisuse)
		require.Zero(t, c.count())
	})
}

// The transaction is Update's to end.
func TestUpdateEndsTheTransaction(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		var escaped *Txn
		require.NoError(t, db.Update(t.Context(), func(ctx context.Context, tx *Txn) error {
			escaped = tx
			_, err := tx.Commit(ctx)
			require.ErrorIs(t, err, ErrMisuse)
			require.ErrorIs(t, tx.Rollback(ctx), ErrMisuse)
			return tx.Put(b("a"), b("1"))
		}))
		require.ErrorIs(t, escaped.Put(b("a"), b("1")), ErrFinished)
	})
}

// A function that leaves a goroutine behind in its transaction is told so.
func TestUpdateWithAReadLeftBehind(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		left := make(chan error, 1)
		err := db.Update(t.Context(), func(ctx context.Context, tx *Txn) error {
			err := tx.Put(b("a"), b("1"))
			go func() {
				_, err := tx.Get(ctx, b("b"))
				left <- err
			}()
			synctest.Wait()
			return err
		})
		require.ErrorIs(t, err, ErrConcurrentUse)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.Equal(t, error(ErrNotFound), <-left)
	})
}

func TestUpdateWithoutPD(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		c.silence(true)
		began := time.Now()
		err := db.Update(t.Context(), func(context.Context, *Txn) error { return nil })
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, Aborted, OutcomeOf(err))
		require.LessOrEqual(t, time.Since(began), time.Second+latency)
	}, WithDefaultTimeout(time.Second))
}

func TestView(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		put(t, db, "a=1")
		own := errors.New("own")
		err := db.View(t.Context(), func(ctx context.Context, s *Snapshot) error {
			put(t, db, "a=2")
			v, err := s.Get(ctx, b("a"))
			require.NoError(t, err)
			require.Equal(t, "1", string(v), "a snapshot does not move")
			return own
		}, LowPriority())
		require.True(t, err == own)
		require.ErrorIs(t, db.View(t.Context(), nil), ErrMisuse)
		require.ErrorIs(t, db.Update(t.Context(), nil), ErrMisuse)
	})
}
