package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/tikv"
	"github.com/tikv/client-go/v2/txnkv/transaction"
)

// leftovers are checks of what clients leave behind, and of where else they read.
var leftovers = []check[*tikv.KVStore]{
	{"a client that dies before it commits", func(ctx context.Context, s *tikv.KVStore) error {
		return died(ctx, s, "dead", false)
	}},
	{"a client that dies after an async commit", func(ctx context.Context, s *tikv.KVStore) error {
		return died(ctx, s, "alive", true)
	}},
	{"a client that dies with its locks", diedLocking},
	{"followers", followers},
	{"a pipelined transaction", pipelined},
}

// died prewrites keys in all regions and is not heard of again: who reads them finds out
// that it was rolled back, or, with async commit, that it is committed.
func died(ctx context.Context, s *tikv.KVStore, prefix string, async bool) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	var keys [][]byte
	for i := range 6 {
		keys = append(keys, fmt.Appendf(nil, "%c/%s/%d", 'a'+i%3*10, prefix, i))
		if err := tx.Set(keys[i], []byte("left")); err != nil {
			return err
		}
	}
	committer, err := transaction.TxnProbe{KVTxn: tx}.NewCommitter(1)
	if err != nil {
		return err
	}
	if async {
		committer.SetUseAsyncCommit()
	}
	committer.SetLockTTL(10)
	if err := committer.PrewriteAllMutations(ctx); err != nil {
		return err
	}
	committer.CloseTTLManager()
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	for _, k := range keys {
		v, err := s.GetSnapshot(ts).Get(ctx, k)
		switch {
		case async && (err != nil || string(v) != "left"):
			return fmt.Errorf("the key is %q, %w", v, err)
		case !async && !tikverr.IsErrNotFound(err):
			return fmt.Errorf("the key is %q, %w", v, err)
		}
	}
	return nil
}

// diedLocking: pessimistic locks of the dead are in nobody's way for longer than they live.
func diedLocking(ctx context.Context, s *tikv.KVStore) error {
	life := atomic.SwapUint64(&transaction.ManagedLockTTL, 300)
	defer atomic.StoreUint64(&transaction.ManagedLockTTL, life)
	dead, err := pessimistic(s)
	if err != nil {
		return err
	}
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	if err := dead.LockKeys(ctx, kv.NewLockCtx(ts, kv.LockNoWait, time.Now()), []byte("k/orphan")); err != nil {
		return err
	}
	committer := transaction.TxnProbe{KVTxn: dead}.GetCommitter()
	committer.CloseTTLManager()
	next, err := pessimistic(s)
	if err != nil {
		return err
	}
	if _, err := lock(ctx, s, next, kv.LockAlwaysWait, "k/orphan"); err != nil {
		return err
	}
	return next.Rollback()
}

// followers answer after they have asked their leader how far they must have come.
func followers(ctx context.Context, s *tikv.KVStore) error {
	for i := range 5 {
		tx, err := s.Begin()
		if err != nil {
			return err
		}
		if err := tx.Set([]byte("k/followed"), strconv.AppendInt(nil, int64(i), 10)); err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		ts, err := s.CurrentTimestamp("global")
		if err != nil {
			return err
		}
		for _, from := range []kv.ReplicaReadType{kv.ReplicaReadFollower, kv.ReplicaReadMixed, kv.ReplicaReadPreferLeader} {
			snapshot := s.GetSnapshot(ts)
			snapshot.SetReplicaRead(from)
			if v, err := snapshot.Get(ctx, []byte("k/followed")); err != nil || string(v) != strconv.Itoa(i) {
				return fmt.Errorf("a follower has %q instead of %d, %w", v, i, err)
			}
		}
		// A stale read that is too fresh for followers is the leader's.
		snapshot := s.GetSnapshot(ts)
		snapshot.SetIsStalenessReadOnly(true)
		if v, err := snapshot.Get(ctx, []byte("k/followed")); err != nil || string(v) != strconv.Itoa(i) {
			return fmt.Errorf("a stale read finds %q instead of %d, %w", v, i, err)
		}
	}
	return nil
}

// pipelined flushes a transaction in parts, reads them, and commits.
func pipelined(ctx context.Context, s *tikv.KVStore) error {
	tx, err := s.Begin(tikv.WithDefaultPipelinedTxn())
	if err != nil {
		return err
	}
	const keys = 300
	key := func(i int) []byte { return fmt.Appendf(nil, "%c/pipe/%03d", 'a'+i%3*10, i) }
	for round := range 3 {
		for i := round; i < keys; i++ {
			if err := tx.Set(key(i), strconv.AppendInt(nil, int64(round), 10)); err != nil {
				return err
			}
		}
		if _, err := tx.GetMemBuffer().Flush(true); err != nil {
			return err
		}
	}
	if err := tx.GetMemBuffer().FlushWait(); err != nil {
		return err
	}
	if v, err := tx.Get(ctx, key(1)); err != nil || string(v) != "1" {
		return fmt.Errorf("the buffer holds %q, %w", v, err)
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	ts, err := s.CurrentTimestamp("global")
	if err != nil {
		return err
	}
	for i := range keys {
		if v, err := s.GetSnapshot(ts).Get(ctx, key(i)); err != nil || string(v) != strconv.Itoa(min(i, 2)) {
			return fmt.Errorf("key %d is %q, %w", i, v, err)
		}
	}
	return nil
}
