package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tikv/client-go/v2/tikv"
	"github.com/tikv/pd/client/constants"
)

// administration comes last: it moves the safe point.
var administration = []check[*tikv.KVStore]{
	{"regions that are cut and scattered", cut},
	{"ranges that are deleted", deleted},
	{"garbage", garbage},
}

// put writes keys in one transaction.
func put(ctx context.Context, s *tikv.KVStore, value string, keys ...string) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := tx.Set([]byte(k), []byte(value)); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// count returns how many keys there are in a range.
func count(s *tikv.KVStore, from, to string) (n int, err error) {
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return 0, err
	}
	it, err := s.GetSnapshot(ts).Iter([]byte(from), []byte(to))
	for ; err == nil && it.Valid(); err = it.Next() {
		n++
	}
	return n, err
}

func cut(ctx context.Context, s *tikv.KVStore) error {
	if err := put(ctx, s, "v", "cut/a", "cut/b", "cut/c"); err != nil {
		return err
	}
	ids, err := s.SplitRegions(ctx, [][]byte{[]byte("cut/c"), []byte("cut/b")}, true, nil)
	if err != nil || len(ids) != 2 {
		return fmt.Errorf("regions %v, %w", ids, err)
	}
	for _, id := range ids {
		if err := s.WaitScatterRegionFinish(ctx, id, 0); err != nil {
			return err
		}
	}
	again, err := s.SplitRegions(ctx, [][]byte{[]byte("cut/b")}, false, nil)
	if err != nil || len(again) != 0 {
		return fmt.Errorf("a bound was cut into %v, %w", again, err)
	}
	if n, err := count(s, "cut/", "cut0"); err != nil || n != 3 {
		return fmt.Errorf("%d keys of 3, %w", n, err)
	}
	return nil
}

func deleted(ctx context.Context, s *tikv.KVStore) error {
	if err := put(ctx, s, "v", "cut/aa", "cut/bb", "cut/cc", "cut/dd"); err != nil {
		return err
	}
	if n, err := s.DeleteRange(ctx, []byte("cut/aa"), []byte("cut/bb"), 2); err != nil || n != 2 {
		return fmt.Errorf("%d regions of 2, %w", n, err)
	}
	if n, err := count(s, "cut/", "cut0"); err != nil || n != 5 {
		return fmt.Errorf("%d keys of 5, %w", n, err)
	}
	if err := s.UnsafeDestroyRange(ctx, []byte("cut/"), []byte("cut/d")); err != nil {
		return err
	}
	if n, err := count(s, "cut/", "cut0"); err != nil || n != 1 {
		return fmt.Errorf("%d keys of 1, %w", n, err)
	}
	return nil
}

// garbage moves the safe points as far as a barrier lets it, and then on.
func garbage(ctx context.Context, s *tikv.KVStore) error {
	if err := put(ctx, s, "old", "gc/a"); err != nil {
		return err
	}
	held, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	if err := put(ctx, s, "new", "gc/a"); err != nil {
		return err
	}
	target, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	states := s.GetPDClient().GetGCStatesClient(constants.NullKeyspaceID)
	if _, err := states.SetGCBarrier(ctx, "judge", held, time.Hour); err != nil {
		return err
	}
	if got, err := collect(ctx, s, target); err != nil || got != held {
		return fmt.Errorf("the barrier at %d let it get to %d, %w", held, got, err)
	}
	if _, err := states.SetGCBarrier(ctx, "late", held-1, time.Hour); err == nil {
		return errors.New("a barrier behind the safe point")
	}
	state, err := states.GetGCState(ctx)
	if err != nil || len(state.GCBarriers) != 1 || state.TxnSafePoint != held || state.GCSafePoint != held {
		return fmt.Errorf("state %+v, %w", state, err)
	}
	if b, err := states.DeleteGCBarrier(ctx, "judge"); err != nil || b.BarrierTS != held {
		return fmt.Errorf("deleted %v, %w", b, err)
	}
	if got, err := collect(ctx, s, target); err != nil || got != target {
		return fmt.Errorf("%d instead of %d, %w", got, target, err)
	}
	v, err := s.GetSnapshot(target).Get(ctx, []byte("gc/a"))
	if err != nil || string(v) != "new" {
		return fmt.Errorf("what is newest is %q, %w", v, err)
	}
	return nil
}

// collect moves the txn safe point as far as it may go, and lets client-go do the rest: this version of it moves the
// GC safe point only.
func collect(ctx context.Context, s *tikv.KVStore, target uint64) (uint64, error) {
	moved, err := s.GetPDClient().GetGCInternalController(constants.NullKeyspaceID).AdvanceTxnSafePoint(ctx, target)
	if err != nil {
		return 0, err
	}
	return s.GC(ctx, moved.NewTxnSafePoint)
}
