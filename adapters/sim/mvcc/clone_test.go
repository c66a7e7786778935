package mvcc

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func prewriteOne(e *Engine, key string, start ports.Timestamp) {
	e.Prewrite(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte(key), Value: []byte("v")}}, Primary: []byte("a"), StartTS: start, TTL: 3,
	}, &ports.PrewriteReply{})
}

func populated() *Engine {
	e := &Engine{}
	prewriteOne(e, "a", 10)
	prewriteOne(e, "b", 10)
	e.Commit(&ports.CommitRequest{Keys: [][]byte{[]byte("a")}, StartTS: 10, CommitTS: 11}, &ports.CommitReply{})
	e.Raw(0).Put(&ports.RawPutRequest{Key: []byte("r"), Value: []byte("1")}, &ports.RawWriteReply{})
	return e
}

// Whatever happens to a clone, the original stays as it was, and the other way round.
func TestCloneIsIndependent(t *testing.T) {
	changes := map[string]func(e *Engine){
		"commit": func(e *Engine) {
			e.Commit(&ports.CommitRequest{Keys: [][]byte{[]byte("b")}, StartTS: 10, CommitTS: 11}, &ports.CommitReply{})
		},
		"rollback": func(e *Engine) {
			e.BatchRollback(&ports.BatchRollbackRequest{Keys: [][]byte{[]byte("b")}, StartTS: 10},
				&ports.BatchRollbackReply{})
		},
		"rollback that stays a mark": func(e *Engine) {
			e.BatchRollback(&ports.BatchRollbackRequest{Keys: [][]byte{[]byte("a")}, StartTS: 7},
				&ports.BatchRollbackReply{})
		},
		"prewrite of a new key":   func(e *Engine) { prewriteOne(e, "0", 12) },
		"prewrite over a version": func(e *Engine) { prewriteOne(e, "a", 12) },
		"heartbeat": func(e *Engine) {
			e.TxnHeartBeat(&ports.TxnHeartBeatRequest{Primary: []byte("b"), StartTS: 10, AdviseLockTTL: 99},
				&ports.TxnHeartBeatReply{})
		},
	}
	for name, change := range changes {
		e := populated()
		before := e.AppendState(nil)
		c := e.Clone()
		require.Equal(t, before, c.AppendState(nil), name)
		change(c)
		require.Equal(t, before, e.AppendState(nil), name)
		require.NotEqual(t, before, c.AppendState(nil), name)

		c = e.Clone()
		change(e)
		require.Equal(t, before, c.AppendState(nil), name)
	}
}

func TestCloneKeepsRawData(t *testing.T) {
	e := populated()
	c := e.Clone()
	c.Raw(0).Put(&ports.RawPutRequest{Key: []byte("r"), Value: []byte("2")}, &ports.RawWriteReply{})
	for engine, want := range map[*Engine]string{e: "1", c: "2"} {
		var reply ports.RawGetReply
		engine.Raw(0).Get(&ports.RawGetRequest{Key: []byte("r")}, &reply)
		require.Equal(t, want, string(reply.Value))
	}
}

// Every field of a lock and of a record is part of the state; a key on which nothing is left is not.
func TestStateHoldsEverything(t *testing.T) {
	lock := Lock{Primary: []byte("a"), StartTS: 5, TTL: 3, Value: []byte("v")}
	locks := map[string]func(l *Lock){
		"kind": func(l *Lock) { l.Kind = ports.KindLock }, "primary": func(l *Lock) { l.Primary = []byte("b") },
		"start": func(l *Lock) { l.StartTS = 6 }, "for update": func(l *Lock) { l.ForUpdateTS = 6 },
		"least": func(l *Lock) { l.MinCommitTS = 6 }, "ttl": func(l *Lock) { l.TTL = 4 },
		"size": func(l *Lock) { l.TxnSize = 2 }, "value": func(l *Lock) { l.Value = []byte("w") },
		"async": func(l *Lock) { l.AsyncCommit = true }, "conflict": func(l *Lock) { l.WithConflict = true },
		"secondaries": func(l *Lock) { l.Secondaries = [][]byte{[]byte("b")} },
		"memory":      func(l *Lock) { l.memory = true },
		"generation":  func(l *Lock) { l.generation = 1 },
		"shared":      func(l *Lock) { l.shared = l.shared.with(Lock{StartTS: 9}) },
		"rollbacks":   func(l *Lock) { l.rollbacks = []ports.Timestamp{4} },
	}
	require.Len(t, locks, reflect.TypeFor[Lock]().NumField(), "a field is not tested")
	state := func(l Lock) string {
		e := &Engine{}
		e.PutLock([]byte("a"), l)
		return string(e.AppendState(nil))
	}
	for name, change := range locks {
		changed := lock
		change(&changed)
		require.NotEqual(t, state(lock), state(changed), name)
	}
	shared := (*sharedLocks)(nil).with(Lock{StartTS: 9})
	closed := *shared
	closed.shrinkOnly = true
	require.NotEqual(t, state(shared.set()), state(closed.set()))
	require.NotEqual(t, state(shared.set()), state(shared.with(Lock{StartTS: 8}).set()))
	record := Write{CommitTS: 6, StartTS: 5, Value: []byte("v")}
	records := map[string]func(w *Write){
		"commit": func(w *Write) { w.CommitTS = 7 }, "start": func(w *Write) { w.StartTS = 4 },
		"kind": func(w *Write) { w.Kind = ports.KindDelete }, "value": func(w *Write) { w.Value = nil },
		"protected": func(w *Write) { w.Protected = true }, "mark": func(w *Write) { w.OverlappedRollback = true },
		"fenced": func(w *Write) { w.fenced = true }, "fence": func(w *Write) { w.fence = 9 },
	}
	require.Len(t, records, reflect.TypeFor[Write]().NumField(), "a field is not tested")
	for name, change := range records {
		changed := record
		change(&changed)
		require.NotEqual(t, record.appendState(nil), changed.appendState(nil), name)
	}
	e := &Engine{}
	e.keys.insert(&entry[columns]{key: []byte("k")})
	require.Empty(t, e.AppendState(nil))
}
