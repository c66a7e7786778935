package mvcc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func puts(keys ...string) []ports.Mutation {
	var list []ports.Mutation
	for _, k := range keys {
		list = append(list, ports.Mutation{Key: []byte(k), Value: []byte(k)})
	}
	return list
}

// prewriteOn adds the actions of a pessimistic prewrite that the request does not name.
func prewriteOn(e *Engine, t Terms, req *ports.PrewriteRequest) ports.PrewriteReply {
	var reply ports.PrewriteReply
	for req.ForUpdateTS != 0 && len(req.Actions) < len(req.Mutations) {
		req.Actions = append(req.Actions, ports.SkipPessimisticCheck)
	}
	e.PrewriteOn(t, req, &reply)
	return reply
}

func lockOf(e *Engine, key string) *Lock {
	at := e.keys.get([]byte(key))
	if at == nil {
		return nil
	}
	return at.value.lock
}

// The least commit timestamp is above the request's for_update_ts and what was read, not above the for_update_ts of a
// lock that was taken with conflict.
func TestLeastCommitTS(t *testing.T) {
	request := func() *ports.PrewriteRequest {
		return &ports.PrewriteRequest{Mutations: puts("a"), Primary: []byte("a"), StartTS: 10, UseAsyncCommit: true}
	}
	for name, c := range map[string]struct {
		change func(r *ports.PrewriteRequest)
		plant  ports.Timestamp
		maxTS  ports.Timestamp
		want   ports.Timestamp
	}{
		"start":              {func(*ports.PrewriteRequest) {}, 0, 0, 11},
		"reads":              {func(*ports.PrewriteRequest) {}, 0, 20, 21},
		"for update":         {func(r *ports.PrewriteRequest) { r.ForUpdateTS = 15 }, 0, 0, 16},
		"request":            {func(r *ports.PrewriteRequest) { r.MinCommitTS = 30 }, 0, 20, 30},
		"lock with conflict": {func(r *ports.PrewriteRequest) { r.ForUpdateTS = 15 }, 40, 0, 16},
		"bound":              {func(r *ports.PrewriteRequest) { r.MaxCommitTS = 11 }, 0, 0, 11},
		"above the bound":    {func(r *ports.PrewriteRequest) { r.MaxCommitTS = 10 }, 0, 0, 0},
	} {
		var e Engine
		req := request()
		c.change(req)
		if c.plant != 0 {
			e.PutLock([]byte("a"), Lock{Kind: ports.KindPessimisticLock, StartTS: 10, ForUpdateTS: c.plant, TTL: 77})
		}
		reply := prewriteOn(&e, Terms{MaxTS: c.maxTS}, req)
		require.Empty(t, reply.Errors, name)
		require.Equal(t, c.want, reply.MinCommitTS, name)
		l := lockOf(&e, "a")
		require.Equal(t, c.want, l.MinCommitTS, name)
		require.Equal(t, c.want != 0, l.AsyncCommit, name)
		require.Equal(t, max(req.ForUpdateTS, c.plant), l.ForUpdateTS, name)
		if c.plant != 0 {
			require.EqualValues(t, 77, l.TTL, "a longer life is kept")
		}
	}
}

// The primary's lock lists the secondaries, the others none.
func TestSecondariesAreListedOnce(t *testing.T) {
	var e Engine
	reply := prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("a", "b"), Primary: []byte("a"), StartTS: 10, UseAsyncCommit: true,
		Secondaries: [][]byte{[]byte("b")},
	})
	require.EqualValues(t, 11, reply.MinCommitTS)
	require.Equal(t, [][]byte{[]byte("b")}, lockOf(&e, "a").Secondaries)
	require.True(t, lockOf(&e, "b").AsyncCommit)
	require.Empty(t, lockOf(&e, "b").Secondaries)
}

// A lock of an earlier attempt that has fallen back makes the whole request fall back; what it has locked before that
// key stays an async-commit lock.
func TestFallBackHalfway(t *testing.T) {
	var e Engine
	prewriteOn(&e, Terms{}, &ports.PrewriteRequest{Mutations: puts("b"), Primary: []byte("a"), StartTS: 10})
	reply := prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("a", "b", "c"), Primary: []byte("a"), StartTS: 10, UseAsyncCommit: true,
	})
	require.Empty(t, reply.Errors)
	require.Zero(t, reply.MinCommitTS)
	require.True(t, lockOf(&e, "a").AsyncCommit)
	require.False(t, lockOf(&e, "c").AsyncCommit)

	reply = prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("x", "b"), Primary: []byte("x"), StartTS: 10, TryOnePC: true,
	})
	require.Zero(t, reply.OnePCCommitTS)
	require.NotNil(t, lockOf(&e, "x"), "what was to be committed at once is locked")
}

// 1PC replaces pessimistic locks by records, writes none for checks, and changes nothing when it fails.
func TestOnePC(t *testing.T) {
	var e Engine
	e.PutLock([]byte("a"), Lock{Kind: ports.KindPessimisticLock, StartTS: 10, ForUpdateTS: 12})
	reply := prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("a", "b"), Primary: []byte("a"), StartTS: 10, ForUpdateTS: 12, TryOnePC: true,
		Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
	})
	require.EqualValues(t, 13, reply.OnePCCommitTS)
	for _, k := range []string{"a", "b"} {
		require.Nil(t, lockOf(&e, k))
		require.Equal(t, []Write{{CommitTS: 13, StartTS: 10, Value: []byte(k)}}, e.Writes([]byte(k)))
	}
	before := e.AppendState(nil)
	reply = prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("c", "a"), Primary: []byte("a"), StartTS: 11, TryOnePC: true,
	})
	require.Equal(t, ports.KeyWriteConflict, reply.Errors[0].Kind)
	require.Zero(t, reply.OnePCCommitTS)
	require.Equal(t, before, e.AppendState(nil))

	check := []ports.Mutation{{Kind: ports.KindCheckNotExists, Key: []byte("n")}}
	reply = prewriteOn(&e, Terms{MaxTS: 50}, &ports.PrewriteRequest{
		Mutations: check, Primary: []byte("n"), StartTS: 20, UseAsyncCommit: true,
	})
	require.EqualValues(t, 21, reply.MinCommitTS, "a check is no write: what was read does not matter")
	require.Nil(t, lockOf(&e, "n"))
}

func TestConstraintOfNoMutation(t *testing.T) {
	var e Engine
	reply := prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("a"), Primary: []byte("a"), StartTS: 10, ForUpdateTS: 10,
		Constraints: []ports.ForUpdateTSConstraint{{Index: 1}},
	})
	require.Equal(t, ports.KeyAbort, reply.Errors[0].Kind)
	require.Nil(t, lockOf(&e, "a"))
}

// A pessimistic lock of a secondary is released, its rollback protected; another transaction's async-commit lock is
// told of the rollback, which its commit could overwrite.
func TestSecondaryThatIsNotPrewritten(t *testing.T) {
	var e Engine
	check := func(key string, start ports.Timestamp) ports.CheckSecondaryLocksReply {
		var reply ports.CheckSecondaryLocksReply
		e.CheckSecondaryLocks(&ports.CheckSecondaryLocksRequest{Keys: [][]byte{[]byte(key)}, StartTS: start}, &reply)
		return reply
	}
	e.PutLock([]byte("a"), Lock{Kind: ports.KindPessimisticLock, StartTS: 10})
	require.Zero(t, check("a", 10).CommitTS)
	require.Nil(t, lockOf(&e, "a"))
	rollback := []Write{{CommitTS: 10, StartTS: 10, Kind: ports.KindRollback, Protected: true}}
	require.Equal(t, rollback, e.Writes([]byte("a")))

	e.PutLock([]byte("b"), Lock{StartTS: 20, MinCommitTS: 25, AsyncCommit: true, Primary: []byte("b")})
	check("b", 30)
	e.Commit(&ports.CommitRequest{Keys: [][]byte{[]byte("b")}, StartTS: 20, CommitTS: 30}, &ports.CommitReply{})
	require.True(t, e.Writes([]byte("b"))[0].OverlappedRollback)
	require.Zero(t, check("b", 30).CommitTS, "rolled back it stays")
	require.EqualValues(t, 30, check("b", 20).CommitTS)

	// A stale lock of a transaction that is committed goes, and the record is told.
	e.PutLock([]byte("b"), Lock{Kind: ports.KindPessimisticLock, StartTS: 20, WithConflict: true})
	require.EqualValues(t, 30, check("b", 20).CommitTS)
	require.Nil(t, lockOf(&e, "b"))
}

// Mutations without an action are not prewritten, and constraints are those of pessimistic transactions only.
func TestActionsAndConstraints(t *testing.T) {
	var e Engine
	req := &ports.PrewriteRequest{
		Mutations: puts("a", "b"), Primary: []byte("a"), StartTS: 10, ForUpdateTS: 10,
		Actions: []ports.PessimisticAction{ports.SkipPessimisticCheck},
	}
	var reply ports.PrewriteReply
	e.PrewriteOn(Terms{}, req, &reply)
	require.Empty(t, reply.Errors)
	require.NotNil(t, lockOf(&e, "a"))
	require.Nil(t, lockOf(&e, "b"))

	req.Constraints = []ports.ForUpdateTSConstraint{{Index: 1, ForUpdateTS: 10}}
	e.PrewriteOn(Terms{}, req, &reply)
	require.Len(t, reply.Errors, 1)

	reply = prewriteOn(&e, Terms{}, &ports.PrewriteRequest{
		Mutations: puts("c"), Primary: []byte("c"), StartTS: 20,
		Constraints: []ports.ForUpdateTSConstraint{{Index: 7, ForUpdateTS: 1}},
	})
	require.Empty(t, reply.Errors)
}
