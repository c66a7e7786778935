package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/tikv"
	"github.com/tikv/client-go/v2/txnkv/transaction"
	"golang.org/x/sync/errgroup"
)

var transactions = []check[*tikv.KVStore]{
	{"two phases", func(ctx context.Context, s *tikv.KVStore) error { return written(ctx, s, "2pc", nil) }},
	{"async commit", func(ctx context.Context, s *tikv.KVStore) error {
		return written(ctx, s, "async", func(tx *transaction.KVTxn) { tx.SetEnableAsyncCommit(true) })
	}},
	{"one phase", func(ctx context.Context, s *tikv.KVStore) error {
		return written(ctx, s, "1pc", func(tx *transaction.KVTxn) { tx.SetEnable1PC(true) })
	}},
	{"snapshots", snapshots},
	{"a conflict", conflict},
	{"a bank", func(ctx context.Context, s *tikv.KVStore) error { return bank(ctx, s, false) }},
	{"a bank with async commit", func(ctx context.Context, s *tikv.KVStore) error { return bank(ctx, s, true) }},
}

// written writes keys in several regions and reads them back in every way.
func written(ctx context.Context, s *tikv.KVStore, prefix string, with func(*transaction.KVTxn)) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if with != nil {
		with(tx)
	}
	var keys [][]byte
	for i := range 30 {
		keys = append(keys, fmt.Appendf(nil, "%c/%s/%02d", 'a'+i%3*10, prefix, i))
		if err := tx.Set(keys[i], strconv.AppendInt(nil, int64(i), 10)); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	if ts <= tx.StartTS() {
		return fmt.Errorf("timestamp %d is not above %d", ts, tx.StartTS())
	}
	snapshot := s.GetSnapshot(ts)
	got, err := snapshot.BatchGet(ctx, append(keys, []byte("a/absent")))
	if err != nil {
		return err
	}
	if len(got) != len(keys) {
		return fmt.Errorf("%d of %d keys", len(got), len(keys))
	}
	for i, k := range keys {
		if v, err := s.GetSnapshot(ts).Get(ctx, k); err != nil || string(v) != strconv.Itoa(i) {
			return fmt.Errorf("key %d is %q, %w", i, v, err)
		}
	}
	return nil
}

// snapshots holds scans in both directions against what was there at their time.
func snapshots(ctx context.Context, s *tikv.KVStore) error {
	before, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	for _, k := range []string{"a/2pc/00", "k/2pc/01"} {
		if err := tx.Delete([]byte(k)); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	after, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		ts   uint64
		want int
	}{{before, 90}, {after, 88}} {
		up, err := s.GetSnapshot(c.ts).Iter(nil, nil)
		if err != nil {
			return err
		}
		down, err := s.GetSnapshot(c.ts).IterReverse([]byte("~"), nil)
		if err != nil {
			return err
		}
		for name, it := range map[string]interface {
			Valid() bool
			Next() error
		}{"forward": up, "backward": down} {
			n := 0
			for ; it.Valid(); n++ {
				if err := it.Next(); err != nil {
					return err
				}
			}
			if n != c.want {
				return fmt.Errorf("%d keys %s, not %d", n, name, c.want)
			}
		}
	}
	return nil
}

func conflict(ctx context.Context, s *tikv.KVStore) error {
	first, err := s.Begin()
	if err != nil {
		return err
	}
	second, err := s.Begin()
	if err != nil {
		return err
	}
	if err := errors.Join(first.Set([]byte("x"), []byte("1")), second.Set([]byte("x"), []byte("2"))); err != nil {
		return err
	}
	if err := first.Commit(ctx); err != nil {
		return err
	}
	if err := second.Commit(ctx); !tikverr.IsErrWriteConflict(err) {
		return fmt.Errorf("not a conflict: %w", err)
	}
	return nil
}

const (
	accounts = 8
	initial  = 100
)

func account(i int) []byte { return fmt.Appendf(nil, "%c/bank/%d", 'a'+i%3*10, i) }

// bank moves money in four workers and counts it.
func bank(ctx context.Context, s *tikv.KVStore, async bool) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	for i := range accounts {
		if err := tx.Set(account(i), strconv.AppendInt(nil, initial, 10)); err != nil {
			return err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	var workers errgroup.Group
	for w := range 4 {
		random := rand.New(rand.NewPCG(uint64(w), 7))
		workers.Go(func() error {
			for done := 0; done < 15; {
				from, to := random.IntN(accounts), random.IntN(accounts)
				err := transfer(ctx, s, from, to, async)
				switch {
				case err == nil:
					done++
				case !tikverr.IsErrWriteConflict(err):
					return err
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return err
	}
	return counted(ctx, s)
}

func transfer(ctx context.Context, s *tikv.KVStore, from, to int, async bool) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	tx.SetEnableAsyncCommit(async)
	tx.SetEnable1PC(async)
	if err := add(ctx, tx, account(from), -1); err != nil {
		return err
	}
	if err := add(ctx, tx, account(to), 1); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func add(ctx context.Context, tx *transaction.KVTxn, key []byte, amount int) error {
	v, err := tx.Get(ctx, key)
	if err != nil && !tikverr.IsErrNotFound(err) {
		return err
	}
	n := 0
	if len(v) > 0 {
		if n, err = strconv.Atoi(string(v)); err != nil {
			return err
		}
	}
	return tx.Set(key, strconv.AppendInt(nil, int64(n+amount), 10))
}

func counted(ctx context.Context, s *tikv.KVStore) error {
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	sum := 0
	for i := range accounts {
		v, err := s.GetSnapshot(ts).Get(ctx, account(i))
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(v))
		if err != nil {
			return err
		}
		sum += n
	}
	if sum != accounts*initial {
		return fmt.Errorf("the accounts hold %d, not %d", sum, accounts*initial)
	}
	return nil
}
