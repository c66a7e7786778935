package mvcc

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// model is the same store written down as rules over facts: what happened to each (transaction, key), without columns,
// batches or overlapping records. It knows optimistic transactions only.
type model struct {
	// facts by key, then by start timestamp.
	facts map[string]map[ports.Timestamp]*fact
}

// fact is what became of one transaction on one key.
type fact struct {
	start, commit ports.Timestamp
	kind          ports.LockKind
	value         string
	locked        bool
	min           ports.Timestamp
	ttl           uint64
	primary       string
	// generation is that of the flush that locked the key, 0 after a prewrite.
	generation uint64
	// rolled: a record keeps the transaction from coming back. Some are erased by newer ones, others kept.
	rolled, kept bool
}

func (m *model) of(key string) map[ports.Timestamp]*fact {
	if m.facts[key] == nil {
		m.facts[key] = map[ports.Timestamp]*fact{}
	}
	return m.facts[key]
}

func (m *model) holder(key string) *fact {
	for _, f := range m.of(key) {
		if f.locked {
			return f
		}
	}
	return nil
}

// records returns the committed and rolled-back facts of a key by the timestamp at which they stand, newest first. A
// commit hides a rollback that would stand in the same place.
func (m *model) records(key string) []*fact {
	at := map[ports.Timestamp]*fact{}
	for _, f := range m.of(key) {
		if f.rolled && at[f.start] == nil {
			at[f.start] = f
		}
		if f.commit != 0 {
			at[f.commit] = f
		}
	}
	var list []*fact
	for _, f := range at {
		list = append(list, f)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].place() > list[j].place() })
	return list
}

func (f *fact) place() ports.Timestamp {
	if f.commit != 0 {
		return f.commit
	}
	return f.start
}

// commitAt returns the fact that was committed at a timestamp.
func (m *model) commitAt(key string, ts ports.Timestamp) *fact {
	for _, f := range m.of(key) {
		if f.commit == ts {
			return f
		}
	}
	return nil
}

func (m *model) visible(key string, ts ports.Timestamp) (string, bool) {
	for _, f := range m.records(key) {
		if f.commit != 0 && f.commit <= ts {
			switch f.kind {
			case ports.KindPut:
				return f.value, true
			case ports.KindDelete:
				return "", false
			default: // changes no data
			}
		}
	}
	return "", false
}

func (m *model) prewrite(req *ports.PrewriteRequest) string {
	var locked []string
	var locks []func()
	for i := range req.Mutations {
		mu := &req.Mutations[i]
		key := string(mu.Key)
		own := m.of(key)[req.StartTS]
		fresh := mu.Kind == ports.KindInsert || mu.Kind == ports.KindCheckNotExists
		if own != nil && own.locked {
			if own.generation > 0 && own.kind == ports.KindPut && fresh {
				return "exists " + key
			}
			continue
		}
		answer, done := m.obstacle(key, req.StartTS)
		switch {
		case done:
			return "ok"
		case strings.HasPrefix(answer, "locked"):
			locked = append(locked, answer)
			continue
		case answer != "":
			return answer
		}
		kind, value := mu.Kind, string(mu.Value)
		if fresh {
			if _, live := m.visible(key, ports.MaxTimestamp); live {
				return "exists " + key
			}
			if kind == ports.KindCheckNotExists {
				continue
			}
			kind = ports.KindPut
		}
		if kind != ports.KindPut {
			value = ""
		}
		locks = append(locks, func() {
			m.of(key)[req.StartTS] = &fact{
				start: req.StartTS, kind: kind, value: value, locked: true, min: req.MinCommitTS, ttl: req.TTL,
				primary: string(req.Primary),
			}
		})
	}
	if len(locked) > 0 {
		return strings.Join(locked, ", ")
	}
	for _, lock := range locks {
		lock()
	}
	return "ok"
}

// obstacle says what is in the way of a transaction that has not locked a key. done: it has committed the key before.
func (m *model) obstacle(key string, start ports.Timestamp) (answer string, done bool) {
	own := m.of(key)[start]
	done = own != nil && own.commit != 0
	if h := m.holder(key); h != nil {
		return "locked " + key, done
	}
	if own != nil && own.rolled {
		if r := m.records(key); r[0].place() == start {
			return "conflict " + key, false
		}
	}
	if r := m.records(key); len(r) > 0 && r[0].place() > start {
		return "conflict " + key, done
	}
	return "", false
}

// commit returns what committing keys answers, having done it if that is "ok".
func (m *model) commit(keys []string, start, commit ports.Timestamp) string {
	for _, key := range keys {
		switch f := m.of(key)[start]; {
		case f != nil && f.commit != 0:
		case f == nil || !f.locked:
			return "no lock " + key
		case commit < f.min:
			return "too early " + key
		}
	}
	for _, key := range keys {
		if f := m.of(key)[start]; f.locked {
			f.locked, f.commit = false, commit
			m.overwrite(key, f)
		}
	}
	return "ok"
}

// overwrite forgets a rollback whose place a commit takes.
func (m *model) overwrite(key string, f *fact) {
	if old := m.of(key)[f.commit]; old != nil && old.rolled && old != f {
		delete(m.of(key), f.commit)
	}
}

func (m *model) rollback(keys []string, start ports.Timestamp) string {
	for _, key := range keys {
		if f := m.of(key)[start]; f != nil && f.commit != 0 {
			return "committed " + key
		}
	}
	for _, key := range keys {
		f := m.of(key)[start]
		switch {
		case f != nil && f.rolled:
		case f != nil:
			m.roll(key, start, key == f.primary || f.generation > 0, true)
		default:
			m.roll(key, start, false, true)
		}
	}
	return "ok"
}

// roll leaves a rollback record, which erases the one before it unless that is kept.
func (m *model) roll(key string, start ports.Timestamp, keep, erase bool) {
	if erase {
		for _, f := range m.records(key) {
			if f.place() < start || f.place() == start && f.commit != 0 {
				if f.commit == 0 && !f.kept {
					delete(m.of(key), f.start)
				}
				break
			}
		}
	}
	delete(m.of(key), start)
	if m.commitAt(key, start) != nil && !keep {
		return // there is no room for a record that need not be kept
	}
	m.of(key)[start] = &fact{start: start, rolled: true, kept: keep}
}

func (m *model) check(req *ports.CheckTxnStatusRequest) string {
	key, start := string(req.Primary), req.LockTS
	f := m.of(key)[start]
	switch {
	case f != nil && f.locked:
		if f.primary != key {
			return "mismatch"
		}
		if uint64(start.Physical())+f.ttl < uint64(req.CurrentTS.Physical()) {
			m.roll(key, start, true, true)
			return "expired"
		}
		if f.min != 0 && req.CallerStartTS >= f.min {
			f.min = max(req.CallerStartTS+1, req.CurrentTS)
		}
		return fmt.Sprint("alive ", f.min)
	case f != nil && f.commit != 0:
		return fmt.Sprint("committed ", f.commit)
	case f != nil && f.rolled:
		return "rolled back"
	case !req.RollbackIfNotExist:
		return "unknown"
	}
	m.roll(key, start, true, false)
	return "now rolled back"
}

func (m *model) get(key string, ts ports.Timestamp) string {
	if h := m.holder(key); h != nil && h.start <= ts && h.kind != ports.KindLock && h.min <= ts {
		return "locked " + key
	}
	if v, ok := m.visible(key, ts); ok {
		return "value " + v
	}
	return "none"
}

// twin runs every command on both.
type twin struct {
	engine Engine
	model  model
}

var modelKeys = []string{"a", "b", "c", "d"}

func drawTS(t *rapid.T, name string) ports.Timestamp {
	return ports.ComposeTimestamp(int64(rapid.IntRange(1, 12).Draw(t, name)), 0)
}

func drawKeys(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(modelKeys), 1, 3, rapid.ID[string]).Draw(t, "keys")
}

func asBytes(keys []string) [][]byte {
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	return list
}

func (w *twin) prewrite(t *rapid.T) {
	keys := drawKeys(t)
	start := drawTS(t, "start")
	ttl := uint64(rapid.IntRange(0, 4).Draw(t, "ttl"))
	req := &ports.PrewriteRequest{Primary: []byte(keys[0]), StartTS: start, TTL: ttl}
	if rapid.Bool().Draw(t, "min") {
		req.MinCommitTS = start + 1
	}
	for _, k := range keys {
		kind := rapid.SampledFrom([]ports.LockKind{
			ports.KindPut, ports.KindDelete, ports.KindLock, ports.KindInsert, ports.KindCheckNotExists,
		}).Draw(t, "kind")
		value := rapid.StringN(0, 3, 3).Draw(t, "value")
		req.Mutations = append(req.Mutations, ports.Mutation{Kind: kind, Key: []byte(k), Value: []byte(value)})
	}
	var reply ports.PrewriteReply
	w.engine.Prewrite(req, &reply)
	require.Equal(t, w.model.prewrite(req), refused(t, reply.Errors))
}

// settled prints an error of commit, rollback or resolve.
func settled(t *rapid.T, e *ports.KeyError) string {
	switch {
	case e == nil:
		return "ok"
	case e.Kind == ports.KeyTxnLockNotFound:
		return "no lock " + string(e.Key)
	case e.Kind == ports.KeyCommitTSExpired:
		return "too early " + string(e.Key)
	case e.Kind == ports.KeyAbort && strings.Contains(e.Text, "Committed"):
		return "committed"
	}
	t.Fatalf("error %d %s", e.Kind, e.Text)
	return ""
}

func (w *twin) commit(t *rapid.T) {
	keys, start := drawKeys(t), drawTS(t, "start")
	commit := start + ports.ComposeTimestamp(int64(rapid.IntRange(1, 5).Draw(t, "after")), 0)
	for _, k := range keys {
		// Timestamps of commits come from the oracle: no two are the same.
		if f := w.model.commitAt(k, commit); f != nil && f.start != start {
			return
		}
	}
	want := w.model.commit(keys, start, commit)
	if rapid.Bool().Draw(t, "resolve") {
		var reply ports.ResolveLockReply
		req := &ports.ResolveLockRequest{StartTS: start, CommitTS: commit, Keys: asBytes(keys)}
		w.engine.ResolveLock(req, Extent{}, &reply)
		require.Equal(t, want, settled(t, reply.Err))
		return
	}
	var reply ports.CommitReply
	w.engine.Commit(&ports.CommitRequest{StartTS: start, CommitTS: commit, Keys: asBytes(keys)}, &reply)
	require.Equal(t, want, settled(t, reply.Err))
}

func (w *twin) rollback(t *rapid.T) {
	keys, start := drawKeys(t), drawTS(t, "start")
	want, _, _ := strings.Cut(w.model.rollback(keys, start), " ")
	if rapid.Bool().Draw(t, "resolve") {
		var reply ports.ResolveLockReply
		w.engine.ResolveLock(&ports.ResolveLockRequest{StartTS: start, Keys: asBytes(keys)}, Extent{}, &reply)
		require.Equal(t, want, settled(t, reply.Err))
		return
	}
	var reply ports.BatchRollbackReply
	w.engine.BatchRollback(&ports.BatchRollbackRequest{StartTS: start, Keys: asBytes(keys)}, &reply)
	require.Equal(t, want, settled(t, reply.Err))
}

// resolveAll resolves the locks of a transaction wherever they are.
func (w *twin) resolveAll(t *rapid.T) {
	start := drawTS(t, "start")
	var keys []string
	for _, k := range modelKeys {
		if f := w.model.of(k)[start]; f != nil && f.locked {
			keys = append(keys, k)
		}
	}
	w.model.rollback(keys, start)
	var reply ports.ResolveLockReply
	w.engine.ResolveLock(&ports.ResolveLockRequest{StartTS: start}, Extent{}, &reply)
	require.Nil(t, reply.Err)
}

func (w *twin) check(t *rapid.T) {
	req := &ports.CheckTxnStatusRequest{
		Primary: []byte(rapid.SampledFrom(modelKeys).Draw(t, "key")), LockTS: drawTS(t, "start"),
		CallerStartTS: drawTS(t, "caller"), CurrentTS: drawTS(t, "current"),
		RollbackIfNotExist: rapid.Bool().Draw(t, "rollback"), VerifyIsPrimary: true,
	}
	var reply ports.CheckTxnStatusReply
	w.engine.CheckTxnStatus(req, &reply)
	got := ""
	switch {
	case reply.Err != nil && reply.Err.Kind == ports.KeyPrimaryMismatch:
		got = "mismatch"
	case reply.Err != nil && reply.Err.Kind == ports.KeyTxnNotFound:
		got = "unknown"
	case reply.Action == ports.ActionTTLExpireRollback:
		got = "expired"
	case reply.Action == ports.ActionLockNotExistRollback:
		got = "now rolled back"
	case reply.Lock != nil:
		got = fmt.Sprint("alive ", reply.Lock.MinCommitTS)
		pushed := reply.Lock.MinCommitTS > req.CallerStartTS
		require.Equal(t, pushed, reply.Action == ports.ActionMinCommitTSPushed)
	case reply.CommitTS != 0:
		got = fmt.Sprint("committed ", reply.CommitTS)
	default:
		got = "rolled back"
	}
	require.Equal(t, w.model.check(req), got)
}

// same holds every key, read at every timestamp, against the model.
func (w *twin) same(t *rapid.T) {
	for ms := range int64(20) {
		s := &Snapshot{TS: ports.ComposeTimestamp(ms, 5)}
		var scanned ports.ScanReply
		w.engine.Scan(&ports.ScanRequest{Limit: 99}, Extent{}, s, &scanned)
		for _, k := range modelKeys {
			want := w.model.get(k, s.TS)
			var reply ports.GetReply
			w.engine.Get([]byte(k), s, &reply)
			i := slices.IndexFunc(scanned.Pairs, func(p ports.Pair) bool {
				return string(p.Key) == k || p.Err != nil && string(p.Err.Lock.Key) == k
			})
			require.Equal(t, want, outcome(reply.Value, !reply.NotFound, reply.Err))
			if i < 0 {
				require.Equal(t, want, "none")
				continue
			}
			require.Equal(t, want, outcome(scanned.Pairs[i].Value, true, scanned.Pairs[i].Err))
		}
	}
	w.engine.Walk(func(key []byte, l *Lock, writes []Write) bool {
		for i := range writes {
			require.True(t, i == 0 || writes[i-1].CommitTS < writes[i].CommitTS)
			require.False(t, l != nil && l.StartTS == writes[i].StartTS && writes[i].Kind != ports.KindRollback,
				"a committed transaction holds a lock on %s", key)
		}
		return true
	})
}

func outcome(value []byte, found bool, e *ports.KeyError) string {
	switch {
	case e != nil:
		return "locked " + string(e.Lock.Key)
	case found:
		return "value " + string(value)
	}
	return "none"
}

func TestEngineAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twin{model: model{facts: map[string]map[ports.Timestamp]*fact{}}}
		t.Repeat(map[string]func(*rapid.T){
			"prewrite": w.prewrite, "commit": w.commit, "rollback": w.rollback, "resolve": w.resolveAll,
			"check": w.check, "flush": w.flush, "": w.same,
		})
	})
}
