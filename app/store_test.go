package app

import (
	"bytes"
	"maps"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// store keeps both kinds of keys of a cluster. It knows as much of Percolator as the
// tests of this package can meet.
type store struct {
	versions map[string][]version
	locks    map[string]lock
	raw      map[string]rawValue
}

type version struct {
	start, commit ports.Timestamp
	value         []byte // nil when deleted
}

type lock struct {
	start   ports.Timestamp
	primary []byte
	kind    ports.LockKind
	value   []byte
}

type rawValue struct {
	value []byte
	ttl   uint64
}

func newStore() store {
	return store{versions: map[string][]version{}, locks: map[string]lock{}, raw: map[string]rawValue{}}
}

// serve answers a request.
func (s *store) serve(req ports.Request) ports.Reply {
	switch r := req.(type) {
	case *ports.GetRequest:
		value, err := s.read(r.Key, r.TS)
		return &ports.GetReply{Value: value, NotFound: value == nil && err == nil, Err: err}
	case *ports.BatchGetRequest:
		reply := &ports.BatchGetReply{}
		for _, k := range r.Keys {
			reply.Pairs = s.appendPair(reply.Pairs, k, r.TS)
		}
		return reply
	case *ports.ScanRequest:
		return &ports.ScanReply{Pairs: s.scan(r)}
	case *ports.PrewriteRequest:
		reply := &ports.PrewriteReply{}
		for _, m := range r.Mutations {
			if err := s.prewrite(r, m); err != nil {
				reply.Errors = append(reply.Errors, *err)
			}
		}
		return reply
	case *ports.CommitRequest:
		for _, k := range r.Keys {
			if !s.commit(k, r.StartTS, r.CommitTS) {
				return &ports.CommitReply{Err: &ports.KeyError{
					Kind: ports.KeyTxnLockNotFound, Key: bytes.Clone(k), StartTS: r.StartTS,
				}}
			}
		}
		return &ports.CommitReply{CommitTS: r.CommitTS}
	case *ports.BatchRollbackRequest:
		s.resolve(r.Keys, r.StartTS, 0)
		return &ports.BatchRollbackReply{}
	case *ports.ResolveLockRequest:
		keys := r.Keys
		if len(keys) == 0 {
			for k := range s.locks {
				keys = append(keys, []byte(k))
			}
		}
		s.resolve(keys, r.StartTS, r.CommitTS)
		return &ports.ResolveLockReply{}
	case *ports.TxnHeartBeatRequest:
		return &ports.TxnHeartBeatReply{TTL: r.AdviseLockTTL}
	case *ports.CheckTxnStatusRequest:
		return s.checkTxnStatus(r)
	}
	return s.serveRaw(req)
}

func (s *store) read(key []byte, ts ports.Timestamp) ([]byte, *ports.KeyError) {
	if l, ok := s.locks[string(key)]; ok && l.start <= ts {
		return nil, locked(key, l)
	}
	for _, v := range slices.Backward(s.versions[string(key)]) {
		if v.commit <= ts {
			return bytes.Clone(v.value), nil
		}
	}
	return nil, nil
}

func locked(key []byte, l lock) *ports.KeyError {
	return &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{
		Key: bytes.Clone(key), Primary: l.primary, StartTS: l.start, TTL: 3000, Kind: l.kind, TxnSize: 1,
	}}
}

func (s *store) appendPair(pairs []ports.Pair, key []byte, ts ports.Timestamp) []ports.Pair {
	value, err := s.read(key, ts)
	if value == nil && err == nil {
		return pairs
	}
	return append(pairs, ports.Pair{Key: bytes.Clone(key), Value: value, Err: err})
}

func (s *store) scan(r *ports.ScanRequest) []ports.Pair {
	var pairs []ports.Pair
	for _, k := range inRange(maps.Keys(s.versions), r.Range, r.Reverse) {
		if len(pairs) < int(r.Limit) {
			pairs = s.appendPair(pairs, []byte(k), r.TS)
		}
	}
	for i := range pairs {
		if r.KeyOnly {
			pairs[i].Value = nil
		}
	}
	return pairs
}

func (s *store) prewrite(r *ports.PrewriteRequest, m ports.Mutation) *ports.KeyError {
	if l, ok := s.locks[string(m.Key)]; ok && l.start != r.StartTS {
		return locked(m.Key, l)
	}
	if vs := s.versions[string(m.Key)]; len(vs) > 0 {
		last := vs[len(vs)-1]
		if last.commit > r.StartTS {
			return &ports.KeyError{
				Kind: ports.KeyWriteConflict, Key: bytes.Clone(m.Key), Primary: bytes.Clone(r.Primary), StartTS: r.StartTS,
				ConflictTS: last.start, ConflictCommitTS: last.commit, Reason: ports.ConflictOptimistic,
			}
		}
		if last.value != nil && (m.Kind == ports.KindInsert || m.Kind == ports.KindCheckNotExists) {
			return &ports.KeyError{Kind: ports.KeyAlreadyExists, Key: bytes.Clone(m.Key)}
		}
	}
	if m.Kind != ports.KindCheckNotExists {
		s.locks[string(m.Key)] = lock{r.StartTS, bytes.Clone(r.Primary), m.Kind, bytes.Clone(m.Value)}
	}
	return nil
}

func (s *store) commit(key []byte, start, commit ports.Timestamp) bool {
	l, ok := s.locks[string(key)]
	if !ok || l.start != start {
		return slices.ContainsFunc(s.versions[string(key)], func(v version) bool { return v.start == start })
	}
	delete(s.locks, string(key))
	s.versions[string(key)] = append(s.versions[string(key)], version{start, commit, l.value})
	return true
}

// resolve commits, or with commit 0 rolls back, what a transaction has locked.
func (s *store) resolve(keys [][]byte, start, commit ports.Timestamp) {
	for _, k := range keys {
		switch l, ok := s.locks[string(k)]; {
		case !ok || l.start != start:
		case commit == 0:
			delete(s.locks, string(k))
		default:
			s.commit(k, start, commit)
		}
	}
}

func (s *store) checkTxnStatus(r *ports.CheckTxnStatusRequest) ports.Reply {
	if l, ok := s.locks[string(r.Primary)]; ok && l.start == r.LockTS {
		if r.CurrentTS.Physical() > l.start.Physical()+3000 {
			delete(s.locks, string(r.Primary))
			return &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback}
		}
		return &ports.CheckTxnStatusReply{TTL: 3000, Lock: &locked(r.Primary, l).Lock}
	}
	for _, v := range s.versions[string(r.Primary)] {
		if v.start == r.LockTS {
			return &ports.CheckTxnStatusReply{CommitTS: v.commit}
		}
	}
	return &ports.CheckTxnStatusReply{Action: ports.ActionLockNotExistRollback}
}

func (s *store) serveRaw(req ports.Request) ports.Reply {
	switch r := req.(type) {
	case *ports.RawGetRequest:
		v, ok := s.raw[r.CF+"/"+string(r.Key)]
		return &ports.RawGetReply{Value: v.value, NotFound: !ok}
	case *ports.RawGetKeyTTLRequest:
		v, ok := s.raw[r.CF+"/"+string(r.Key)]
		return &ports.RawGetKeyTTLReply{TTL: v.ttl, NotFound: !ok}
	case *ports.RawPutRequest:
		s.rawPut(r.CF, r.Key, r.Value, r.TTL)
	case *ports.RawBatchPutRequest:
		for _, p := range r.Pairs {
			s.rawPut(r.CF, p.Key, p.Value, p.TTL)
		}
	case *ports.RawDeleteRequest:
		delete(s.raw, r.CF+"/"+string(r.Key))
	case *ports.RawBatchDeleteRequest:
		for _, k := range r.Keys {
			delete(s.raw, r.CF+"/"+string(k))
		}
	case *ports.RawDeleteRangeRequest:
		for _, k := range s.rawKeys(r.CF, r.Range, false) {
			delete(s.raw, r.CF+"/"+k)
		}
	case *ports.RawBatchGetRequest:
		reply := &ports.RawBatchGetReply{}
		for _, k := range r.Keys {
			if v, ok := s.raw[r.CF+"/"+string(k)]; ok {
				reply.Pairs = append(reply.Pairs, ports.Pair{Key: bytes.Clone(k), Value: v.value})
			}
		}
		return reply
	case *ports.RawScanRequest:
		return s.rawScan(r)
	case *ports.RawCompareAndSwapRequest:
		return s.rawSwap(r)
	default:
		panic("unknown request")
	}
	return &ports.RawWriteReply{Of: req.Verb()}
}

func (s *store) rawPut(cf string, key, value []byte, ttl uint64) {
	s.raw[cf+"/"+string(key)] = rawValue{append([]byte{}, value...), ttl}
}

func (s *store) rawKeys(cf string, rng ports.KeyRange, reverse bool) []string {
	bare := func(yield func(string) bool) {
		for k := range s.raw {
			if k, ok := bytes.CutPrefix([]byte(k), []byte(cf+"/")); ok && !yield(string(k)) {
				return
			}
		}
	}
	return inRange(bare, rng, reverse)
}

func (s *store) rawScan(r *ports.RawScanRequest) ports.Reply {
	reply := &ports.RawScanReply{}
	for _, k := range s.rawKeys(r.CF, r.Range, r.Reverse) {
		if len(reply.Pairs) == int(r.Limit) {
			break
		}
		p := ports.Pair{Key: []byte(k), Value: s.raw[r.CF+"/"+k].value}
		if r.KeyOnly {
			p.Value = nil
		}
		reply.Pairs = append(reply.Pairs, p)
	}
	return reply
}

func (s *store) rawSwap(r *ports.RawCompareAndSwapRequest) ports.Reply {
	v, ok := s.raw[r.CF+"/"+string(r.Key)]
	reply := &ports.RawCompareAndSwapReply{Previous: v.value, PreviousAbsent: !ok}
	reply.Succeeded = ok != r.PreviousAbsent && (!ok || bytes.Equal(v.value, r.Previous))
	switch {
	case reply.Succeeded && r.Delete:
		delete(s.raw, r.CF+"/"+string(r.Key))
	case reply.Succeeded:
		s.rawPut(r.CF, r.Key, r.Value, r.TTL)
	}
	return reply
}

// inRange returns the keys of a range in the order of a scan.
func inRange(keys func(func(string) bool), rng ports.KeyRange, reverse bool) []string {
	all := slices.DeleteFunc(slices.Sorted(keys), func(k string) bool { return !rng.Contains([]byte(k)) })
	if reverse {
		slices.Reverse(all)
	}
	return all
}
