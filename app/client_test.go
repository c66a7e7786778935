package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/ports"
)

// calls are all calls that take a context, on one client.
func calls(db *Client, tx *Txn) map[string]func(context.Context) error {
	raw := db.Raw(Atomic())
	snap := db.SnapshotAt(1)
	return map[string]func(context.Context) error{
		"begin":     func(ctx context.Context) error { _, err := db.Begin(ctx); return err },
		"timestamp": func(ctx context.Context) error { _, err := db.Timestamp(ctx); return err },
		"update": func(ctx context.Context) error {
			return db.Update(ctx, func(context.Context, *Txn) error { return nil })
		},
		"view": func(ctx context.Context) error {
			return db.View(ctx, func(context.Context, *Snapshot) error { return nil })
		},
		"snapshot":           func(ctx context.Context) error { _, err := db.Snapshot(ctx); return err },
		"txn get":            func(ctx context.Context) error { _, err := tx.Get(ctx, b("a")); return err },
		"txn batch get":      func(ctx context.Context) error { _, err := tx.BatchGet(ctx, keys("a")); return err },
		"txn scan":           func(ctx context.Context) error { return lastError(tx.Scan(ctx)) },
		"commit":             func(ctx context.Context) error { _, err := tx.Commit(ctx); return err },
		"snapshot get":       func(ctx context.Context) error { _, err := snap.Get(ctx, b("a")); return err },
		"snapshot batch get": func(ctx context.Context) error { _, err := snap.BatchGet(ctx, keys("a")); return err },
		"snapshot scan":      func(ctx context.Context) error { return lastError(snap.Scan(ctx)) },
		"raw get":            func(ctx context.Context) error { _, err := raw.Get(ctx, b("a")); return err },
		"raw ttl":            func(ctx context.Context) error { _, err := raw.TTL(ctx, b("a")); return err },
		"raw put":            func(ctx context.Context) error { return raw.Put(ctx, b("a"), nil) },
		"raw delete":         func(ctx context.Context) error { return raw.Delete(ctx, b("a")) },
		"raw batch get":      func(ctx context.Context) error { _, err := raw.BatchGet(ctx, keys("a")); return err },
		"raw batch put":      func(ctx context.Context) error { return raw.BatchPut(ctx, []KV{{Key: b("a")}}) },
		"raw batch delete":   func(ctx context.Context) error { return raw.BatchDelete(ctx, keys("a")) },
		"raw delete range":   func(ctx context.Context) error { return db.Raw().DeleteRange(ctx, b("a"), b("b")) },
		"raw scan":           func(ctx context.Context) error { return lastError(raw.Scan(ctx)) },
		"raw swap":           func(ctx context.Context) error { _, err := raw.PutIfAbsent(ctx, b("a"), nil); return err },
	}
}

func lastError(seq func(func(KV, error) bool)) error {
	var last error
	for _, err := range seq {
		last = err
	}
	return last
}

// ofKind returns the calls of a client that is used for either kind of keys only.
func ofKind(t *testing.T, all map[string]func(context.Context) error, raw bool) map[string]func(context.Context) error {
	some := map[string]func(context.Context) error{}
	for name, call := range all {
		if bytes.HasPrefix([]byte(name), []byte("raw")) == raw {
			some[name] = call
		}
	}
	require.NotEmpty(t, some)
	return some
}

// usable returns a transaction that has something to commit.
func usable(t *testing.T, db *Client) *Txn {
	tx := begin(t, db)
	require.NoError(t, tx.Put(b("x"), b("1")))
	return tx
}

func TestNilContext(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := usable(t, db)
		var none context.Context
		for name, call := range calls(db, tx) {
			err := call(none)
			require.ErrorIs(t, err, ErrMisuse, name)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "context", e.Argument, name)
		}
		require.ErrorIs(t, tx.Rollback(none), ErrMisuse)
		require.ErrorIs(t, db.Close(none), ErrMisuse)
		require.Zero(t, c.count())
	})
}

func TestUseAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		db := c.open(t)
		tx := usable(t, db)
		all := calls(db, tx)
		require.False(t, c.closed)
		require.NoError(t, db.Close(t.Context()))
		require.True(t, c.closed, "the ports are closed last")
		require.NoError(t, db.Close(t.Context()), "a second time is harmless")
		for name, call := range all {
			err := call(t.Context())
			require.ErrorIs(t, err, ErrClosed, name)
			require.Equal(t, Aborted, OutcomeOf(err), name)
		}
		require.ErrorIs(t, tx.Put(b("a"), b("1")), ErrClosed)
		require.ErrorIs(t, tx.Savepoint().Rollback(), ErrClosed)
		require.NoError(t, tx.Rollback(t.Context()))
		require.Zero(t, c.count())
	})
}

// One client serves one kind of keys; its first use decides.
func TestKindsOfKeys(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		other := c.open(t)
		tx := usable(t, db)
		for name, call := range ofKind(t, calls(db, tx), true) {
			err := call(t.Context())
			require.ErrorIs(t, err, ErrMisuse, name)
			require.ErrorContains(t, err, "serves transactional keys", name)
		}
		require.Zero(t, c.count())

		_, err := other.Timestamp(t.Context())
		require.NoError(t, err, "a timestamp is neither")
		require.NoError(t, other.Raw().Put(t.Context(), b("a"), b("1")))
		sent := c.count()
		for name, call := range ofKind(t, calls(other, &Txn{snapshot: Snapshot{client: other, ts: 1}}), false) {
			if name == "commit" || name == "timestamp" {
				continue // a transaction without writes commits anywhere
			}
			err := call(t.Context())
			require.ErrorIs(t, err, ErrMisuse, name)
			require.ErrorContains(t, err, "serves raw keys", name)
		}
		require.Equal(t, sent, c.count())
	})
}

// The first uses of a client may come from several goroutines at once.
func TestKindsOfKeysAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		errs := make(chan error)
		for range 4 {
			go func() { errs <- db.Raw().Put(t.Context(), b("a"), b("1")) }()
			go func() { _, err := db.Snapshot(t.Context()); errs <- err }()
		}
		refused := 0
		for range 8 {
			if err := <-errs; err != nil {
				require.ErrorIs(t, err, ErrMisuse)
				refused++
			}
		}
		require.Equal(t, 4, refused)
	})
}

// Every call that can wait returns at its deadline when nobody answers.
func TestDeadlines(t *testing.T) {
	for _, raw := range []bool{false, true} {
		bubble(t, func(t *testing.T, c *cluster, db *Client) {
			for name := range ofKind(t, calls(db, nil), raw) {
				var tx *Txn
				if !raw {
					tx = usable(t, db)
				}
				call := calls(db, tx)[name]
				c.silence(true)
				c.all(hung)
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
				err := call(ctx)
				cancel()
				require.ErrorIs(t, err, ErrUnavailable, name)
				require.ErrorIs(t, err, context.DeadlineExceeded, name)
				require.Equal(t, 700*time.Millisecond, time.Since(began), name)
				c.silence(false)
				c.all(served)
			}
		})
	}
}

// Without a deadline in the context the default one holds.
func TestDefaultTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		c.silence(true)
		began := time.Now()
		_, err := db.Timestamp(context.Background())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, DefaultTimeout, time.Since(began))
	})
}

// A store that sheds load is waited for; the error says what was tried.
func TestUnavailableSaysWhatWasTried(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		c.on(ports.VerbGet, busy)
		_, err := db.SnapshotAt(1).Get(context.Background(), b("a"))
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, ErrUnavailable, e.Code)
		require.Greater(t, e.Attempts, 1)
		require.Equal(t, FailedAttempt{Store: 3, Fault: ports.FaultServerIsBusy}, e.Last[0])
		require.ErrorContains(t, err, "store 3 server is busy")
	}, WithDefaultTimeout(3*time.Second))
}

// The same when it is the context's deadline that ends the call.
func TestContextDeadlineSaysWhatWasTried(t *testing.T) {
	for _, raw := range []bool{false, true} {
		bubble(t, func(t *testing.T, c *cluster, db *Client) {
			c.all(busy)
			var tx *Txn
			if !raw {
				tx = usable(t, db)
			}
			for name, call := range ofKind(t, calls(db, tx), raw) {
				switch name {
				case "begin", "timestamp", "update", "view", "snapshot": // these ask PD only
					continue
				case "commit": // which ends the transaction
					call = calls(db, usable(t, db))[name]
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				err := call(ctx)
				cancel()
				var e *Error
				require.ErrorAs(t, err, &e, name)
				require.ErrorIs(t, err, context.DeadlineExceeded, name)
				require.Greater(t, e.Attempts, 1, name)
				require.Equal(t, ports.FaultServerIsBusy, e.Last[0].Fault, name)
			}
			c.all(served)
		})
	}
}

func TestTimestamps(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		first, err := db.Timestamp(t.Context())
		require.NoError(t, err)
		second, err := db.Timestamp(t.Context())
		require.NoError(t, err)
		require.Greater(t, second, first)
	})
}

func TestNewChecksItsArguments(t *testing.T) {
	for argument, opt := range map[string]ClientOption{
		"WithDefaultTimeout": WithDefaultTimeout(0),
		"WithLimits":         WithLimits(Limits{Entry: -1}),
		"WithTLS":            WithTLS(TLS{CA: "ca", Cert: "cert", Key: "key"}),
		"ports":              WithLogger(nil),
	} {
		p := newCluster().ports()
		if argument == "ports" {
			p.Oracle = nil
		}
		_, err := New(p, opt)
		require.ErrorIs(t, err, ErrMisuse)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, argument, e.Argument)
	}
	_, err := New(newCluster().ports(), WithLimits(Limits{Key: 1 << 20}))
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		db, err := Open(t.Context(), func(ctx context.Context, conn Connection) (Ports, error) {
			require.Equal(t, TLS{CA: "ca", Cert: "cert", Key: "key"}, *conn.TLS)
			deadline, ok := ctx.Deadline()
			require.True(t, ok, "bounded by the default timeout")
			require.Equal(t, 3*time.Second, time.Until(deadline))
			return c.ports(), nil
		}, WithTLS(TLS{CA: "ca", Cert: "cert", Key: "key"}), WithDefaultTimeout(3*time.Second))
		require.NoError(t, err)
		put(t, db, "a=1")
		require.NoError(t, db.Close(t.Context()))
		require.True(t, c.closed)
	})
}

func TestOpenFails(t *testing.T) {
	never := func(context.Context, Connection) (Ports, error) {
		t.Error("dialled in spite of wrong options")
		return Ports{}, nil
	}
	var none context.Context
	_, err := Open(none, never)
	require.ErrorIs(t, err, ErrMisuse)
	_, err = Open(t.Context(), never, WithDefaultTimeout(-1))
	require.ErrorIs(t, err, ErrMisuse)

	dialling := func(result error) error {
		_, err := Open(t.Context(), func(context.Context, Connection) (Ports, error) { return Ports{}, result })
		return err
	}
	down := errors.New("PD endpoint 10.0.0.1:2379: refused")
	err = dialling(down)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, down)
	require.EqualError(t, err, "tikvx: open: unavailable: PD endpoint 10.0.0.1:2379: refused")
	require.ErrorIs(t, dialling(misuse("open", "endpoints", "none")), ErrMisuse)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Open(ctx, func(ctx context.Context, _ Connection) (Ports, error) {
			<-ctx.Done()
			return Ports{}, down
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, down)
		require.ErrorContains(t, err, "10.0.0.1:2379")
	})
}

// Two clients of two clusters in one process share nothing.
func TestTwoClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newCluster(), newCluster()
		first := one.open(t, WithLimits(Limits{Key: 1}), WithDefaultTimeout(time.Second))
		second := two.open(t)
		put(t, first, "a=1")
		_, err := second.SnapshotAt(ports.MaxTimestamp).Get(t.Context(), b("a"))
		require.Equal(t, error(ErrNotFound), err)
		require.ErrorIs(t, usable(t, first).Put(b("long"), b("1")), ErrTooLarge)
		require.NoError(t, usable(t, second).Put(b("long"), b("1")))
		require.NoError(t, first.Close(t.Context()))
		put(t, second, "a=2")
		v, err := second.SnapshotAt(ports.MaxTimestamp).Get(t.Context(), b("a"))
		require.NoError(t, err)
		require.Equal(t, "2", string(v))
	})
}

// Close waits for a commit that cleans up, and gives it up at the context's end.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		db, err := New(c.ports())
		require.NoError(t, err)
		tx := usable(t, db)
		c.on(ports.VerbCommit, hung)
		done := make(chan error)
		go func() {
			_, err := tx.Commit(context.Background())
			done <- err
		}()
		pass(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = db.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		err = <-done
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, Unknown, OutcomeOf(err), "what decides the commit had been sent")
		require.True(t, c.closed)
	})
}

// The same before the commit point: nothing of it will ever be seen.
func TestCloseAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		db, err := New(c.ports())
		require.NoError(t, err)
		tx := usable(t, db)
		c.on(ports.VerbPrewrite, hung)
		done := make(chan error)
		go func() {
			_, err := tx.Commit(context.Background())
			done <- err
		}()
		pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, db.Close(ctx), context.Canceled)
		err = <-done
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, Aborted, OutcomeOf(err))
	})
}

// Raw writes that Close gives up may have been applied.
func TestCloseGivesUpRawWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		db, err := New(c.ports())
		require.NoError(t, err)
		raw := db.Raw()
		c.all(hung)
		writes := map[string]func() error{
			"put":          func() error { return raw.Put(t.Context(), b("a"), b("1")) },
			"batch put":    func() error { return raw.BatchPut(t.Context(), []KV{{Key: b("a")}}) },
			"delete range": func() error { return raw.DeleteRange(t.Context(), b("a"), b("b")) },
		}
		errs := make(chan error)
		for _, write := range writes {
			go func() { errs <- write() }()
		}
		pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, db.Close(ctx), ErrCancelled)
		for range writes {
			err := <-errs
			require.ErrorIs(t, err, ErrClosed)
			require.Equal(t, Unknown, OutcomeOf(err))
		}
	})
}

// visits counts transitions.
type visits struct{ n atomic.Int64 }

func (v *visits) Visit(string, string, ports.EventKind) { v.n.Add(1) }

// pauses notes the length of pauses.
type pauses struct {
	notes
	waits []time.Duration
}

func (p *pauses) OnBackoff(_ string, wait time.Duration) { p.waits = append(p.waits, wait) }

// What simulated runs fix: equal seeds pause equally long, and transitions are
// counted.
func TestOptionsOfSimulatedRuns(t *testing.T) {
	var all [2]pauses
	var counted visits
	for i := range all {
		bubble(t, func(t *testing.T, c *cluster, db *Client) {
			c.on(ports.VerbGet, busy)
			_, err := db.SnapshotAt(1).Get(t.Context(), b("a"))
			require.ErrorIs(t, err, ErrUnavailable)
		}, WithSeed(7), WithVisitor(&counted), WithPanics(), WithHost(drive.Host{}), WithObserver(&all[i]),
			WithDefaultTimeout(time.Second))
	}
	require.NotEmpty(t, all[0].waits)
	require.Equal(t, all[0].waits, all[1].waits)
	require.NotZero(t, counted.n.Load())
}

// notes is what an observer was told.
type notes struct{ attempts, backoffs, loads, commits []any }

func (n *notes) OnAttempt(a ports.Attempt)                 { n.attempts = append(n.attempts, a.Verb) }
func (n *notes) OnBackoff(kind string, _ time.Duration)    { n.backoffs = append(n.backoffs, kind) }
func (n *notes) OnRegionLoad(regions int, _ time.Duration) { n.loads = append(n.loads, regions) }
func (n *notes) OnCommit(outcome string, keys int, _ time.Duration) {
	n.commits = append(n.commits, outcome, keys)
}

func TestObserverAndLogger(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelWarn} {
		var text bytes.Buffer
		seen := &notes{}
		logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}))
		bubble(t, func(t *testing.T, c *cluster, db *Client) {
			put(t, db, "secret=hidden")
			tx := begin(t, db)
			put(t, db, "secret=hidden")
			require.NoError(t, tx.Put(b("secret"), b("hidden")))
			_, err := tx.Commit(t.Context())
			require.ErrorIs(t, err, ErrConflict)
			tx = usable(t, db)
			c.on(ports.VerbCommit, requestLost)
			_, err = tx.Commit(t.Context())
			require.Equal(t, Unknown, OutcomeOf(err))
			c.on(ports.VerbCommit, served)
		}, WithObserver(seen), WithLogger(logger), WithDefaultTimeout(time.Second))
		require.Equal(t, []any{"committed", 1, "committed", 1, "aborted", 1, "unknown", 1}, seen.commits)
		require.Contains(t, seen.attempts, any(ports.VerbPrewrite))
		require.Contains(t, seen.loads, any(1))
		require.NotEmpty(t, seen.backoffs)
		require.Contains(t, text.String(), "level=WARN msg=commit outcome=unknown keys=1")
		require.NotContains(t, text.String(), "secret")
		require.NotContains(t, text.String(), "hidden")
		for _, line := range []string{
			`msg="attempt failed" store=3 region=1 why="connection failed"`, "msg=backoff kind=",
			`msg="regions loaded" regions=1`,
			"msg=commit outcome=committed keys=1",
		} {
			require.Equal(t, level == slog.LevelDebug, bytes.Contains(text.Bytes(), []byte(line)), line)
		}
	}
}

// A commit that cannot take its locks away again says so once, after its caller has
// left.
func TestLocksLeftBehindAreLogged(t *testing.T) {
	var text bytes.Buffer
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("secret"), b("hidden")))
		c.all(hung)
		_, err := tx.Commit(t.Context())
		require.Equal(t, Aborted, OutcomeOf(err))
	}, WithLogger(slog.New(slog.NewTextHandler(&text, nil))), WithDefaultTimeout(time.Second))
	require.Equal(t, 1, bytes.Count(text.Bytes(), []byte("\n")), text.String())
	require.Contains(t, text.String(), `level=WARN msg="locks left behind" why="tikvx: clean up: unavailable: deadline`)
	require.NotContains(t, text.String(), "secret")
}

func TestLoggerAlone(t *testing.T) {
	var text bytes.Buffer
	j := journal{logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	j.OnAttempt(ports.Attempt{})
	j.OnAttempt(ports.Attempt{Fault: ports.FaultNotLeader})
	j.OnBackoff("regionMiss", 1)
	j.OnRegionLoad(1, 1)
	j.OnCommit("committed", 1, 1)
	require.Equal(t, 4, bytes.Count(text.Bytes(), []byte("\n")), "what a region served is not logged")
	require.Contains(t, text.String(), `why="not leader"`)

	s := clientSettings{}
	require.Nil(t, s.watcher(), "silent by default")
	require.Nil(t, s.troubled(), "silent by default")
}
