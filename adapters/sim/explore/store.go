package explore

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// engine is the stored data. Immutable, and kept once each.
type engine struct {
	id          uint32
	fingerprint uint64
	data        *mvcc.Engine
	versions    []version
	locks       []held
	// wrong says what no data may be, whoever wrote it.
	wrong string
	// settled is the data after every lock has been resolved; nil as long as nobody asked.
	settled *engine
}

// version is a committed record.
type version struct {
	key           string
	start, commit ports.Timestamp
	value         string
	data          bool
}

// held is a lock.
type held struct {
	key, primary string
	start, least ports.Timestamp
	ttl          uint64
}

// engine returns the one engine with this data.
func (x *Explorer) engine(data *mvcc.Engine) *engine {
	x.scratch = data.AppendState(x.scratch[:0])
	fingerprint := digestText(x.scratch)
	if e := x.engines[fingerprint]; e != nil {
		return e
	}
	e := &engine{id: uint32(len(x.engines)), fingerprint: fingerprint, data: data}
	data.Walk(func(key []byte, lock *mvcc.Lock, writes []mvcc.Write) bool {
		if lock != nil {
			e.locks = append(e.locks, held{
				key: string(key), primary: string(lock.Primary), start: lock.StartTS, least: lock.MinCommitTS, ttl: lock.TTL,
			})
		}
		for i := range writes {
			if w := &writes[i]; w.Kind != ports.KindRollback {
				e.versions = append(e.versions, version{
					string(key), w.StartTS, w.CommitTS, string(w.Value), w.Kind != ports.KindLock,
				})
			}
		}
		return true
	})
	e.wrong = e.inspect()
	x.engines[fingerprint] = e
	return e
}

// committed returns the timestamp at which a transaction is committed on a key, 0 when it is not.
func (e *engine) committed(key string, start ports.Timestamp) ports.Timestamp {
	for i := range e.versions {
		if v := &e.versions[i]; v.start == start && v.key == key {
			return v.commit
		}
	}
	return 0
}

func (e *engine) locked(key string, start ports.Timestamp) bool {
	return slices.ContainsFunc(e.locks, func(l held) bool { return l.start == start && l.key == key })
}

// visible returns the newest value of a key at a timestamp.
func (e *engine) visible(key string, at ports.Timestamp) (string, bool) {
	value, found := "", false
	for i := range e.versions { // versions of a key ascend
		if v := &e.versions[i]; v.key == key && v.commit <= at && v.data {
			value, found = v.value, true
		}
	}
	return value, found
}

// mortal reports whether a lock is alive at a timestamp, and will not be after a leap.
func (e *engine) mortal(at ports.Timestamp) bool {
	for i := range e.locks {
		l := &e.locks[i]
		end := l.start.Physical() + int64(l.ttl)
		if end >= at.Physical() && end < at.Physical()+leap {
			return true
		}
	}
	return false
}

type executionKey struct{ engine, request, layout uint32 }

// execution is what becomes of a request at its store.
type execution struct {
	to    *engine
	reply *reply
	// refused: a region error, so that nothing was done.
	refused bool
	// start is the transaction of which the store says that it is decided, as said.
	start ports.Timestamp
	said  said
	wrong string
}

// said is what stores have said of a transaction.
type said uint8

const (
	saidCommitted said = 1 << iota
	saidRolledBack
)

// execute returns what becomes of a request.
func (x *Explorer) execute(e *engine, r *request, l *layout) *execution {
	k := executionKey{e.id, r.id, l.id}
	if done := x.executions[k]; done != nil && !x.config.forgetful {
		return done
	}
	done := &execution{to: e}
	region, fault := l.admit(r)
	if fault != nil {
		done.refused, done.reply = true, x.refusal(r.body.Verb(), fault)
	} else {
		x.perform(done, e, r, mvcc.Extent{Start: region.Range.Start, End: region.Range.End})
	}
	x.executions[k] = done
	return done
}

func (x *Explorer) perform(done *execution, e *engine, r *request, extent mvcc.Extent) {
	defer func() {
		if r := recover(); r != nil {
			done.wrong = fmt.Sprintf("panic in the store: %v", r)
		}
	}()
	execute := Execute
	if x.config.store != nil {
		execute = x.config.store
	}
	data := e.data.Clone()
	body := execute(data, extent, &r.header, r.body)
	done.reply, done.to = x.reply(body), x.engine(data)
	done.start, done.said = verdict(r.body, body)
	done.wrong = compare(e, done.to)
}

// Execute carries out a request that its region admits.
func Execute(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply {
	switch q := req.(type) {
	case *ports.GetRequest:
		r := &ports.GetReply{}
		e.Get(q.Key, snapshot(hdr, q.TS), r)
		return r
	case *ports.BatchGetRequest:
		r := &ports.BatchGetReply{}
		e.BatchGet(q.Keys, snapshot(hdr, q.TS), r)
		return r
	case *ports.PrewriteRequest:
		r := &ports.PrewriteReply{}
		// What was read on a store bounds async commit and 1PC only, which no program asks for.
		e.PrewriteOn(mvcc.Terms{Retry: hdr.IsRetry}, q, r)
		return r
	case *ports.CommitRequest:
		r := &ports.CommitReply{}
		e.Commit(q, r)
		return r
	case *ports.BatchRollbackRequest:
		r := &ports.BatchRollbackReply{}
		e.BatchRollback(q, r)
		return r
	case *ports.CheckTxnStatusRequest:
		r := &ports.CheckTxnStatusReply{}
		e.CheckTxnStatus(q, r)
		return r
	case *ports.ResolveLockRequest:
		r := &ports.ResolveLockReply{}
		e.ResolveLock(q, x, r)
		return r
	case *ports.TxnHeartBeatRequest:
		r := &ports.TxnHeartBeatReply{}
		e.TxnHeartBeat(q, r)
		return r
	}
	panic(fmt.Sprintf("explore: no program sends %T", req))
}

func snapshot(hdr *ports.Header, ts ports.Timestamp) *mvcc.Snapshot {
	return &mvcc.Snapshot{TS: ts, Resolved: hdr.ResolvedLocks, Committed: hdr.CommittedLocks}
}

// admit returns the region of a request, or what is wrong with it; the order of the checks is TiKV's
// (raftstore: store/fsm/peer.rs: pre_propose_raft_command; store/util.rs).
func (l *layout) admit(r *request) (*ports.Region, *ports.RegionFault) {
	i := l.find(r.header.Region.ID)
	if i < 0 {
		return nil, &ports.RegionFault{Kind: ports.FaultRegionNotFound}
	}
	region := &l.regions[i]
	switch leader, _ := region.Peer(region.Leader); {
	case leader.ID != r.header.Peer.ID:
		return nil, &ports.RegionFault{Kind: ports.FaultNotLeader, Leader: leader}
	case region.Epoch.Version != r.header.Region.Epoch.Version:
		return nil, &ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: l.siblings(i, r.header.Region.Epoch.Version)}
	case !within(region.Range, r.body):
		return nil, &ports.RegionFault{Kind: ports.FaultKeyNotInRegion}
	}
	return region, nil
}

// siblings returns a region and those that were cut off its lower end since a version (peer.rs:
// collect_sibling_region).
func (l *layout) siblings(i int, since uint64) []ports.Region {
	list := []ports.Region{l.regions[i]}
	for i--; i >= 0 && l.regions[i].Epoch.Version > since; i-- {
		list = append(list, l.regions[i])
	}
	return list
}

// within reports whether the keys of a request lie in a region.
func within(r ports.KeyRange, req ports.Request) bool {
	x := mvcc.Extent{Start: r.Start, End: r.End}
	for _, k := range keysOf(req) {
		if !x.Contains(k) {
			return false
		}
	}
	return true
}

func keysOf(req ports.Request) [][]byte {
	switch q := req.(type) {
	case *ports.GetRequest:
		return [][]byte{q.Key}
	case *ports.BatchGetRequest:
		return q.Keys
	case *ports.PrewriteRequest:
		var keys [][]byte
		for i := range q.Mutations {
			keys = append(keys, q.Mutations[i].Key)
		}
		return keys
	case *ports.CommitRequest:
		return q.Keys
	case *ports.BatchRollbackRequest:
		return q.Keys
	case *ports.CheckTxnStatusRequest:
		return [][]byte{q.Primary}
	case *ports.ResolveLockRequest:
		return q.Keys
	case *ports.TxnHeartBeatRequest:
		return [][]byte{q.Primary}
	}
	return nil
}

// refusal is the reply of a verb with a region error.
func (x *Explorer) refusal(verb ports.Verb, f *ports.RegionFault) *reply {
	header := ports.ReplyHeader{Fault: f}
	switch verb {
	case ports.VerbGet:
		return x.reply(&ports.GetReply{ReplyHeader: header})
	case ports.VerbBatchGet:
		return x.reply(&ports.BatchGetReply{ReplyHeader: header})
	case ports.VerbPrewrite:
		return x.reply(&ports.PrewriteReply{ReplyHeader: header})
	case ports.VerbCommit:
		return x.reply(&ports.CommitReply{ReplyHeader: header})
	case ports.VerbBatchRollback:
		return x.reply(&ports.BatchRollbackReply{ReplyHeader: header})
	case ports.VerbCheckTxnStatus:
		return x.reply(&ports.CheckTxnStatusReply{ReplyHeader: header})
	case ports.VerbResolveLock:
		return x.reply(&ports.ResolveLockReply{ReplyHeader: header})
	default:
		return x.reply(&ports.TxnHeartBeatReply{ReplyHeader: header})
	}
}
