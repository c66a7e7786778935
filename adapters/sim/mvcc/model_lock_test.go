package mvcc

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// lockModel is the model of a store for pessimistic transactions, who lock keys alone or with others before they write
// them. Their primary is elsewhere, so that no rollback is kept.
type lockModel struct {
	model
	// held is what a transaction holds on a key, besides the fact of the model; closed are the keys that nobody else may
	// share.
	held   map[string]map[ports.Timestamp]*holding
	closed map[string]bool
}

type holding struct {
	start, forUpdate    ports.Timestamp
	shared, pessimistic bool
	kind                ports.LockKind
	value               string
}

// holders are those who hold a key, the oldest first.
func (m *lockModel) holders(key string) []*holding {
	var list []*holding
	for _, h := range m.held[key] {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *holding) int { return int(a.start.Physical() - b.start.Physical()) })
	return list
}

func (m *lockModel) hold(key string, h *holding) string {
	if m.held[key] == nil {
		m.held[key] = map[ports.Timestamp]*holding{}
	}
	m.held[key][h.start] = h
	return "ok"
}

func (m *lockModel) letGo(key string, start ports.Timestamp) {
	delete(m.held[key], start)
	if len(m.held[key]) == 0 {
		delete(m.closed, key)
	}
}

func (m *lockModel) newest(key string) ports.Timestamp {
	if r := m.records(key); len(r) > 0 {
		return r[0].place()
	}
	return 0
}

func (m *lockModel) lock(key string, start, forUpdate ports.Timestamp, shared bool) string {
	holders := m.holders(key)
	own := m.held[key][start]
	switch {
	case len(holders) == 0:
	case holders[0].shared != shared:
		if shared || m.closed[key] {
			return "waits"
		}
		m.closed[key] = true
		return "closes"
	case own != nil && !shared && !own.pessimistic:
		return "abort"
	case own != nil:
		if forUpdate > own.forUpdate {
			own.forUpdate, own.pessimistic = forUpdate, true
		}
		return "ok"
	case !shared || m.closed[key]:
		return "waits"
	}
	switch f := m.of(key)[start]; {
	case m.newest(key) > forUpdate:
		return "conflict"
	case f != nil && f.rolled:
		return "abort"
	}
	return m.hold(key, &holding{start: start, forUpdate: forUpdate, shared: shared, pessimistic: true})
}

func (m *lockModel) write(key string, start, forUpdate ports.Timestamp, kind ports.LockKind, value string) string {
	holders := m.holders(key)
	own := m.held[key][start]
	shared := kind == ports.KindSharedLock
	if shared {
		kind = ports.KindLock
	}
	switch {
	case len(holders) == 0 && (shared || m.newest(key) >= start):
		return "abort"
	case len(holders) == 0:
		return m.hold(key, &holding{start: start, forUpdate: forUpdate, kind: kind, value: value})
	case shared && !holders[0].shared:
		return "locked"
	case !shared && holders[0].shared && own == nil:
		return "locked"
	case own == nil || own.shared != shared:
		return "abort"
	case own.pessimistic:
		own.pessimistic, own.forUpdate, own.kind, own.value = false, max(own.forUpdate, forUpdate), kind, value
	}
	return "ok"
}

func (m *lockModel) settle(key string, start, commit ports.Timestamp) string {
	h := m.held[key][start]
	switch {
	case h == nil:
		return m.commit([]string{key}, start, commit)
	case !h.pessimistic:
		m.of(key)[start] = &fact{start: start, commit: commit, kind: h.kind, value: h.value}
		m.overwrite(key, m.of(key)[start])
	}
	m.letGo(key, start)
	return "ok"
}

func (m *lockModel) undo(key string, start ports.Timestamp) string {
	f := m.of(key)[start]
	if f != nil && f.commit != 0 {
		return "committed"
	}
	m.letGo(key, start)
	if f == nil || !f.rolled {
		m.roll(key, start, false, true)
	}
	return "ok"
}

// lockTwin runs every command on both.
type lockTwin struct {
	engine Engine
	model  lockModel
	// were are the keys that were held before the command.
	were map[string]bool
}

type locking struct {
	key              string
	start, forUpdate ports.Timestamp
}

// draw chooses whom a command is about. A transaction that has committed the key sends nothing but what may come late.
func (w *lockTwin) draw(t *rapid.T) (l locking, committed bool) {
	l = locking{key: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"), start: drawTS(t, "start")}
	l.forUpdate = l.start + ports.ComposeTimestamp(int64(rapid.IntRange(0, 8).Draw(t, "for update")), 0)
	w.were = map[string]bool{}
	for _, key := range []string{"a", "b"} {
		w.were[key] = len(w.model.held[key]) > 0
	}
	w.engine.Released()
	f := w.model.of(l.key)[l.start]
	return l, f != nil && f.commit != 0
}

func (w *lockTwin) lock(t *rapid.T) {
	l, committed := w.draw(t)
	shared := rapid.Bool().Draw(t, "shared")
	if committed {
		return
	}
	kind := ports.KindPessimisticLock
	if shared {
		kind = ports.KindSharedPessimisticLock
	}
	req := &lockRequest{
		Mutations: []ports.Mutation{{Kind: kind, Key: []byte(l.key)}}, Primary: []byte("p"), StartTS: l.start,
		ForUpdateTS: l.forUpdate,
	}
	var reply ports.PessimisticLockReply
	waits := w.engine.PessimisticLock(req, &reply)
	got := "ok"
	if len(reply.Errors) > 0 {
		got = map[ports.KeyErrorKind]string{
			ports.KeyLocked: "closes", ports.KeyWriteConflict: "conflict", ports.KeyAbort: "abort",
		}[reply.Errors[0].Kind]
	}
	if waits {
		got = "waits"
	}
	require.Equal(t, w.model.lock(l.key, l.start, l.forUpdate, shared), got)
}

func (w *lockTwin) prewrite(t *rapid.T) {
	l, committed := w.draw(t)
	kind := rapid.SampledFrom([]ports.LockKind{
		ports.KindPut, ports.KindDelete, ports.KindLock, ports.KindSharedLock,
	}).Draw(t, "kind")
	value := rapid.StringN(0, 3, 3).Draw(t, "value")
	if committed {
		return
	}
	if kind != ports.KindPut {
		value = ""
	}
	var reply ports.PrewriteReply
	w.engine.Prewrite(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Kind: kind, Key: []byte(l.key), Value: []byte(value)}}, Primary: []byte("p"),
		StartTS: l.start, ForUpdateTS: l.forUpdate, Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
	}, &reply)
	got := "ok"
	if len(reply.Errors) > 0 {
		got = map[ports.KeyErrorKind]string{
			ports.KeyLocked: "locked", ports.KeyAbort: "abort",
		}[reply.Errors[0].Kind]
	}
	require.Equal(t, w.model.write(l.key, l.start, l.forUpdate, kind, value), got)
}

func (w *lockTwin) commit(t *rapid.T) {
	l, _ := w.draw(t)
	commit := l.start + ports.ComposeTimestamp(int64(rapid.IntRange(1, 5).Draw(t, "after")), 0)
	if f := w.model.commitAt(l.key, commit); f != nil && f.start != l.start {
		return // timestamps of commits come from the oracle
	}
	want := w.model.settle(l.key, l.start, commit)
	keys := asBytes([]string{l.key})
	if rapid.Bool().Draw(t, "resolve") {
		var reply ports.ResolveLockReply
		w.engine.ResolveLock(&ports.ResolveLockRequest{StartTS: l.start, CommitTS: commit, Keys: keys}, Extent{}, &reply)
		require.Equal(t, want, settled(t, reply.Err))
		return
	}
	var reply ports.CommitReply
	w.engine.Commit(&ports.CommitRequest{StartTS: l.start, CommitTS: commit, Keys: keys}, &reply)
	require.Equal(t, want, settled(t, reply.Err))
}

func (w *lockTwin) rollback(t *rapid.T) {
	l, _ := w.draw(t)
	var reply ports.BatchRollbackReply
	w.engine.BatchRollback(&ports.BatchRollbackRequest{StartTS: l.start, Keys: asBytes([]string{l.key})}, &reply)
	require.Equal(t, w.model.undo(l.key, l.start), settled(t, reply.Err))
}

// release lets go what was locked and not written, of one key or of all.
func (w *lockTwin) release(t *rapid.T) {
	l, _ := w.draw(t)
	keys := rapid.SampledFrom([][]string{{l.key}, nil}).Draw(t, "keys")
	w.engine.PessimisticRollback(&ports.PessimisticRollbackRequest{
		Keys: asBytes(keys), StartTS: l.start, ForUpdateTS: l.forUpdate,
	}, Extent{}, nil)
	if keys == nil {
		keys = []string{"a", "b"}
	}
	for _, key := range keys {
		if h := w.model.held[key][l.start]; h != nil && h.pessimistic && h.forUpdate <= l.forUpdate {
			w.model.letGo(key, l.start)
		}
	}
}

// ask asks about a transaction, or prolongs its life; a key that is shared is nobody's primary.
func (w *lockTwin) ask(t *rapid.T) {
	l, _ := w.draw(t)
	holders := w.model.holders(l.key)
	if len(holders) == 0 || !holders[0].shared {
		return
	}
	before := w.engine.AppendState(nil)
	var status ports.CheckTxnStatusReply
	w.engine.CheckTxnStatus(&ports.CheckTxnStatusRequest{
		Primary: []byte(l.key), LockTS: l.start, CurrentTS: ports.ComposeTimestamp(99, 0), RollbackIfNotExist: true,
	}, &status)
	require.Equal(t, ports.KeyPrimaryMismatch, status.Err.Kind)
	require.Len(t, status.Err.Lock.Shared, len(holders))
	var beat ports.TxnHeartBeatReply
	w.engine.TxnHeartBeat(&ports.TxnHeartBeatRequest{Primary: []byte(l.key), StartTS: l.start}, &beat)
	want := ports.KeyTxnNotFound
	if w.model.held[l.key][l.start] != nil {
		want = ports.KeyPrimaryMismatch
	}
	require.Equal(t, want, beat.Err.Kind)
	require.Equal(t, before, w.engine.AppendState(nil))
}

// same holds the locks of every key, what was let go, and what reads see, against the model.
func (w *lockTwin) same(t *rapid.T) {
	released := map[string]bool{}
	for _, r := range w.engine.Released() {
		released[string(r.Key)] = true
	}
	for _, key := range []string{"a", "b"} {
		holders := w.model.holders(key)
		require.Equal(t, w.were[key] && len(holders) == 0, released[key], key)
		require.Equal(t, describeHolders(holders, w.model.closed[key]), describeLock(w.engine.Lock([]byte(key))), key)
		for ms := range int64(24) {
			ts := ports.ComposeTimestamp(ms, 5)
			want := "none"
			if v, ok := w.model.visible(key, ts); ok {
				want = "value " + v
			}
			for _, h := range holders {
				if !h.pessimistic && h.kind != ports.KindLock && h.start <= ts {
					want = "locked " + key
				}
			}
			var reply ports.GetReply
			w.engine.Get([]byte(key), &Snapshot{TS: ts}, &reply)
			require.Equal(t, want, outcome(reply.Value, !reply.NotFound, reply.Err))
		}
	}
}

func describeHolders(list []*holding, closed bool) string {
	text := ""
	for _, h := range list {
		kind := h.kind
		if h.pessimistic {
			kind = ports.KindPessimisticLock
		}
		text += fmt.Sprintf("%d kind %d for update %d shared %t closed %t;", h.start, kind, h.forUpdate, h.shared, closed)
	}
	return text
}

func describeLock(l *Lock) string {
	if l == nil {
		return ""
	}
	members, shared := l.Shared(), l.Shared() != nil
	if !shared {
		members = []Lock{*l}
	}
	text := ""
	for i := range members {
		m := &members[i]
		text += fmt.Sprintf("%d kind %d for update %d shared %t closed %t;", m.StartTS, m.Kind, m.ForUpdateTS, shared,
			l.ShrinkOnly())
	}
	return text
}

func TestLocksAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &lockTwin{were: map[string]bool{}, model: lockModel{
			model: model{facts: map[string]map[ports.Timestamp]*fact{}}, held: map[string]map[ports.Timestamp]*holding{},
			closed: map[string]bool{},
		}}
		t.Repeat(map[string]func(*rapid.T){
			"lock": w.lock, "lock more": w.lock, "prewrite": w.prewrite, "commit": w.commit, "rollback": w.rollback,
			"release": w.release, "ask": w.ask, "": w.same,
		})
	})
}
