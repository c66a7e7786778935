// Package suite is the end-to-end suite: what a user does with transactions, held
// against a running cluster.
package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx"
)

// check is one thing that must work.
type check struct {
	name string
	run  func(ctx context.Context, db *tikvx.Client, prefix string) error
}

var checks = []check{
	{"a missing key is ErrNotFound", missingKey},
	{"a committed value is read back", readBack},
	{"a transaction reads its own writes", ownWrites},
	{"a snapshot does not move", snapshotStays},
	{"of two writers of a key one conflicts", conflict},
	{"an insert of an existing key fails", insertExisting},
	{"many keys in many regions commit together", manyRegions},
	{"scans see the buffer over the snapshot, both ways", scans},
	{"a savepoint undoes what came after it", savepoint},
	{"a rolled back transaction leaves nothing", rolledBack},
	{"the locks of a client that vanished are resolved", vanishedClient},
	{"Update retries until every increment counts", increments},
}

// Run runs every check on keys of its own; progress is told each name.
func Run(ctx context.Context, db *tikvx.Client, progress func(name string)) error {
	for i, c := range checks {
		progress(c.name)
		bounded, cancel := context.WithTimeout(ctx, 60*time.Second)
		err := c.run(bounded, db, fmt.Sprintf("suite/%02d/", i))
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

func missingKey(ctx context.Context, db *tikvx.Client, prefix string) error {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	_, err = snap.Get(ctx, []byte(prefix+"nothing"))
	return expectError(err, tikvx.ErrNotFound)
}

func readBack(ctx context.Context, db *tikvx.Client, prefix string) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Put([]byte(prefix+"k"), []byte("v")); err != nil {
		return err
	}
	commit, err := tx.Commit(ctx)
	if err != nil {
		return err
	}
	if err := expectValue(ctx, db.SnapshotAt(commit.TS), prefix+"k", "v"); err != nil {
		return err
	}
	_, err = db.SnapshotAt(commit.TS-1).Get(ctx, []byte(prefix+"k"))
	return expectError(err, tikvx.ErrNotFound)
}

func ownWrites(ctx context.Context, db *tikvx.Client, prefix string) error {
	return db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		if err := tx.Put([]byte(prefix+"k"), []byte("mine")); err != nil {
			return err
		}
		v, err := tx.Get(ctx, []byte(prefix+"k"))
		if err != nil {
			return err
		}
		if string(v) != "mine" {
			return fmt.Errorf("read %q", v)
		}
		if err := tx.Delete([]byte(prefix + "k")); err != nil {
			return err
		}
		_, err = tx.Get(ctx, []byte(prefix+"k"))
		return expectError(err, tikvx.ErrNotFound)
	})
}

func snapshotStays(ctx context.Context, db *tikvx.Client, prefix string) error {
	if err := put(ctx, db, prefix+"k", "old"); err != nil {
		return err
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	if err := put(ctx, db, prefix+"k", "new"); err != nil {
		return err
	}
	return expectValue(ctx, snap, prefix+"k", "old")
}

func conflict(ctx context.Context, db *tikvx.Client, prefix string) error {
	first, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	second, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(first.Put([]byte(prefix+"k"), []byte("1")), second.Put([]byte(prefix+"k"), []byte("2")))
	if err != nil {
		return err
	}
	if _, err := first.Commit(ctx); err != nil {
		return err
	}
	_, err = second.Commit(ctx)
	if tikvx.OutcomeOf(err) != tikvx.Aborted || !tikvx.Retryable(err) {
		return fmt.Errorf("the second commit: outcome %v, retryable %v: %w", tikvx.OutcomeOf(err), tikvx.Retryable(err), err)
	}
	return nil
}

func insertExisting(ctx context.Context, db *tikvx.Client, prefix string) error {
	if err := put(ctx, db, prefix+"k", "there"); err != nil {
		return err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Insert([]byte(prefix+"k"), []byte("mine")); err != nil {
		return err
	}
	_, err = tx.Commit(ctx)
	return expectError(err, tikvx.ErrKeyExists)
}

// manyRegions writes below, between and above the letters at which unistore
// splits its first regions.
func manyRegions(ctx context.Context, db *tikvx.Client, prefix string) error {
	var keys [][]byte
	for c := byte('a'); c <= 'z'; c++ {
		for i := range 20 {
			keys = append(keys, fmt.Appendf(nil, "%c/%s%03d", c, prefix, i))
		}
	}
	err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		for _, k := range keys {
			if err := tx.Put(k, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	found, err := snap.BatchGet(ctx, keys)
	if err != nil {
		return err
	}
	if len(found) != len(keys) {
		return fmt.Errorf("%d of %d keys are there", len(found), len(keys))
	}
	return nil
}

func scans(ctx context.Context, db *tikvx.Client, prefix string) error {
	err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		for i := range 10 {
			if err := tx.Put(fmt.Appendf(nil, "%s%d", prefix, i), []byte("s")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		err := errors.Join(tx.Delete([]byte(prefix+"3")),
			tx.Put([]byte(prefix+"45"), []byte("b")), tx.Put([]byte(prefix+"7"), []byte("b")))
		if err != nil {
			return err
		}
		want := []string{"0=s", "1=s", "2=s", "4=s", "45=b", "5=s", "6=s", "7=b", "8=s", "9=s"}
		if err := expectScan(ctx, tx, prefix, want, tikvx.Prefix([]byte(prefix))); err != nil {
			return err
		}
		slices.Reverse(want)
		return expectScan(ctx, tx, prefix, want, tikvx.Prefix([]byte(prefix)), tikvx.Reverse())
	})
}

func savepoint(ctx context.Context, db *tikvx.Client, prefix string) error {
	err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		if err := tx.Put([]byte(prefix+"a"), []byte("kept")); err != nil {
			return err
		}
		sp := tx.Savepoint()
		err := errors.Join(tx.Put([]byte(prefix+"a"), []byte("undone")), tx.Put([]byte(prefix+"b"), []byte("undone")))
		if err != nil {
			return err
		}
		return sp.Rollback()
	})
	if err != nil {
		return err
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	if err := expectValue(ctx, snap, prefix+"a", "kept"); err != nil {
		return err
	}
	_, err = snap.Get(ctx, []byte(prefix+"b"))
	return expectError(err, tikvx.ErrNotFound)
}

func rolledBack(ctx context.Context, db *tikvx.Client, prefix string) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.Put([]byte(prefix+"k"), []byte("v")); err != nil {
		return err
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	return missingKey(ctx, db, prefix)
}

// vanishedClient lets a commit be abandoned half way by cancelling it, several
// times at several moments, and expects later readers to get along.
func vanishedClient(ctx context.Context, db *tikvx.Client, prefix string) error {
	for i := range 20 {
		tx, err := db.Begin(ctx)
		if err != nil {
			return err
		}
		for _, c := range "amnz" {
			if err := tx.Put(fmt.Appendf(nil, "%c/%s%d", c, prefix, i), []byte("v")); err != nil {
				return err
			}
		}
		bounded, cancel := context.WithTimeout(ctx, time.Duration(i)*200*time.Microsecond)
		_, err = tx.Commit(bounded)
		cancel()
		if err := allOrNothing(ctx, db, prefix, i, tikvx.OutcomeOf(err)); err != nil {
			return err
		}
	}
	return nil
}

func allOrNothing(ctx context.Context, db *tikvx.Client, prefix string, i int, reported tikvx.Outcome) error {
	var keys [][]byte
	for _, c := range "amnz" {
		keys = append(keys, fmt.Appendf(nil, "%c/%s%d", c, prefix, i))
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	found, err := snap.BatchGet(ctx, keys)
	if err != nil {
		return err
	}
	switch {
	case len(found) != 0 && len(found) != len(keys):
		return fmt.Errorf("%d of %d keys are visible", len(found), len(keys))
	case reported == tikvx.Committed && len(found) == 0, reported == tikvx.Aborted && len(found) > 0:
		return fmt.Errorf("reported %v, and %d of %d keys are visible", reported, len(found), len(keys))
	}
	return nil
}

func increments(ctx context.Context, db *tikvx.Client, prefix string) error {
	const workers, each = 8, 25
	done := make(chan error, workers)
	for range workers {
		go func() {
			var err error
			for range each {
				err = errors.Join(err, db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
					v, err := tx.Get(ctx, []byte(prefix+"n"))
					if err != nil && !errors.Is(err, tikvx.ErrNotFound) {
						return err
					}
					return tx.Put([]byte(prefix+"n"), append(bytes.Clone(v), '+'))
				}))
			}
			done <- err
		}()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		return err
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	v, err := snap.Get(ctx, []byte(prefix+"n"))
	if err == nil && len(v) != workers*each {
		err = fmt.Errorf("%d increments counted of %d", len(v), workers*each)
	}
	return err
}
