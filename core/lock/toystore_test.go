package lock

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// toyStore keeps to TiKV's rules about locks, those of pessimistic transactions among them, and to the transactions of
// clients that lose messages, give up primaries, are slow, and die. One transaction's fate is what its primary says.
type toyStore struct {
	t     *rapid.T
	now   ports.Timestamp
	slots map[string]*toySlot
	txns  []*toyTxn
	known smtest.Txns
	met   []ports.Lock
	// busy: transactions go on while locks are resolved.
	busy bool
}

// toySlot is what a key holds: a lock, and by start what became of transactions, 0 for those that were rolled back.
type toySlot struct {
	lock    *ports.Lock
	records map[ports.Timestamp]ports.Timestamp
}

// toyTxn is a pessimistic transaction, as its client knows it.
type toyTxn struct {
	start, commit ports.Timestamp
	ttl, size     uint64
	large         bool
	primary       string
	// keys are locked, of which pending are not prewritten, or not committed, yet.
	keys, pending []string
	phase         toyPhase
	// passed is the newest read that does not wait for the transaction.
	passed ports.Timestamp
}

type toyPhase uint8

const (
	toyLocking toyPhase = iota
	toyPrewriting
	toyCommitting
	toyCommitted
	toyGone
)

var toyKeys = []string{"a", "b", "n", "y", "z"}

func newToyStore(t *rapid.T) *toyStore {
	s := &toyStore{t: t, now: ms(100), slots: map[string]*toySlot{}, known: smtest.Txns{}}
	for _, k := range toyKeys {
		s.slots[k] = &toySlot{records: map[ports.Timestamp]ports.Timestamp{}}
	}
	for range 2 {
		s.txns = append(s.txns, &toyTxn{
			start: s.tick(), large: rapid.Bool().Draw(t, "large"),
			ttl:  rapid.SampledFrom([]uint64{5, 50, 500}).Draw(t, "ttl"),
			size: rapid.SampledFrom([]uint64{1, 1000}).Draw(t, "size"),
		})
	}
	return s
}

// tick is a new timestamp.
func (s *toyStore) tick() ports.Timestamp {
	s.now++
	return s.now
}

func (s *toyStore) pass() {
	s.now += ports.Timestamp(rapid.Uint64Range(0, 30).Draw(s.t, "ms")) << ports.LogicalBits
}

func (x *toySlot) own(start ports.Timestamp) *ports.Lock {
	if x.lock != nil && x.lock.StartTS == start {
		return x.lock
	}
	return nil
}

// put locks a key, and reports whether that is allowed.
func (s *toyStore) put(x *toyTxn, k string, kind ports.LockKind) bool {
	at := s.slots[k]
	if _, over := at.records[x.start]; over || at.lock != nil && at.lock.StartTS != x.start {
		return false
	}
	for _, commit := range at.records {
		if kind != ports.KindPessimisticLock && at.lock == nil && commit > x.start {
			return false // the lock was lost, and another transaction took advantage of it
		}
	}
	l := ports.Lock{
		Key: []byte(k), Primary: []byte(x.primary), StartTS: x.start, Kind: kind, TxnSize: x.size,
		TTL: uint64(s.now.Physical()-x.start.Physical()) + x.ttl, ForUpdateTS: s.tick(),
	}
	if kind != ports.KindPessimisticLock && x.large {
		l.MinCommitTS = x.start + 1
	}
	at.lock = &l
	return true
}

// step lets one of the clients do the next thing.
func (s *toyStore) step() {
	x := rapid.SampledFrom(s.txns).Draw(s.t, "client")
	what := rapid.IntRange(0, 19).Draw(s.t, "step")
	switch {
	case x.phase == toyGone:
	case what == 0 && x.phase != toyLocking:
		x.phase = toyGone
	case what == 1:
		s.heartbeat(x)
	case what == 2:
		s.misjudge(x)
	case x.phase == toyLocking && what < 12:
		s.lockKey(x)
	case x.phase == toyLocking && what < 16:
		s.giveUp(x)
	case x.phase == toyLocking && len(x.keys) > 0:
		x.phase, x.pending = toyPrewriting, slices.Clone(x.keys)
	case x.phase == toyPrewriting:
		s.prewrite(x)
	case x.phase == toyCommitting:
		s.commit(x)
	case x.phase == toyCommitted:
		s.commitSecondary(x)
	}
}

func (s *toyStore) lockKey(x *toyTxn) {
	k := rapid.SampledFrom(toyKeys).Draw(s.t, "key")
	if at := s.slots[k]; at.lock != nil && at.lock.StartTS != x.start {
		return // it waits
	}
	first := x.primary == ""
	if first {
		x.primary = k
	}
	if !s.put(x, k, ports.KindPessimisticLock) {
		x.phase = toyGone
		if first {
			x.primary = ""
		}
		return
	}
	if !slices.Contains(x.keys, k) {
		x.keys = append(x.keys, k)
	}
}

// giveUp ends a statement that failed after it had chosen the primary. What is to release its locks may be lost.
func (s *toyStore) giveUp(x *toyTxn) {
	for _, k := range x.keys {
		if rapid.Bool().Draw(s.t, "released") {
			s.release(k, x.start, s.now)
		}
	}
	x.primary, x.keys = "", nil
}

func (s *toyStore) release(k string, start, forUpdate ports.Timestamp) {
	if l := s.slots[k].own(start); l != nil && l.Pessimistic() && l.ForUpdateTS <= forUpdate {
		s.slots[k].lock = nil
	}
}

func (s *toyStore) prewrite(x *toyTxn) {
	n := rapid.IntRange(0, len(x.pending)-1).Draw(s.t, "key")
	if !s.put(x, x.pending[n], ports.KindPut) {
		x.phase = toyGone
		return
	}
	if x.pending = slices.Delete(x.pending, n, n+1); len(x.pending) == 0 {
		x.phase, x.commit = toyCommitting, s.tick()
	}
}

func (s *toyStore) commit(x *toyTxn) {
	at := s.slots[x.primary]
	l := at.own(x.start)
	switch {
	case l == nil:
		x.phase = toyGone
		return
	case x.commit < l.MinCommitTS:
		x.commit = s.tick()
		return
	case x.commit <= x.passed:
		s.t.Fatalf("T%d is committed at %d, before the read at %d that did not wait for it", x.start, x.commit, x.passed)
	}
	at.lock, at.records[x.start] = nil, x.commit
	x.phase, x.pending = toyCommitted, slices.Clone(x.keys)
}

func (s *toyStore) commitSecondary(x *toyTxn) {
	at := s.slots[rapid.SampledFrom(x.keys).Draw(s.t, "key")]
	if at.own(x.start) != nil {
		at.lock, at.records[x.start] = nil, x.commit
	}
}

func (s *toyStore) heartbeat(x *toyTxn) {
	if x.primary == "" {
		return
	}
	if l := s.slots[x.primary].own(x.start); l != nil {
		l.TTL = max(l.TTL, uint64(s.now.Physical()-x.start.Physical())+x.ttl)
	}
}

// misjudge lets a client that knows nothing of pessimistic locks ask about a primary that was given up.
func (s *toyStore) misjudge(x *toyTxn) {
	for _, k := range toyKeys {
		l := s.slots[k].lock
		if l == nil || l.StartTS != x.start || !l.Pessimistic() {
			continue
		}
		if p := string(l.Primary); p != x.primary && !slices.Contains(x.keys, p) {
			s.status(&ports.CheckTxnStatusRequest{
				Primary: l.Primary, LockTS: x.start, CurrentTS: s.now, RollbackIfNotExist: true,
			})
			return
		}
	}
}

// status answers CheckTxnStatus.
func (s *toyStore) status(q *ports.CheckTxnStatusRequest) *ports.CheckTxnStatusReply {
	at, r := s.slots[string(q.Primary)], &ports.CheckTxnStatusReply{}
	l := at.own(q.LockTS)
	switch {
	case l == nil:
		at.missing(q, r)
	case q.VerifyIsPrimary && string(l.Primary) != string(q.Primary):
		if !l.Pessimistic() || q.ResolvingPessimisticLock {
			r.Err = &ports.KeyError{Kind: ports.KeyPrimaryMismatch}
		} else if at.missing(q, r); r.Err == nil {
			at.lock = nil
		}
	case !ts.Expired(l.StartTS, l.TTL, q.CurrentTS):
		if l.MinCommitTS != 0 && q.CallerStartTS >= l.MinCommitTS {
			l.MinCommitTS = max(q.CallerStartTS+1, q.CurrentTS)
		}
		if q.CallerStartTS != 0 && l.MinCommitTS > q.CallerStartTS {
			r.Action = ports.ActionMinCommitTSPushed
		}
		info := *l
		r.TTL, r.Lock = l.TTL, &info
	case l.Pessimistic() && q.ResolvingPessimisticLock:
		at.lock, r.Action = nil, ports.ActionTTLExpirePessimisticRollback
	default:
		at.lock, at.records[q.LockTS], r.Action = nil, 0, ports.ActionTTLExpireRollback
	}
	return r
}

// missing answers for a key that the transaction has not locked.
func (x *toySlot) missing(q *ports.CheckTxnStatusRequest, r *ports.CheckTxnStatusReply) {
	commit, over := x.records[q.LockTS]
	switch {
	case over:
		r.CommitTS = commit
	case !q.RollbackIfNotExist:
		r.Err = &ports.KeyError{Kind: ports.KeyTxnNotFound}
	case q.ResolvingPessimisticLock:
		r.Action = ports.ActionLockNotExistDoNothing
	default:
		x.records[q.LockTS], r.Action = 0, ports.ActionLockNotExistRollback
	}
}

// believe fails if a transaction's fate is not what somebody takes it for.
func (s *toyStore) believe(start, commit ports.Timestamp) {
	x := s.txn(start)
	if got, over := s.fate(x); !over || got != commit {
		s.t.Fatalf("T%d is taken for committed at %d: %+v", start, commit, x)
	}
}

func (s *toyStore) txn(start ports.Timestamp) *toyTxn {
	return s.txns[slices.IndexFunc(s.txns, func(x *toyTxn) bool { return x.start == start })]
}

func (s *toyStore) fate(x *toyTxn) (commit ports.Timestamp, over bool) {
	if x.primary != "" {
		commit, over = s.slots[x.primary].records[x.start]
	}
	return commit, over
}

func (s *toyStore) learn(f *ports.Fact) {
	if f.Kind != ports.FactTxn {
		return
	}
	s.believe(f.StartTS, f.CommitTS)
	s.known[f.StartTS] = sm.TxnStatus{CommitTS: f.CommitTS}
}

// resolve answers ResolveLock. The cluster has two regions, which meet at m.
func (s *toyStore) resolve(q *ports.ResolveLockRequest, region ports.RegionID) {
	s.believe(q.StartTS, q.CommitTS)
	for _, k := range toyKeys {
		at := s.slots[k]
		l := at.own(q.StartTS)
		named := slices.ContainsFunc(q.Keys, func(b []byte) bool { return string(b) == k })
		if !named && (len(q.Keys) > 0 || l == nil || (k < "m") != (region == 1)) {
			continue
		}
		_, over := at.records[q.StartTS]
		switch {
		case q.CommitTS == 0 && !over:
			at.records[q.StartTS] = 0
		case l != nil && !l.Pessimistic():
			at.records[q.StartTS] = q.CommitTS
		}
		if l != nil {
			at.lock = nil
		}
	}
}

// unlock answers PessimisticRollback; without keys it is about all in the region.
func (s *toyStore) unlock(q *ports.PessimisticRollbackRequest) {
	if len(q.Keys) == 0 {
		s.t.Fatal("all that a transaction has locked is to be released")
	}
	for _, k := range q.Keys {
		if !slices.ContainsFunc(s.met, func(l ports.Lock) bool {
			return l.Pessimistic() && l.StartTS == q.StartTS && string(l.Key) == string(k)
		}) {
			s.t.Fatalf("T%d is to release %s, which nobody has met", q.StartTS, k)
		}
		s.release(string(k), q.StartTS, q.ForUpdateTS)
	}
}

func (s *toyStore) reply(e *sm.Effect) ports.Event {
	if s.busy && rapid.IntRange(0, 3).Draw(s.t, "busy") == 0 {
		s.step()
	}
	ev := ports.Event{Tok: e.Tok}
	switch e.Kind {
	case sm.EffectTimestamp:
		ev.Kind, ev.TS = ports.EventTimestamp, s.tick()
	case sm.EffectArm:
		ev.Kind = ports.EventTimer
	case sm.EffectAsk:
		ev.Kind = ports.EventTell
	case sm.EffectSend:
		ev.Kind = ports.EventReply
		switch q := e.Request.(type) {
		case *ports.CheckTxnStatusRequest:
			ev.Reply = s.status(q)
		case *ports.ResolveLockRequest:
			s.resolve(q, e.Header.Region.ID)
			ev.Reply = &ports.ResolveLockReply{}
		case *ports.PessimisticRollbackRequest:
			s.unlock(q)
			ev.Reply = &ports.PessimisticRollbackReply{}
		}
	case sm.EffectQuery, sm.EffectProbe, sm.EffectLearn, sm.EffectTell, sm.EffectForget, sm.EffectAnswer:
	}
	return ev
}

// meets returns the locks in the way, some or all of them.
func (s *toyStore) meets(all bool) []ports.Lock {
	s.met = nil
	for _, k := range toyKeys {
		if l := s.slots[k].lock; l != nil && (all || rapid.IntRange(0, 3).Draw(s.t, "met") > 0) {
			s.met = append(s.met, *l)
		}
	}
	return s.met
}

// garble makes a prewrite lock name a secondary as its primary.
func (s *toyStore) garble() bool {
	for i := range s.met {
		for j := range s.met {
			l, other := &s.met[i], &s.met[j]
			if l.StartTS == other.StartTS && i != j && !l.Pessimistic() && !other.Pessimistic() &&
				string(other.Key) != s.txn(l.StartTS).primary {
				l.Primary = other.Key
				return true
			}
		}
	}
	return false
}

// round resolves locks on somebody's behalf.
func (s *toyStore) round(purpose Purpose, all bool) *Result {
	p := newPlay(purpose)
	if p.caller.locks = s.meets(all); len(p.caller.locks) == 0 {
		return &Result{}
	}
	garbled := !all && rapid.IntRange(0, 5).Draw(s.t, "garbled") == 0 && s.garble()
	p.Env.Txns, p.caller.spec.CallerTS, p.caller.spec.Deadline = s.known, s.tick(), ports.Never
	converse(s.t, p, s)
	r := &p.caller.resolver
	if !r.Done() || r.Result().Failure.Failed() && !garbled {
		s.t.Fatalf("%s: %+v", r, r.Result())
	}
	for _, start := range r.CommittedLocks() {
		if commit, over := s.fate(s.txn(start)); !over || commit == 0 || commit > p.caller.spec.CallerTS {
			s.t.Fatalf("T%d is read through: %+v", start, s.txn(start))
		}
	}
	for _, start := range r.ResolvedLocks() {
		x := s.txn(start)
		if commit, over := s.fate(x); over && commit != 0 && commit <= p.caller.spec.CallerTS {
			s.t.Fatalf("T%d is ignored: %+v", start, x)
		}
		x.passed = max(x.passed, p.caller.spec.CallerTS)
	}
	return r.Result()
}

// atomic fails if a transaction is committed in part.
func (s *toyStore) atomic() {
	for _, x := range s.txns {
		fate, _ := s.fate(x)
		for _, k := range toyKeys {
			at := s.slots[k]
			commit, over := at.records[x.start]
			l := at.own(x.start)
			committed := over && commit == fate || !over && l != nil && !l.Pessimistic()
			if fate == 0 && commit != 0 || fate != 0 && slices.Contains(x.keys, k) && !committed {
				s.t.Fatalf("T%d is committed at %d, %s has %d, %v: %+v", x.start, fate, k, commit, over, x)
			}
		}
	}
}

// Locks of every kind are met while their transactions go on: what is remembered of one is what becomes of it, none
// is committed in part, no read passes what it should see, and once all clients have gone one round removes the rest.
func TestTransactionsAgainstAToyStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newToyStore(t)
		t.Repeat(map[string]func(*rapid.T){
			"step": func(t *rapid.T) {
				s.t = t
				for range rapid.IntRange(1, 6).Draw(t, "steps") {
					s.step()
				}
			},
			"time": func(t *rapid.T) { s.t = t; s.pass() },
			"meet": func(t *rapid.T) {
				s.t, s.busy = t, rapid.Bool().Draw(t, "busy")
				s.round(rapid.SampledFrom([]Purpose{Read, Write}).Draw(t, "purpose"), false)
			},
			"": func(t *rapid.T) { s.t = t; s.atomic() },
		})
		s.t, s.busy, s.now = t, false, s.now+ms(10_000)
		if r := s.round(Write, true); r.Wait != 0 {
			t.Fatalf("somebody lives for %v", r.Wait)
		}
		s.atomic()
		if left := s.meets(true); len(left) > 0 {
			t.Fatalf("left: %+v", left)
		}
	})
}
