package mvcc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

type lockRequest = ports.PessimisticLockRequest

var lockCases = map[string]struct {
	change func(r *lockRequest)
	plant  *Lock
	err    ports.KeyErrorKind
	// forUpdate is that of the lock which is then there, 0 for none of this transaction.
	forUpdate ports.Timestamp
	reply     ports.PessimisticLockReply
}{
	"plain":         {change: func(*lockRequest) {}, forUpdate: 25},
	"value":         {change: func(r *lockRequest) { r.ReturnValues = true }, forUpdate: 25, reply: found("v")},
	"newer version": {change: func(r *lockRequest) { r.ForUpdateTS = 19 }, err: ports.KeyWriteConflict},
	"newer version, by force": {
		change: func(r *lockRequest) { r.ForUpdateTS, r.ForceLock = 19, true }, forUpdate: 20, reply: withConflict(20),
	},
	"same version": {change: func(r *lockRequest) { r.ForUpdateTS = 20 }, forUpdate: 20},
	"must not exist": {
		change: func(r *lockRequest) { r.Mutations[0].Assertion = ports.AssertNotExist }, err: ports.KeyAlreadyExists,
	},
	"locked by another": {
		change: func(*lockRequest) {}, plant: &Lock{StartTS: 11, Kind: ports.KindPessimisticLock}, err: ports.KeyLocked,
	},
	"if it exists": {
		change: func(r *lockRequest) { r.LockOnlyIfExists, r.ReturnValues = true, true }, forUpdate: 25, reply: found("v"),
	},
	"if it exists, without its value": {
		change: func(r *lockRequest) { r.LockOnlyIfExists = true }, err: ports.KeyAbort,
	},
	"two by force": {
		change: func(r *lockRequest) {
			r.ForceLock, r.Mutations = true, append(r.Mutations, ports.Mutation{Key: []byte("l")})
		},
		err: ports.KeyAbort,
	},
	"prewritten by itself": {change: func(*lockRequest) {}, plant: &Lock{StartTS: 15}, err: ports.KeyAbort},
	"held": {
		change: func(*lockRequest) {}, plant: &Lock{StartTS: 15, ForUpdateTS: 21, Kind: ports.KindPessimisticLock},
		forUpdate: 25,
	},
	"held for a newer version": {
		change: func(*lockRequest) {}, plant: &Lock{StartTS: 15, ForUpdateTS: 30, Kind: ports.KindPessimisticLock},
		forUpdate: 30,
	},
	"held, and asked for again by force": {
		change: func(r *lockRequest) { r.ForUpdateTS, r.ForceLock = 19, true }, forUpdate: 20, reply: withConflict(20),
		plant: &Lock{StartTS: 15, ForUpdateTS: 20, Kind: ports.KindPessimisticLock, WithConflict: true},
	},
	"held, and must not exist": {
		change: func(r *lockRequest) { r.Mutations[0].Assertion = ports.AssertNotExist }, err: ports.KeyAlreadyExists,
		plant:     &Lock{StartTS: 15, ForUpdateTS: 21, Kind: ports.KindPessimisticLock},
		forUpdate: 21,
	},
	"held for a newer version, and must not exist": {
		change: func(r *lockRequest) {
			r.ForUpdateTS, r.ForceLock, r.Mutations[0].Assertion = 19, true, ports.AssertNotExist
		},
		plant: &Lock{StartTS: 15, ForUpdateTS: 20, Kind: ports.KindPessimisticLock}, err: ports.KeyWriteConflict,
		forUpdate: 20,
	},
}

// One key with a value that was committed at 20 by the transaction of 10, and a request of the transaction of 15 to
// lock it.
func TestPessimisticLock(t *testing.T) {
	for name, c := range lockCases {
		t.Run(name, func(t *testing.T) {
			var e Engine
			prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
				Mutations: []ports.Mutation{{Key: []byte("k"), Value: []byte("v")}}, Primary: []byte("k"), StartTS: 10,
			})
			e.Commit(&ports.CommitRequest{Keys: [][]byte{[]byte("k")}, StartTS: 10, CommitTS: 20}, &ports.CommitReply{})
			if c.plant != nil {
				e.PutLock([]byte("k"), *c.plant)
			}
			req := &lockRequest{
				Mutations: []ports.Mutation{{Kind: ports.KindPessimisticLock, Key: []byte("k")}}, Primary: []byte("k"),
				StartTS: 15, ForUpdateTS: 25, TTL: 9,
			}
			c.change(req)
			before := e.AppendState(nil)
			var reply ports.PessimisticLockReply
			e.PessimisticLock(req, &reply)
			if c.err != ports.KeyErrorNone {
				require.Equal(t, c.err, reply.Errors[0].Kind)
				require.Equal(t, before, e.AppendState(nil), "what fails changes nothing")
			} else {
				require.Equal(t, c.reply, reply)
			}
			if l := lockOf(&e, "k"); c.forUpdate != 0 {
				require.Equal(t, c.forUpdate, l.ForUpdateTS)
				require.Equal(t, ports.KindPessimisticLock, l.Kind)
			}
		})
	}
}

func found(value string) ports.PessimisticLockReply {
	return ports.PessimisticLockReply{Values: [][]byte{[]byte(value)}, NotFounds: []bool{false}}
}

func withConflict(ts ports.Timestamp) ports.PessimisticLockReply {
	return ports.PessimisticLockReply{Results: []ports.LockResult{
		{Kind: ports.LockResultWithConflict, Value: []byte("v"), Existence: true, ConflictTS: ts},
	}}
}

// A lock that was lost is made good exactly if nothing was committed since the transaction began; the lock of another
// transaction proves the loss.
func TestPrewriteOfLostLocks(t *testing.T) {
	for start, want := range map[ports.Timestamp]ports.KeyErrorKind{
		19: ports.KeyAbort, 20: ports.KeyAbort, 21: ports.KeyErrorNone,
	} {
		var e Engine
		prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
			Mutations: puts("k"), Primary: []byte("k"), StartTS: 10, MinCommitTS: 20, TryOnePC: true,
		})
		reply := prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
			Mutations: puts("k"), Primary: []byte("k"), StartTS: start, ForUpdateTS: 30,
			Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
		})
		if want == ports.KeyErrorNone {
			require.Empty(t, reply.Errors)
			require.EqualValues(t, 30, lockOf(&e, "k").ForUpdateTS)
			continue
		}
		require.Equal(t, want, reply.Errors[0].Kind)
		require.Nil(t, lockOf(&e, "k"))
	}
}

// Each command says which keys it has let go: those whose last lock is gone, and nothing that was not locked
// (mvcc/txn.rs: unlock_key; txn/commands: ReleasedLocks).
func TestReleased(t *testing.T) {
	k := []byte("k")
	keys := [][]byte{k}
	for name, c := range map[string]struct {
		lock    Lock
		command func(e *Engine)
		commit  ports.Timestamp
		stays   bool
	}{
		"commit": {command: func(e *Engine) {
			e.Commit(&ports.CommitRequest{Keys: keys, StartTS: 15, CommitTS: 25}, &ports.CommitReply{})
		}, commit: 25},
		"commit of what was not prewritten": {lock: Lock{Kind: ports.KindPessimisticLock}, command: func(e *Engine) {
			e.Commit(&ports.CommitRequest{Keys: keys, StartTS: 15, CommitTS: 25}, &ports.CommitReply{})
		}},
		"failed commit": {lock: Lock{MinCommitTS: 30}, command: func(e *Engine) {
			e.Commit(&ports.CommitRequest{Keys: keys, StartTS: 15, CommitTS: 25}, &ports.CommitReply{})
		}, stays: true},
		"one-phase commit": {lock: Lock{Kind: ports.KindPessimisticLock}, command: func(e *Engine) {
			prewriteOn(e, Terms{}, &ports.PrewriteRequest{
				Mutations: puts("k"), Primary: k, StartTS: 15, ForUpdateTS: 20, TryOnePC: true, MinCommitTS: 30,
				Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
			})
		}, commit: 30},
		"rollback": {command: func(e *Engine) {
			e.BatchRollback(&ports.BatchRollbackRequest{Keys: keys, StartTS: 15}, &ports.BatchRollbackReply{})
		}},
		"resolve": {command: func(e *Engine) {
			e.ResolveLock(&ports.ResolveLockRequest{StartTS: 15, CommitTS: 25}, Extent{}, &ports.ResolveLockReply{})
		}, commit: 25},
		"pessimistic rollback": {lock: Lock{Kind: ports.KindPessimisticLock}, command: func(e *Engine) {
			e.PessimisticRollback(&ports.PessimisticRollbackRequest{StartTS: 15}, Extent{}, nil)
		}},
		"expiry": {command: func(e *Engine) {
			e.CheckTxnStatus(&ports.CheckTxnStatusRequest{
				Primary: k, LockTS: 15, CurrentTS: ports.ComposeTimestamp(1, 0),
			}, &ports.CheckTxnStatusReply{})
		}},
		"expiry of a pessimistic lock": {lock: Lock{Kind: ports.KindPessimisticLock}, command: func(e *Engine) {
			e.CheckTxnStatus(&ports.CheckTxnStatusRequest{
				Primary: k, LockTS: 15, CurrentTS: ports.ComposeTimestamp(1, 0), ResolvingPessimisticLock: true,
			}, &ports.CheckTxnStatusReply{})
		}},
		"check of a secondary": {lock: Lock{Kind: ports.KindPessimisticLock}, command: func(e *Engine) {
			e.CheckSecondaryLocks(&ports.CheckSecondaryLocksRequest{Keys: keys, StartTS: 15},
				&ports.CheckSecondaryLocksReply{})
		}},
		"heartbeat": {command: func(e *Engine) {
			e.TxnHeartBeat(&ports.TxnHeartBeatRequest{Primary: k, StartTS: 15, AdviseLockTTL: 9}, &ports.TxnHeartBeatReply{})
		}, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			var e Engine
			c.lock.StartTS, c.lock.Primary = 15, k
			e.PutLock(k, c.lock)
			require.Equal(t, [][]byte{k}, e.Acquired())
			require.Empty(t, e.Acquired(), "said once")
			c.command(&e)
			require.Empty(t, e.Acquired())
			if c.stays {
				require.Empty(t, e.Released())
				return
			}
			require.Equal(t, []Release{{Key: k, StartTS: 15, CommitTS: c.commit}}, e.Released())
			require.Empty(t, e.Released(), "said once")
		})
	}
}

// A shared key is let go by the last who holds it.
func TestReleasedByTheLast(t *testing.T) {
	var e Engine
	share := func(start ports.Timestamp) {
		req := &lockRequest{
			Mutations: []ports.Mutation{{Kind: ports.KindSharedPessimisticLock, Key: []byte("k")}}, Primary: []byte("p"),
			StartTS: start, ForUpdateTS: start,
		}
		require.False(t, e.PessimisticLock(req, &ports.PessimisticLockReply{}))
	}
	share(10)
	require.Len(t, e.Acquired(), 1)
	share(12)
	require.Empty(t, e.Acquired(), "the key was locked already")
	roll := func(start ports.Timestamp) []Release {
		e.BatchRollback(&ports.BatchRollbackRequest{Keys: [][]byte{[]byte("k")}, StartTS: start},
			&ports.BatchRollbackReply{})
		return e.Released()
	}
	require.Empty(t, roll(12))
	require.Empty(t, roll(11))
	require.Equal(t, []Release{{Key: []byte("k"), StartTS: 10}}, roll(10))
}
