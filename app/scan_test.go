package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// small pages make scans read several of them.
func smallPages() ClientOption {
	k := sm.DefaultKnobs()
	k.ScanPage = 3
	return WithKnobs(k)
}

// digits commits d0 to d9.
func digits(t *testing.T, db *Client) {
	var pairs []string
	for i := range 10 {
		pairs = append(pairs, fmt.Sprintf("d%d=%d", i, i))
	}
	put(t, db, pairs...)
}

// collect writes what a scan yields as "key=value key=value", ending with the error's
// code.
func collect(seq func(func(KV, error) bool)) string {
	var texts []string
	for kv, err := range seq {
		switch {
		case err != nil:
			texts = append(texts, err.(*Error).Code.text()+" ("+err.(*Error).Argument+")")
		case kv.Value == nil:
			texts = append(texts, string(kv.Key))
		default:
			texts = append(texts, string(kv.Key)+"="+string(kv.Value))
		}
	}
	return strings.Join(texts, " ")
}

func TestScan(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		put(t, db, "c=before", "e=after")
		tx := begin(t, db)
		require.NoError(t, tx.Delete(b("d3")))
		require.NoError(t, tx.Put(b("d45"), b("own")))
		require.NoError(t, tx.Put(b("d7"), b("own")))
		require.NoError(t, tx.Put(b("f"), b("own")))
		for _, tt := range []struct {
			want string
			opts []ScanOption
		}{
			{"c=before d0=0 d1=1 d2=2 d4=4 d45=own d5=5 d6=6 d7=own d8=8 d9=9 e=after f=own", nil},
			{"d0=0 d1=1 d2=2 d4=4 d45=own d5=5 d6=6 d7=own d8=8 d9=9", []ScanOption{Prefix(b("d"))}},
			{"d9=9 d8=8 d7=own d6=6 d5=5 d45=own d4=4 d2=2 d1=1 d0=0", []ScanOption{Prefix(b("d")), Reverse()}},
			{"d2=2 d4=4 d45=own", []ScanOption{Range(b("d2"), b("d5"))}},
			{"d2 d4 d45", []ScanOption{Range(b("d2"), b("d5")), KeysOnly()}},
			{"f=own e=after d9=9 d8=8 d7=own", []ScanOption{Reverse(), Limit(5)}},
			{"d2=2 d4=4 d45=own d5=5", []ScanOption{Range(b("d2"), nil), Limit(4)}},
			{"c=before d0=0", []ScanOption{Limit(9), Range(nil, b("d1")), Limit(2)}},
			{"d45=own", []ScanOption{Prefix(b("d")), Prefix(b("d45"))}},
			{"", []ScanOption{Prefix(b("g"))}},
			{"", []ScanOption{Range(b("d"), b("d"))}},
			{"misuse (range)", []ScanOption{Range(b("d"), b("c"))}},
			{"misuse (limit)", []ScanOption{Limit(0)}},
			{"misuse (limit)", []ScanOption{Limit(-1)}},
		} {
			require.Equal(t, tt.want, collect(tx.Scan(t.Context(), tt.opts...)))
		}
		scan := tx.Scan(t.Context(), Prefix(b("d4")))
		require.Equal(t, "d4=4 d45=own", collect(scan))
		require.Equal(t, "d4=4 d45=own", collect(scan), "each loop begins anew")
		require.Equal(t, "d4=4", collect(db.SnapshotAt(tx.StartTS()).Scan(t.Context(), Prefix(b("d4")))))
	}, smallPages())
}

// What is known to be empty or wrong is not sent.
func TestScanOfNothingSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		tx := begin(t, db)
		for _, opts := range [][]ScanOption{{Range(b("a"), b("a"))}, {Range(b("b"), b("a"))}, {Limit(0)}} {
			collect(tx.Scan(t.Context(), opts...))
		}
		require.Zero(t, c.count())
	})
}

// The loop sees the buffer as it was when it began, may write, and owns what it gets.
func TestScanLoopWrites(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("d55"), b("own")))
		seen := ""
		for kv, err := range tx.Scan(t.Context(), Prefix(b("d"))) {
			require.NoError(t, err)
			seen += string(kv.Key) + " "
			require.NoError(t, tx.Delete(kv.Key))
			require.NoError(t, tx.Put(append(kv.Key, 'x'), b("new")))
			copy(kv.Key, "zzz")
			copy(kv.Value, "zzz")
		}
		require.Equal(t, "d0 d1 d2 d3 d4 d5 d55 d6 d7 d8 d9 ", seen)
		require.Equal(t, "d0x d1x d2x d3x d4x d55x d5x d6x d7x d8x d9x",
			collect(tx.Scan(t.Context(), KeysOnly())))
	}, smallPages())
}

// Leaving the loop leaves nothing behind: pages that nobody wants are not read.
func TestScanBreak(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		tx := begin(t, db)
		for kv, err := range tx.Scan(t.Context()) {
			require.NoError(t, err)
			if string(kv.Key) == "d2" {
				break
			}
		}
		pass(time.Second)
		require.Equal(t, 1, c.count(ports.VerbScan))
		require.NoError(t, tx.Put(b("a"), b("1")), "the scan does not use the transaction any more")

		for range tx.Scan(t.Context(), Limit(2)) {
			continue
		}
		require.Equal(t, 2, c.count(ports.VerbScan), "a page is no longer than what is wanted")
	}, smallPages())
}

func TestScanFails(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		s := db.SnapshotAt(begin(t, db).StartTS())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		var last error
		for _, err := range s.Scan(ctx) {
			if n++; n == 2 {
				c.on(ports.VerbScan, hung)
			}
			last = err
		}
		require.Equal(t, 4, n, "a page, then the error, then nothing")
		require.ErrorIs(t, last, ErrUnavailable)
		require.ErrorIs(t, last, context.DeadlineExceeded)
	}, smallPages())
}

// A transaction that ends ends its scans.
func TestScanOfAnEndedTransaction(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		tx := begin(t, db)
		var errs []error
		for _, err := range tx.Scan(t.Context()) {
			errs = append(errs, err)
			require.NoError(t, tx.Rollback(t.Context()))
		}
		require.Len(t, errs, 2)
		require.ErrorIs(t, errs[1], ErrFinished)

		tx = begin(t, db)
		errs = nil
		n := 0
		for _, err := range tx.Scan(t.Context()) {
			errs = append(errs, err)
			if n++; n == 3 { // the page is used up: the next thing is a request
				require.NoError(t, tx.Rollback(t.Context()))
			}
		}
		require.Len(t, errs, 4)
		require.ErrorIs(t, errs[3], ErrFinished)
	}, smallPages())
}

func TestScanBesideACommit(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		digits(t, db)
		tx := begin(t, db)
		require.NoError(t, tx.Put(b("x"), b("1")))
		done := make(chan error, 1)
		var last error
		n := 0
		for _, err := range tx.Scan(t.Context()) {
			last = err
			if n++; n == 3 {
				go func() {
					_, err := tx.Commit(t.Context())
					done <- err
				}()
				synctest.Wait()
			}
		}
		require.ErrorIs(t, last, ErrConcurrentUse)
		require.NoError(t, <-done)
	}, smallPages())
}

func TestUnreadableTimestamps(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		for _, ts := range []ports.Timestamp{0, 1 << 63, ports.MaxTimestamp - 1} {
			_, err := db.SnapshotAt(ts).Get(t.Context(), b("a"))
			require.ErrorIs(t, err, ErrMisuse)
		}
		_, err := db.SnapshotAt(1).Get(t.Context(), nil)
		require.ErrorIs(t, err, ErrMisuse)
		_, err = db.SnapshotAt(1).BatchGet(t.Context(), keys(""))
		require.ErrorIs(t, err, ErrMisuse)
		newest := db.SnapshotAt(ports.MaxTimestamp)
		_, err = newest.BatchGet(t.Context(), keys("a"))
		require.ErrorIs(t, err, ErrMisuse, "no consistent state of several keys is the newest")
		require.Equal(t, "misuse (timestamp)", collect(newest.Scan(t.Context())))
		require.Zero(t, c.count())
	})
}
