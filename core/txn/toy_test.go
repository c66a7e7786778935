package txn

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/core/ts"
	"github.com/tikvx/tikvx/ports"
)

// toy is a cluster of the dumbest kind: one map, regions that only split, an oracle
// that counts. Requests to it are pending until the test decides what becomes of
// them.
type toy struct {
	c   *Commit
	env sm.Env
	now ports.Instant
	out sm.Effects

	regions []ports.Region
	locks   map[string]toyLock
	// commits and rollbacks are the records of each key, by start timestamp.
	commits   map[string]map[ports.Timestamp]ports.Timestamp
	rollbacks map[string]map[ports.Timestamp]bool
	lastTS    ports.Timestamp

	pending []toyPending
	// late are requests whose sender was told that they are lost, but which are not.
	late []toyPending
	// answers counts how often the caller was released. inDoubt: a request that can
	// decide the commit was lost, or its caller left.
	answers int
	inDoubt bool
	broken  string
	// deaf: requests that can decide the commit are executed and never answered.
	deaf bool
}

type toyLock struct {
	start, least ports.Timestamp
	ttl          uint64
	primary      string
}

type toyPending struct {
	kind    sm.EffectKind
	tok     ports.Tok
	at      ports.Instant
	region  ports.RegionVersion
	request ports.Request
}

func newToy(p Params) *toy {
	knobs := sm.DefaultKnobs()
	knobs.CommitBatchBytes, knobs.Workers = 3, 2
	w := &toy{
		c: &Commit{}, now: began, lastTS: ms(1000),
		locks: map[string]toyLock{}, commits: map[string]map[ports.Timestamp]ports.Timestamp{},
		rollbacks: map[string]map[ports.Timestamp]bool{},
	}
	w.env = sm.Env{
		Knobs: &knobs, Rand: sm.NewRand(1), Codec: key.Codec{Mode: key.Raw}, Stores: smtest.Up(1, 2), Txns: smtest.Txns{},
		Clock: sm.Clock{TS: w.lastTS, At: w.now},
	}
	for _, text := range []string{"1:1.1 [,d) 11@1*", "2:1.1 [d,) 21@2*"} {
		r, err := smtest.ParseRegion(text)
		if err != nil {
			panic(err)
		}
		w.regions = append(w.regions, r)
	}
	w.refresh()
	w.c.Init(p)
	return w
}

// refresh shows the machine the regions as they are.
func (w *toy) refresh() {
	var v smtest.Regions
	for _, r := range w.regions {
		e := &sm.Region{Region: r, Expiry: ports.Never}
		v = append(v, e)
	}
	w.env.Regions = v
}

// split cuts the region that holds a key.
func (w *toy) split(at string) {
	for i := range w.regions {
		r := &w.regions[i]
		if !r.Range.Contains([]byte(at)) || string(r.Range.Start) == at {
			continue
		}
		right := *r
		right.ID, right.Range.Start = ports.RegionID(10+len(w.regions)), []byte(at)
		right.Peers = []ports.Peer{{ID: ports.PeerID(right.ID * 10), Store: r.Peers[0].Store}}
		right.Leader = right.Peers[0].ID
		r.Range.End = []byte(at)
		r.Epoch.Version++
		right.Epoch = r.Epoch
		w.regions = append(w.regions, right)
		return
	}
}

func (w *toy) timestamp() ports.Timestamp {
	physical := 1000 + w.now.Sub(began).Milliseconds()
	w.lastTS = max(w.lastTS+1, ms(physical))
	return w.lastTS
}

// feed steps the machine and takes up what it wants.
func (w *toy) feed(ev ports.Event) {
	ev.Now = w.now
	w.out.Reset()
	w.c.Step(&w.env, &ev, &w.out)
	for i := range w.out.List {
		e := &w.out.List[i]
		p := toyPending{kind: e.Kind, tok: e.Tok, at: e.At}
		switch e.Kind {
		case sm.EffectSend:
			p.region, p.request = e.Header.Region, copyRequest(e.Request)
			w.mayRollBack(p.request)
		case sm.EffectTimestamp, sm.EffectArm, sm.EffectAsk:
		case sm.EffectAnswer:
			w.answers++
			continue
		default:
			continue
		}
		w.pending = append(w.pending, p)
	}
}

func copyRequest(r ports.Request) ports.Request {
	switch r := r.(type) {
	case *ports.PrewriteRequest:
		c := *r
		return &c
	case *ports.CommitRequest:
		c := *r
		return &c
	case *ports.BatchRollbackRequest:
		c := *r
		return &c
	case *ports.TxnHeartBeatRequest:
		c := *r
		return &c
	case *ports.CheckTxnStatusRequest:
		c := *r
		return &c
	case *ports.ResolveLockRequest:
		c := *r
		c.Keys = nil
		for _, k := range r.Keys {
			c.Keys = append(c.Keys, bytes.Clone(k))
		}
		return &c
	}
	panic(fmt.Sprintf("nobody sends %T", r))
}

func (w *toy) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// mayRollBack checks that a rollback is only begun while no commit of the
// transaction can succeed any more, and that the primary's comes first.
func (w *toy) mayRollBack(r ports.Request) {
	rb, ok := r.(*ports.BatchRollbackRequest)
	if !ok {
		return
	}
	primary := string(w.c.terms.primary)
	if string(rb.Keys[0]) != primary && !w.rollbacks[primary][rb.StartTS] {
		w.fail("%q is rolled back before the primary", rb.Keys[0])
	}
	if _, done := w.commits[primary][rb.StartTS]; done {
		w.fail("rolled back although committed")
	}
	lock, locked := w.locks[primary]
	for _, p := range append(append([]toyPending{}, w.pending...), w.late...) {
		c, ok := p.request.(*ports.CommitRequest)
		if ok && c.IsPrimary && locked && lock.start == c.StartTS && c.CommitTS >= lock.least && w.serves(&p) {
			w.fail("rolled back although a commit is under way")
		}
	}
}

func (w *toy) serves(p *toyPending) bool {
	for i := range w.regions {
		if w.regions[i].RegionVersion == p.region {
			return true
		}
	}
	return false
}

// deliver executes a request and returns its reply.
func (w *toy) deliver(p *toyPending) ports.Reply {
	if !w.serves(p) {
		f := &ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: w.regions}
		return &ports.CommitReply{ReplyHeader: ports.ReplyHeader{Fault: f}}
	}
	switch r := p.request.(type) {
	case *ports.PrewriteRequest:
		return &ports.PrewriteReply{Errors: w.prewrite(r)}
	case *ports.CommitRequest:
		return &ports.CommitReply{Err: w.commit(r), CommitTS: r.CommitTS}
	case *ports.BatchRollbackRequest:
		return &ports.BatchRollbackReply{Err: w.rollback(r)}
	case *ports.TxnHeartBeatRequest:
		lock, ok := w.locks[string(r.Primary)]
		if !ok || lock.start != r.StartTS {
			return &ports.TxnHeartBeatReply{Err: &ports.KeyError{Kind: ports.KeyTxnNotFound}}
		}
		lock.ttl = max(lock.ttl, r.AdviseLockTTL)
		w.locks[string(r.Primary)] = lock
		return &ports.TxnHeartBeatReply{TTL: lock.ttl}
	case *ports.CheckTxnStatusRequest:
		return w.check(r)
	case *ports.ResolveLockRequest:
		for _, k := range r.Keys {
			if w.locks[string(k)].start == r.StartTS {
				w.finish(string(k), r.StartTS, r.CommitTS)
			}
		}
		return &ports.ResolveLockReply{}
	}
	panic("unreachable")
}

func (w *toy) prewrite(r *ports.PrewriteRequest) []ports.KeyError {
	var errs []ports.KeyError
	for _, m := range r.Mutations {
		k := string(m.Key)
		lock, locked := w.locks[k]
		_, done := w.commits[k][r.StartTS]
		switch {
		case done, locked && lock.start == r.StartTS:
		case locked:
			errs = append(errs, ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{
				Key: m.Key, Primary: []byte(lock.primary), StartTS: lock.start, TTL: lock.ttl, TxnSize: 1,
			}})
		case w.rollbacks[k][r.StartTS]:
			return []ports.KeyError{{Kind: ports.KeyWriteConflict, Key: m.Key, Reason: ports.ConflictSelfRolledBack}}
		case w.newest(k) > r.StartTS:
			return []ports.KeyError{{Kind: ports.KeyWriteConflict, Key: m.Key, Reason: ports.ConflictOptimistic}}
		case m.Kind == ports.KindInsert && w.newest(k) > 0:
			return []ports.KeyError{{Kind: ports.KeyAlreadyExists, Key: m.Key}}
		}
	}
	if len(errs) > 0 {
		return errs
	}
	for _, m := range r.Mutations {
		k := string(m.Key)
		_, done := w.commits[k][r.StartTS]
		_, locked := w.locks[k]
		if m.Kind != ports.KindCheckNotExists && !done && !locked {
			w.locks[k] = toyLock{start: r.StartTS, least: r.MinCommitTS, ttl: r.TTL, primary: string(r.Primary)}
		}
	}
	return nil
}

func (w *toy) newest(k string) ports.Timestamp {
	newest := ports.Timestamp(0)
	for _, at := range w.commits[k] {
		newest = max(newest, at)
	}
	return newest
}

func (w *toy) commit(r *ports.CommitRequest) *ports.KeyError {
	for _, k := range r.Keys {
		lock, locked := w.locks[string(k)]
		_, done := w.commits[string(k)][r.StartTS]
		switch {
		case locked && lock.start == r.StartTS && r.CommitTS < lock.least:
			return &ports.KeyError{
				Kind: ports.KeyCommitTSExpired, Key: k, AttemptedCommitTS: r.CommitTS, MinCommitTS: lock.least,
			}
		case (!locked || lock.start != r.StartTS) && !done:
			return &ports.KeyError{Kind: ports.KeyTxnLockNotFound, Key: k}
		}
	}
	for _, k := range r.Keys {
		if lock, locked := w.locks[string(k)]; locked && lock.start == r.StartTS {
			w.finish(string(k), r.StartTS, r.CommitTS)
		}
	}
	return nil
}

func (w *toy) rollback(r *ports.BatchRollbackRequest) *ports.KeyError {
	for _, k := range r.Keys {
		if _, done := w.commits[string(k)][r.StartTS]; done {
			return &ports.KeyError{Kind: ports.KeyAbort, Text: "committed"}
		}
	}
	for _, k := range r.Keys {
		w.finish(string(k), r.StartTS, 0)
	}
	return nil
}

// finish removes a transaction's lock, if there is one, and leaves a record.
func (w *toy) finish(k string, start, commitTS ports.Timestamp) {
	if w.locks[k].start == start {
		delete(w.locks, k)
	}
	if commitTS == 0 {
		if w.rollbacks[k] == nil {
			w.rollbacks[k] = map[ports.Timestamp]bool{}
		}
		w.rollbacks[k][start] = true
		return
	}
	if w.commits[k] == nil {
		w.commits[k] = map[ports.Timestamp]ports.Timestamp{}
	}
	w.commits[k][start] = commitTS
}

func (w *toy) check(r *ports.CheckTxnStatusRequest) ports.Reply {
	k := string(r.Primary)
	if at, done := w.commits[k][r.LockTS]; done {
		return &ports.CheckTxnStatusReply{CommitTS: at}
	}
	if lock, locked := w.locks[k]; locked && lock.start == r.LockTS && !ts.Expired(lock.start, lock.ttl, r.CurrentTS) {
		return &ports.CheckTxnStatusReply{TTL: lock.ttl, Lock: &ports.Lock{TTL: lock.ttl, StartTS: lock.start}}
	}
	w.finish(k, r.LockTS, 0)
	return &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback}
}

// kill rolls the transaction's primary back as a resolver may once its lock is
// expired.
func (w *toy) kill() {
	primary := string(w.c.terms.primary)
	if l, ok := w.locks[primary]; ok && l.start == w.c.terms.start && ts.Expired(l.start, l.ttl, w.timestamp()) {
		w.finish(primary, l.start, 0)
	}
}

// push raises the least commit timestamp of the primary as a reader may.
func (w *toy) push() {
	primary := string(w.c.terms.primary)
	if l, ok := w.locks[primary]; ok && l.start == w.c.terms.start {
		l.least = max(l.least, w.timestamp()+1)
		w.locks[primary] = l
	}
}

// own returns how many keys the transaction has locked.
func (w *toy) own() int {
	n := 0
	for _, l := range w.locks {
		if l.start == w.c.terms.start {
			n++
		}
	}
	return n
}

// resolve finishes every lock that the transaction left, as whoever meets it does.
func (w *toy) resolve() {
	start := w.c.terms.start
	for _, k := range w.c.writes.locked {
		if l, ok := w.locks[string(k)]; ok && l.start == start {
			at := w.commits[l.primary][start]
			if at == 0 {
				w.finish(l.primary, start, 0)
			}
			w.finish(string(k), start, at)
		}
	}
}

// remove takes a pending effect out, in order.
func (w *toy) remove(i int) toyPending {
	p := w.pending[i]
	w.pending = append(w.pending[:i], w.pending[i+1:]...)
	return p
}

// answer lets the world do what it should with a pending effect.
func (w *toy) answer(i int) {
	p := w.remove(i)
	ev := ports.Event{Tok: p.tok}
	switch p.kind {
	case sm.EffectSend:
		ev.Kind, ev.Reply = ports.EventReply, w.deliver(&p)
		if w.deaf && p.decides() {
			w.inDoubt, ev.Kind, ev.Reply = true, ports.EventLost, nil
			ev.Cause.Kind = ports.CauseConnection
		}
	case sm.EffectTimestamp:
		ev.Kind, ev.TS = ports.EventTimestamp, w.timestamp()
		w.env.Clock = sm.Clock{TS: ev.TS, At: w.now}
	case sm.EffectAsk:
		ev.Kind = ports.EventTell
		w.refresh()
	default: // a timer
		ev.Kind = ports.EventTimer
		w.now = max(w.now, p.at)
	}
	w.feed(ev)
}

// decides reports whether a pending request can decide the commit.
func (p *toyPending) decides() bool {
	c, ok := p.request.(*ports.CommitRequest)
	return ok && c.IsPrimary
}

// settle lets everything happen as it should until the machine is done: what is not
// a timer first.
func (w *toy) settle() bool {
	for range 2000 {
		if w.c.Done() {
			return true
		}
		next := -1
		for i := range w.pending {
			if next < 0 || w.pending[i].kind != sm.EffectArm && w.pending[next].kind == sm.EffectArm ||
				w.pending[i].kind == sm.EffectArm && w.pending[next].kind == sm.EffectArm &&
					w.pending[i].at < w.pending[next].at {
				next = i
			}
		}
		if next < 0 {
			return false
		}
		w.now = w.now.Add(time.Millisecond)
		w.answer(next)
	}
	return false
}
