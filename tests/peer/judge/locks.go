package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/tikv"
	"github.com/tikv/client-go/v2/txnkv/transaction"
	"golang.org/x/sync/errgroup"
)

var locks = []check[*tikv.KVStore]{
	{"a counter under locks", counter},
	{"a lock that is waited for", waited},
	{"a lock that is not waited for", notWaited},
	{"a deadlock", deadlock},
	{"a lock that is not needed any more", released},
}

// pessimistic begins a transaction that locks before it writes.
func pessimistic(s *tikv.KVStore) (*transaction.KVTxn, error) {
	tx, err := s.Begin()
	if err == nil {
		tx.SetPessimistic(true)
	}
	return tx, err
}

// lock locks a key at the latest timestamp, as often as newer versions ask for it.
func lock(ctx context.Context, s *tikv.KVStore, tx *transaction.KVTxn, wait int64, key string) (*kv.LockCtx, error) {
	for {
		ts, err := s.CurrentTimestamp("global")
		if err != nil {
			return nil, err
		}
		how := kv.NewLockCtx(ts, wait, time.Now())
		how.InitReturnValues(1)
		err = tx.LockKeys(ctx, how, []byte(key))
		if err == nil || !tikverr.IsErrWriteConflict(err) {
			return how, err
		}
	}
}

// counter is raised by four workers that wait for each other; no increment is lost.
func counter(ctx context.Context, s *tikv.KVStore) error {
	const key = "k/counter"
	var workers errgroup.Group
	for range 4 {
		workers.Go(func() error {
			for range 8 {
				tx, err := pessimistic(s)
				if err != nil {
					return err
				}
				how, err := lock(ctx, s, tx, kv.LockAlwaysWait, key)
				if err != nil {
					return err
				}
				n := 0
				if v := how.Values[key]; v.Exists {
					if n, err = strconv.Atoi(string(v.Value)); err != nil {
						return err
					}
				}
				if err := tx.Set([]byte(key), strconv.AppendInt(nil, int64(n+1), 10)); err != nil {
					return err
				}
				if err := tx.Commit(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return err
	}
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	v, err := s.GetSnapshot(ts).Get(ctx, []byte(key))
	if err != nil || string(v) != "32" {
		return fmt.Errorf("the counter is %q, %w", v, err)
	}
	return nil
}

// waited: who waits for a lock gets it when it is released, and in force-lock mode
// learns what was committed meanwhile.
func waited(ctx context.Context, s *tikv.KVStore) error {
	for _, fair := range []bool{false, true} {
		holder, err := pessimistic(s)
		if err != nil {
			return err
		}
		if _, err := lock(ctx, s, holder, kv.LockNoWait, "k/waited"); err != nil {
			return err
		}
		waiter, err := pessimistic(s)
		if err != nil {
			return err
		}
		if fair {
			waiter.StartAggressiveLocking()
		}
		var waiting errgroup.Group
		waiting.Go(func() error {
			how, err := lock(ctx, s, waiter, kv.LockAlwaysWait, "k/waited")
			if err == nil && string(how.Values["k/waited"].Value) != strconv.FormatBool(fair) {
				err = fmt.Errorf("the value is %q", how.Values["k/waited"].Value)
			}
			return err
		})
		if err := holder.Set([]byte("k/waited"), strconv.AppendBool(nil, fair)); err != nil {
			return err
		}
		if err := holder.Commit(ctx); err != nil {
			return err
		}
		if err := waiting.Wait(); err != nil {
			return err
		}
		if fair {
			waiter.DoneAggressiveLocking(ctx)
		}
		if err := waiter.Rollback(); err != nil {
			return err
		}
	}
	return nil
}

// notWaited: who does not wait, or not for ever, is told.
func notWaited(ctx context.Context, s *tikv.KVStore) error {
	holder, err := pessimistic(s)
	if err != nil {
		return err
	}
	if _, err := lock(ctx, s, holder, kv.LockNoWait, "k/held"); err != nil {
		return err
	}
	for _, c := range []struct {
		wait int64
		want error
	}{{kv.LockNoWait, tikverr.ErrLockAcquireFailAndNoWaitSet}, {50, tikverr.ErrLockWaitTimeout}} {
		other, err := pessimistic(s)
		if err != nil {
			return err
		}
		if _, err := lock(ctx, s, other, c.wait, "k/held"); !errors.Is(err, c.want) {
			return fmt.Errorf("%w instead of %w", err, c.want)
		}
		if err := other.Rollback(); err != nil {
			return err
		}
	}
	return holder.Rollback()
}

// deadlock: of two that wait for each other, one is told so, and the other gets on.
func deadlock(ctx context.Context, s *tikv.KVStore) error {
	var txns [2]*transaction.KVTxn
	keys := [2]string{"k/left", "k/right"}
	for i := range txns {
		tx, err := pessimistic(s)
		if err != nil {
			return err
		}
		if _, err := lock(ctx, s, tx, kv.LockNoWait, keys[i]); err != nil {
			return err
		}
		txns[i] = tx
	}
	var both errgroup.Group
	var met [2]bool
	for i, tx := range txns {
		both.Go(func() error {
			_, err := lock(ctx, s, tx, kv.LockAlwaysWait, keys[1-i])
			var dead *tikverr.ErrDeadlock
			if errors.As(err, &dead) {
				met[i], err = true, nil
			}
			return errors.Join(err, tx.Rollback())
		})
	}
	if err := both.Wait(); err != nil {
		return err
	}
	if met[0] == met[1] {
		return fmt.Errorf("deadlocks met: %v", met)
	}
	return nil
}

// released: a rollback lets the next one in at once.
func released(ctx context.Context, s *tikv.KVStore) error {
	for range 3 {
		tx, err := pessimistic(s)
		if err != nil {
			return err
		}
		if _, err := lock(ctx, s, tx, kv.LockAlwaysWait, "k/released"); err != nil {
			return err
		}
		if err := tx.Rollback(); err != nil {
			return err
		}
	}
	return nil
}
