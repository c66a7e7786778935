package check

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// Columns is the data as it is at a moment: a lock or nil for a key, and its records, which ascend by commit timestamp.
type Columns interface {
	Lock(key []byte) *mvcc.Lock
	Writes(key []byte) []mvcc.Write
}

// Invariants watches every request that a store executes, and every reply that a client gets, and holds them against
// what must hold at any moment. Where a rule comes from is said at it; the numbers are those of the package's list of
// safety invariants. The methods are those of the simulator's monitor.
type Invariants struct {
	data Columns
	// allocated returns the greatest timestamp of PD.
	allocated func() ports.Timestamp
	// recent are some of the transactions of which something was seen lately.
	txns   map[ports.Timestamp]*watched
	recent [64]*watched
	memory memory
	// reads are the greatest timestamps at which the keys were read.
	reads map[string]*ports.Timestamp
	// pushed and stops are what readers know of locks, and how often they met them all the same.
	pushed map[push]bool
	stops  map[ports.Timestamp][]stop
	// safePoints are the GC states that were seen last.
	safePoints map[ports.KeyspaceID]ports.GCState
	// lives are when the first of the locks end that clients were shown of a transaction.
	lives map[ports.Timestamp]lifeEnd
	wrong []string
}

// watched is a transaction of which something was seen.
type watched struct {
	start   ports.Timestamp
	primary []byte
	// keys begin in few: most transactions have no more.
	keys []watchedKey
	few  [2]watchedKey
	// commit is when it was committed, 0 before.
	commit ports.Timestamp
	// least is the greatest least commit timestamp that any of its locks had, forUpdate the greatest of its other
	// timestamps.
	least, forUpdate ports.Timestamp
	// end is when the primary's lock was to expire when it was seen last.
	end lifeEnd
	// async: the primary alone does not decide.
	async bool
	// aborted: a record says that it was rolled back. told is what clients were answered.
	aborted bool
	told    Outcome
	// began is when its first prewrite was sent.
	began ports.Instant
	// locked is when its primary was, for life; beaten: it has asked for more.
	locked ports.Instant
	life   time.Duration
	beaten bool
	sent   int
}

// watchedKey is what became of a key of a transaction.
type watchedKey struct {
	key                        []byte
	locked, committed, aborted bool
	// inserted: the key must be absent when it is committed.
	inserted bool
}

// NewInvariants returns a monitor of the given data. allocated returns the greatest timestamp of the oracle.
func NewInvariants(data Columns, allocated func() ports.Timestamp) *Invariants {
	return &Invariants{
		data: data, allocated: allocated, txns: map[ports.Timestamp]*watched{}, reads: map[string]*ports.Timestamp{},
		pushed: map[push]bool{}, stops: map[ports.Timestamp][]stop{}, lives: map[ports.Timestamp]lifeEnd{},
		safePoints: map[ports.KeyspaceID]ports.GCState{},
	}
}

// Wrong returns what was wrong, at most a few dozen things.
func (m *Invariants) Wrong() []string { return m.wrong }

func (m *Invariants) report(format string, args ...any) {
	if len(m.wrong) < 32 {
		m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
	}
}

// txn returns what is known of a transaction.
func (m *Invariants) txn(start ports.Timestamp) *watched {
	recent := &m.recent[uint(start^start>>ports.LogicalBits)%uint(len(m.recent))]
	if t := *recent; t != nil && t.start == start {
		return t
	}
	t := m.txns[start]
	if t == nil {
		t = m.memory.watched()
		t.start, t.keys = start, t.few[:0]
		m.txns[start] = t
	}
	*recent = t
	return t
}

// Executed looks at the data after a request.
func (m *Invariants) Executed(hdr *ports.Header, req ports.Request, reply ports.Reply) {
	switch q := req.(type) {
	case *ports.GetRequest, *ports.BatchGetRequest, *ports.ScanRequest:
		m.onRead(hdr, req, reply)
	case *ports.PrewriteRequest:
		m.onPrewrite(q, reply)
	case *ports.CommitRequest:
		if r, ok := reply.(*ports.CommitReply); ok && r.Err == nil {
			m.known("commit", q.CommitTS)
		}
		m.look(m.txn(q.StartTS), q.Keys, false)
	case *ports.BatchRollbackRequest:
		m.look(m.txn(q.StartTS), q.Keys, false)
	case *ports.PessimisticRollbackRequest:
		m.look(m.txn(q.StartTS), q.Keys, false)
	case *ports.CheckTxnStatusRequest:
		m.onStatus(q, reply)
	case *ports.TxnHeartBeatRequest:
		t := m.txn(q.StartTS)
		m.primaryOf(t, q.Primary, "heartbeat")
		m.lookAt(t, q.Primary, false)
	case *ports.ResolveLockRequest:
		m.onResolve(q)
	default:
	}
}

// known reports a timestamp that PD never allocated (23).
func (m *Invariants) known(what string, ts ports.Timestamp) {
	if s := m.allocated(); ts > s && ts != ports.MaxTimestamp {
		m.report("%s at %d, which is in the future of %d", what, ts, s)
	}
}

// onRead remembers what was read, and when (8).
func (m *Invariants) onRead(hdr *ports.Header, req ports.Request, reply ports.Reply) {
	switch q := req.(type) {
	case *ports.GetRequest:
		m.known("read", q.TS)
		if r, ok := reply.(*ports.GetReply); ok && r.Err == nil {
			m.read(hdr, q.Key, q.TS)
		}
	case *ports.BatchGetRequest:
		m.known("read", q.TS)
		r, ok := reply.(*ports.BatchGetReply)
		if !ok || r.Err != nil {
			return
		}
		for _, k := range q.Keys {
			failed := func(p ports.Pair) bool { return p.Err != nil && string(p.Err.Lock.Key) == string(k) }
			if !slices.ContainsFunc(r.Pairs, failed) {
				m.read(hdr, k, q.TS)
			}
		}
	case *ports.ScanRequest:
		m.known("read", q.TS)
		r, ok := reply.(*ports.ScanReply)
		if !ok || r.Err != nil {
			return
		}
		for i := range r.Pairs {
			if r.Pairs[i].Err == nil {
				m.read(hdr, r.Pairs[i].Key, q.TS)
			}
		}
	}
}

// read remembers one read. One that was let through a committed lock says nothing about commits to come.
func (m *Invariants) read(hdr *ports.Header, key []byte, ts ports.Timestamp) {
	if ts == ports.MaxTimestamp {
		return
	}
	if len(hdr.CommittedLocks) > 0 {
		if l := m.data.Lock(key); l != nil && slices.Contains(hdr.CommittedLocks, l.StartTS) {
			return
		}
	}
	last := m.reads[string(key)]
	if last == nil {
		last = new(ports.Timestamp)
		m.reads[string(key)] = last
	}
	*last = max(*last, ts)
}

func (m *Invariants) onPrewrite(q *ports.PrewriteRequest, reply ports.Reply) {
	m.known("prewrite", q.StartTS)
	t := m.txn(q.StartTS)
	m.primaryOf(t, q.Primary, "prewrite")
	m.onExistence(t, q, reply)
	for i := range q.Mutations {
		if q.Mutations[i].Kind != ports.KindCheckNotExists {
			m.lookAt(t, q.Mutations[i].Key, true)
		}
	}
}

// primaryOf reports a request that names another primary than the one before (12).
func (m *Invariants) primaryOf(t *watched, primary []byte, what string) {
	switch {
	case len(t.primary) == 0:
		t.primary = m.memory.key(primary)
	case !bytes.Equal(t.primary, primary):
		m.report("%s of %d names %q as its primary, another %q", what, t.start, primary, t.primary)
	}
}

func (m *Invariants) onStatus(q *ports.CheckTxnStatusRequest, reply ports.Reply) {
	t := m.txn(q.LockTS)
	m.known("status check", q.CurrentTS)
	m.known("status check for a reader", q.CallerStartTS)
	r, ok := reply.(*ports.CheckTxnStatusReply)
	if !ok || r.Err != nil {
		return
	}
	m.killed(t, q, r)
	if len(t.primary) > 0 && !bytes.Equal(t.primary, q.Primary) && len(t.keys) > 0 {
		m.report("status of %d asked at %q, its primary is %q", t.start, q.Primary, t.primary)
	}
	m.lookAt(t, q.Primary, false)
}

// onResolve holds the verdict of whoever resolves locks against what was decided (11, 16).
func (m *Invariants) onResolve(q *ports.ResolveLockRequest) {
	t := m.txn(q.StartTS)
	switch {
	case t.async || len(t.primary) == 0:
	case q.CommitTS != 0 && q.CommitTS != t.commit:
		m.report("locks of %d are resolved as committed at %d, it is at %d", t.start, q.CommitTS, t.commit)
	case q.CommitTS == 0 && t.commit != 0:
		m.report("locks of %d are resolved as rolled back, it is committed at %d", t.start, t.commit)
	case q.CommitTS == 0 && m.holdsPrimary(t) && !slices.ContainsFunc(q.Keys, func(k []byte) bool {
		return bytes.Equal(k, t.primary)
	}):
		m.report("locks of %d are resolved as rolled back while its primary is locked", t.start)
	}
	if len(q.Keys) > 0 {
		m.look(t, q.Keys, false)
		return
	}
	for i := range t.keys {
		m.lookAt(t, t.keys[i].key, false)
	}
}

// holdsPrimary reports whether the primary is locked by a prewrite.
func (m *Invariants) holdsPrimary(t *watched) bool {
	l := m.data.Lock(t.primary)
	return l != nil && l.StartTS == t.start && l.Kind != ports.KindPessimisticLock
}

func (m *Invariants) look(t *watched, keys [][]byte, prewrite bool) {
	// The primary first: what follows of the others follows from it.
	for _, k := range keys {
		if bytes.Equal(k, t.primary) {
			m.lookAt(t, k, prewrite)
		}
	}
	for _, k := range keys {
		if !bytes.Equal(k, t.primary) {
			m.lookAt(t, k, prewrite)
		}
	}
}

// lookAt finds out what has become of a key of a transaction.
func (m *Invariants) lookAt(t *watched, key []byte, prewrite bool) {
	k := m.key(t, key)
	before := *k
	k.locked = false
	if l := m.data.Lock(key); l != nil && l.StartTS == t.start {
		k.locked = l.Kind != ports.KindPessimisticLock
		t.forUpdate = max(t.forUpdate, l.ForUpdateTS)
		t.async = t.async || l.AsyncCommit
		if bytes.Equal(key, l.Primary) {
			t.alive(l.TTL)
		}
		if k.locked {
			t.least = max(t.least, l.MinCommitTS)
			if len(t.primary) > 0 && !bytes.Equal(l.Primary, t.primary) {
				m.report("%q is locked for %d with the primary %q instead of %q", key, t.start, l.Primary, t.primary)
			}
		}
	}
	writes := m.data.Writes(key)
	record := own(writes, t.start)
	k.committed = record != nil && record.Kind != ports.KindRollback
	k.aborted = record != nil && record.Kind == ports.KindRollback || record == nil && rolledBackBeside(writes, t.start)
	switch {
	case k.committed && !before.committed:
		m.onCommitted(t, k, writes, record, prewrite)
	case before.committed && !k.committed:
		m.report("the commit of %d on %q is gone", t.start, key)
	case k.aborted && !before.aborted:
		m.onAborted(t, k)
	}
	if t.commit != 0 && before.locked && !k.locked && !k.committed {
		m.report("%d is committed, and its lock on %q is gone", t.start, key)
	}
	if k.locked && k.committed {
		m.report("%d is committed on %q, and locks it", t.start, key)
	}
}

// key returns what is known of a key of a transaction.
func (m *Invariants) key(t *watched, key []byte) *watchedKey {
	for i := range t.keys {
		if k := &t.keys[i]; bytes.Equal(k.key, key) {
			return k
		}
	}
	t.keys = append(t.keys, watchedKey{key: m.memory.key(key)})
	return &t.keys[len(t.keys)-1]
}

// own returns the record of a transaction, nil when there is none.
func own(writes []mvcc.Write, start ports.Timestamp) *mvcc.Write {
	for i := len(writes) - 1; i >= 0 && writes[i].CommitTS >= start; i-- {
		if writes[i].StartTS == start {
			return &writes[i]
		}
	}
	return nil
}

// rolledBackBeside reports whether a rollback is kept in the record of another transaction.
func rolledBackBeside(writes []mvcc.Write, start ports.Timestamp) bool {
	for i := len(writes) - 1; i >= 0 && writes[i].CommitTS >= start; i-- {
		if writes[i].CommitTS == start && writes[i].OverlappedRollback {
			return true
		}
	}
	return false
}

// onCommitted holds a new version against everything that was there before it.
func (m *Invariants) onCommitted(t *watched, k *watchedKey, writes []mvcc.Write, record *mvcc.Write, prewrite bool) {
	c := record.CommitTS
	if c <= t.start || c < t.least || c <= t.forUpdate { // 4
		m.report("%d is committed at %d: its locks were taken until %d and forbid less than %d", t.start, c, t.forUpdate,
			t.least)
	}
	if last := m.reads[string(k.key)]; last != nil && *last >= c { // 8
		m.report("%d is committed on %q at %d, which was read at %d", t.start, k.key, c, *last)
	}
	if at := m.livesBelow(k.key, c); k.inserted && at != 0 { // 7
		m.report("%d is committed on %q, which it inserted, and which was there since %d", t.start, k.key, at)
	}
	if t.aborted { // 3
		m.report("%d is rolled back, and committed on %q", t.start, k.key)
	}
	// 5 and 6: nobody else wrote since the transaction read, or took the lock.
	since := max(t.start, t.forUpdate)
	for i := range writes {
		w := &writes[i]
		if w.CommitTS > since && w.CommitTS < c && (w.Kind == ports.KindPut || w.Kind == ports.KindDelete) {
			m.report("%d is committed on %q at %d over a version of %d", t.start, k.key, c, w.CommitTS)
		}
	}
	switch {
	case t.commit == 0:
		t.commit = c
		m.decided(t, k, prewrite)
	case t.commit != c: // 2
		m.report("%d is committed at %d, and on %q at %d", t.start, t.commit, k.key, c)
	}
}

// decided is called when the first key of a transaction is committed: it is the primary, unless there is no single one
// that decides, and all others are locked (1).
func (m *Invariants) decided(t *watched, k *watchedKey, prewrite bool) {
	if len(t.primary) == 0 || t.async || prewrite {
		return
	}
	if !bytes.Equal(k.key, t.primary) {
		m.report("%d is committed on %q before its primary", t.start, k.key)
	}
	for i := range t.keys {
		o := &t.keys[i]
		if l := m.data.Lock(o.key); o != k && o.locked && (l == nil || l.StartTS != t.start) &&
			own(m.data.Writes(o.key), t.start) == nil {
			m.report("%d is committed, and %q is not locked", t.start, o.key)
		}
		if o.aborted {
			m.report("%d is committed, and rolled back on %q", t.start, o.key)
		}
	}
}

// onAborted holds a new record of a rollback against the transaction's fate (3, 11).
func (m *Invariants) onAborted(t *watched, k *watchedKey) {
	t.aborted = true
	switch {
	case t.commit != 0:
		m.report("%d is committed at %d, and rolled back on %q", t.start, t.commit, k.key)
	case len(t.primary) > 0 && !bytes.Equal(k.key, t.primary) && !t.async && m.holdsPrimary(t):
		m.report("%d is rolled back on %q while its primary is locked", t.start, k.key)
	}
}

// Answered holds replies against each other: nobody is told that a transaction is committed and that it is not (10).
func (m *Invariants) Answered(req ports.Request, reply ports.Reply) {
	if reply.Region() != nil {
		return
	}
	m.locksShown(reply)
	switch q := req.(type) {
	case *ports.CommitRequest:
		if r, ok := reply.(*ports.CommitReply); ok && r.Err == nil {
			m.tell(q.StartTS, Committed)
		}
	case *ports.BatchRollbackRequest:
		if r, ok := reply.(*ports.BatchRollbackReply); ok && r.Err == nil {
			m.tell(q.StartTS, Aborted)
		}
	case *ports.GetRequest:
		if r, ok := reply.(*ports.GetReply); ok {
			m.stopped(q.TS, q.Key, r.Err)
		}
	case *ports.BatchGetRequest:
		if r, ok := reply.(*ports.BatchGetReply); ok {
			m.stoppedBatch(q, r)
		}
	case *ports.ScanRequest:
		if r, ok := reply.(*ports.ScanReply); ok {
			m.stoppedScan(q, r)
		}
	case *ports.CheckTxnStatusRequest:
		r, ok := reply.(*ports.CheckTxnStatusReply)
		if ok && r.Err == nil {
			m.pushedFor(q, r)
		}
		switch {
		case !ok || r.Err != nil:
		case r.CommitTS != 0:
			m.tell(q.LockTS, Committed)
		case r.Action == ports.ActionTTLExpireRollback || r.Action == ports.ActionLockNotExistRollback:
			m.tell(q.LockTS, Aborted)
		}
	default:
	}
}

func (m *Invariants) tell(start ports.Timestamp, fate Outcome) {
	t := m.txn(start)
	if t.told != Unknown && t.told != fate {
		m.report("%d was answered as committed, and as rolled back", start)
	}
	t.told = fate
}

// AtRest reports, once nothing is on its way and no lock is left, every transaction that is committed on some of its
// keys only (1).
func (m *Invariants) AtRest() []string {
	var wrong []string
	for _, t := range m.txns {
		for i := range t.keys {
			if k := &t.keys[i]; t.commit != 0 && k.locked && own(m.data.Writes(k.key), t.start) == nil {
				wrong = append(wrong, fmt.Sprintf("%d is committed at %d, but not on %q", t.start, t.commit, k.key))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}
