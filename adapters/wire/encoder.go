package wire

import (
	"slices"
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"github.com/tikvx/tikvx/ports"
)

// nullKeyspace is the keyspace of clients that use none (TiKV: API v1).
const nullKeyspace = 0xFFFFFFFF

// message is what kvproto's generated code offers.
type message interface {
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
	Unmarshal([]byte) error
}

// Encoder encodes requests. It keeps the messages that it fills, so that an encoded request costs no allocation, and
// nothing of the request. Not safe for concurrent use.
type Encoder struct {
	context   kvrpcpb.Context
	epoch     metapb.RegionEpoch
	peer      metapb.Peer
	resolved  []uint64
	committed []uint64
	keyspace  kvrpcpb.Context_KeyspaceId

	get            kvrpcpb.GetRequest
	batchGet       kvrpcpb.BatchGetRequest
	scan           kvrpcpb.ScanRequest
	prewrite       kvrpcpb.PrewriteRequest
	commit         kvrpcpb.CommitRequest
	batchRollback  kvrpcpb.BatchRollbackRequest
	checkTxnStatus kvrpcpb.CheckTxnStatusRequest
	resolveLock    kvrpcpb.ResolveLockRequest
	rawGet         kvrpcpb.RawGetRequest
	rawPut         kvrpcpb.RawPutRequest

	mutations []kvrpcpb.Mutation
	mutation  []*kvrpcpb.Mutation
	actions   []kvrpcpb.PrewriteRequest_PessimisticAction
}

// Append appends the encoded request to dst and returns the result.
func (e *Encoder) Append(dst []byte, cluster uint64, hdr *ports.Header, req ports.Request) []byte {
	m := e.fill(cluster, hdr, req)
	if m == nil {
		return dst
	}
	dst = appendMessage(dst, m)
	e.forget()
	return dst
}

// appendMessage marshals a message behind dst.
func appendMessage(dst []byte, m message) []byte {
	n := m.Size()
	start := len(dst)
	dst = slices.Grow(dst, n)[:start+n]
	written, err := m.MarshalToSizedBuffer(dst[start:])
	if err != nil || written != n {
		// Size and Marshal are generated from one description; only memory that
		// changes under them, a request that its caller still writes to, gets here.
		return dst[:start]
	}
	return dst
}

// header fills the context that travels with every request.
func (e *Encoder) header(cluster uint64, hdr *ports.Header) *kvrpcpb.Context {
	e.epoch = metapb.RegionEpoch{ConfVer: hdr.Region.Epoch.ConfVer, Version: hdr.Region.Epoch.Version}
	e.peer = peerToProto(hdr.Peer)
	e.keyspace.KeyspaceId = nullKeyspace
	c := &e.context
	c.RegionId, c.RegionEpoch, c.Peer = uint64(hdr.Region.ID), &e.epoch, &e.peer
	c.Priority, c.IsolationLevel = kvrpcpb.CommandPri(hdr.Priority), kvrpcpb.IsolationLevel(hdr.Isolation)
	c.NotFillCache, c.ReplicaRead, c.IsRetryRequest = hdr.NotFillCache, hdr.ReplicaRead, hdr.IsRetry
	c.StaleRead = hdr.StaleRead
	c.DiskFullOpt = kvrpcpb.DiskFullOpt_NotAllowedOnFull
	if hdr.AllowedOnAlmostFull {
		c.DiskFullOpt = kvrpcpb.DiskFullOpt_AllowedOnAlmostFull
	}
	c.MaxExecutionDurationMs = milliseconds(hdr.MaxExecution)
	e.resolved = appendTimestamps(e.resolved[:0], hdr.ResolvedLocks)
	e.committed = appendTimestamps(e.committed[:0], hdr.CommittedLocks)
	c.ResolvedLocks, c.CommittedLocks = e.resolved, e.committed
	c.RequestSource, c.ClusterId, c.Keyspace = hdr.RequestSource, cluster, &e.keyspace
	return c
}

// milliseconds rounds up, so that a bound that is set stays one.
func milliseconds(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64((d-1)/time.Millisecond) + 1
}

func appendTimestamps(dst []uint64, list []ports.Timestamp) []uint64 {
	for _, ts := range list {
		dst = append(dst, uint64(ts))
	}
	return dst
}

// fill returns the message of a request; nil for a request that is none of ours.
func (e *Encoder) fill(cluster uint64, hdr *ports.Header, req ports.Request) message {
	c := e.header(cluster, hdr)
	switch r := req.(type) {
	case *ports.GetRequest:
		e.get.Context, e.get.Key, e.get.Version = c, r.Key, uint64(r.TS)
		return &e.get
	case *ports.BatchGetRequest:
		e.batchGet.Context, e.batchGet.Keys, e.batchGet.Version = c, r.Keys, uint64(r.TS)
		return &e.batchGet
	case *ports.ScanRequest:
		e.fillScan(c, r)
		return &e.scan
	case *ports.PrewriteRequest:
		e.fillPrewrite(c, r)
		return &e.prewrite
	case *ports.CommitRequest:
		e.fillCommit(c, r)
		return &e.commit
	case *ports.BatchRollbackRequest:
		b := &e.batchRollback
		b.Context, b.Keys, b.StartVersion = c, r.Keys, uint64(r.StartTS)
		return b
	case *ports.CheckTxnStatusRequest:
		e.fillCheckTxnStatus(c, r)
		return &e.checkTxnStatus
	case *ports.ResolveLockRequest:
		l := &e.resolveLock
		l.Context, l.Keys, l.IsTxnFile = c, r.Keys, r.IsTxnFile
		l.StartVersion, l.CommitVersion, l.TxnInfos = uint64(r.StartTS), uint64(r.CommitTS), nil
		for _, t := range r.Txns {
			l.TxnInfos = append(l.TxnInfos, &kvrpcpb.TxnInfo{
				Txn: uint64(t.StartTS), Status: uint64(t.CommitTS), IsTxnFile: t.IsTxnFile,
			})
		}
		return l
	case *ports.TxnHeartBeatRequest:
		return &kvrpcpb.TxnHeartBeatRequest{
			Context: c, PrimaryLock: r.Primary, StartVersion: uint64(r.StartTS), AdviseLockTtl: r.AdviseLockTTL,
			MinCommitTs: uint64(r.MinCommitTS),
		}
	case *ports.PessimisticRollbackRequest:
		return &kvrpcpb.PessimisticRollbackRequest{
			Context: c, Keys: r.Keys, StartVersion: uint64(r.StartTS), ForUpdateTs: uint64(r.ForUpdateTS),
		}
	case *ports.CheckSecondaryLocksRequest:
		return &kvrpcpb.CheckSecondaryLocksRequest{Context: c, Keys: r.Keys, StartVersion: uint64(r.StartTS)}
	case *ports.PessimisticLockRequest:
		return e.pessimisticLock(c, r)
	case *ports.ScanLockRequest:
		return &kvrpcpb.ScanLockRequest{
			Context: c, MaxVersion: uint64(r.MaxTS), StartKey: r.Range.Start, EndKey: r.Range.End, Limit: r.Limit,
		}
	}
	return e.fillRaw(c, req)
}

func (e *Encoder) fillScan(c *kvrpcpb.Context, r *ports.ScanRequest) {
	s := &e.scan
	s.Context, s.Limit, s.Version, s.KeyOnly, s.Reverse = c, r.Limit, uint64(r.TS), r.KeyOnly, r.Reverse
	s.StartKey, s.EndKey = scanBounds(r.Range, r.Reverse)
}

// beyond is a key above every key that TiKV stores (storage.max-key-size, 8 KiB). TiKV takes the upper bound of a
// reverse scan literally, so that an empty one finds nothing (src/server/service/kv.rs, future_scan).
var beyond = strings.Repeat("\xff", 8<<10+1)

// scanBounds returns the bounds as the protocol wants them: a scan starts at its start, which is the upper bound of a
// reverse one.
func scanBounds(r ports.KeyRange, reverse bool) (start, end []byte) {
	switch {
	case !reverse:
		return r.Start, r.End
	case len(r.End) == 0:
		return []byte(beyond), r.Start
	}
	return r.End, r.Start
}

// fillMutations fills the messages of mutations, which are used again.
func (e *Encoder) fillMutations(list []ports.Mutation) []*kvrpcpb.Mutation {
	n := len(list)
	if cap(e.mutations) < n {
		e.mutations = make([]kvrpcpb.Mutation, n)
		e.mutation = make([]*kvrpcpb.Mutation, n)
		for i := range e.mutations {
			e.mutation[i] = &e.mutations[i]
		}
	}
	e.mutations, e.mutation = e.mutations[:n], e.mutation[:n]
	for i := range list {
		m := &list[i]
		e.mutations[i] = kvrpcpb.Mutation{
			Op: kvrpcpb.Op(m.Kind), Key: m.Key, Value: m.Value, Assertion: kvrpcpb.Assertion(m.Assertion),
		}
	}
	return e.mutation
}

func (e *Encoder) fillPrewrite(c *kvrpcpb.Context, r *ports.PrewriteRequest) {
	p := &e.prewrite
	p.Context, p.Mutations, p.PrimaryLock = c, e.fillMutations(r.Mutations), r.Primary
	p.SkipConstraintCheck, p.ForUpdateTs = r.SkipConstraintCheck, uint64(r.ForUpdateTS)
	p.UseAsyncCommit, p.Secondaries, p.TryOnePc = r.UseAsyncCommit, r.Secondaries, r.TryOnePC
	p.MaxCommitTs, p.AssertionLevel = uint64(r.MaxCommitTS), kvrpcpb.AssertionLevel(r.AssertionLevel)
	e.actions = e.actions[:0]
	for _, a := range r.Actions {
		e.actions = append(e.actions, kvrpcpb.PrewriteRequest_PessimisticAction(a))
	}
	p.PessimisticActions, p.ForUpdateTsConstraints = e.actions, nil
	for _, x := range r.Constraints {
		p.ForUpdateTsConstraints = append(p.ForUpdateTsConstraints, &kvrpcpb.PrewriteRequest_ForUpdateTSConstraint{
			Index: x.Index, ExpectedForUpdateTs: uint64(x.ForUpdateTS),
		})
	}
	p.StartVersion, p.LockTtl, p.TxnSize, p.MinCommitTs = uint64(r.StartTS), r.TTL, r.TxnSize, uint64(r.MinCommitTS)
}

func (e *Encoder) pessimisticLock(c *kvrpcpb.Context, r *ports.PessimisticLockRequest) message {
	m := &kvrpcpb.PessimisticLockRequest{
		Context: c, Mutations: e.fillMutations(r.Mutations), PrimaryLock: r.Primary, StartVersion: uint64(r.StartTS),
		LockTtl: r.TTL, ForUpdateTs: uint64(r.ForUpdateTS), IsFirstLock: r.IsFirstLock, WaitTimeout: r.WaitTimeout,
		ReturnValues: r.ReturnValues, MinCommitTs: uint64(r.MinCommitTS), CheckExistence: r.CheckExistence,
		LockOnlyIfExists: r.LockOnlyIfExists,
	}
	if r.ForceLock {
		m.WakeUpMode = kvrpcpb.PessimisticLockWakeUpMode_WakeUpModeForceLock
	}
	return m
}

func (e *Encoder) fillCommit(c *kvrpcpb.Context, r *ports.CommitRequest) {
	m := &e.commit
	m.Context, m.Keys, m.PrimaryKey = c, r.Keys, r.Primary
	m.StartVersion, m.CommitVersion = uint64(r.StartTS), uint64(r.CommitTS)
	m.CommitRole = kvrpcpb.CommitRole_Secondary
	if r.IsPrimary {
		m.CommitRole = kvrpcpb.CommitRole_Primary
	}
}

func (e *Encoder) fillCheckTxnStatus(c *kvrpcpb.Context, r *ports.CheckTxnStatusRequest) {
	e.checkTxnStatus = kvrpcpb.CheckTxnStatusRequest{
		Context: c, PrimaryKey: r.Primary, LockTs: uint64(r.LockTS),
		CallerStartTs: uint64(r.CallerStartTS), CurrentTs: uint64(r.CurrentTS),
		RollbackIfNotExist: r.RollbackIfNotExist, ForceSyncCommit: r.ForceSyncCommit,
		ResolvingPessimisticLock: r.ResolvingPessimisticLock, VerifyIsPrimary: r.VerifyIsPrimary,
		IsTxnFile: r.IsTxnFile,
	}
}

func (e *Encoder) fillRaw(c *kvrpcpb.Context, req ports.Request) message {
	switch r := req.(type) {
	case *ports.RawGetRequest:
		e.rawGet.Context, e.rawGet.Key, e.rawGet.Cf = c, r.Key, r.CF
		return &e.rawGet
	case *ports.RawPutRequest:
		p := &e.rawPut
		p.Context, p.Key, p.Value, p.Ttl, p.Cf, p.ForCas = c, r.Key, r.Value, r.TTL, r.CF, r.ForCAS
		return p
	case *ports.RawBatchGetRequest:
		return &kvrpcpb.RawBatchGetRequest{Context: c, Keys: r.Keys, Cf: r.CF}
	case *ports.RawBatchPutRequest:
		return rawBatchPut(c, r)
	case *ports.RawDeleteRequest:
		return &kvrpcpb.RawDeleteRequest{Context: c, Key: r.Key, Cf: r.CF, ForCas: r.ForCAS}
	case *ports.RawBatchDeleteRequest:
		return &kvrpcpb.RawBatchDeleteRequest{Context: c, Keys: r.Keys, Cf: r.CF, ForCas: r.ForCAS}
	case *ports.RawDeleteRangeRequest:
		return &kvrpcpb.RawDeleteRangeRequest{Context: c, StartKey: r.Range.Start, EndKey: r.Range.End, Cf: r.CF}
	case *ports.RawScanRequest:
		start, end := scanBounds(r.Range, r.Reverse)
		return &kvrpcpb.RawScanRequest{
			Context: c, StartKey: start, EndKey: end, Limit: r.Limit, KeyOnly: r.KeyOnly, Reverse: r.Reverse, Cf: r.CF,
		}
	case *ports.RawGetKeyTTLRequest:
		return &kvrpcpb.RawGetKeyTTLRequest{Context: c, Key: r.Key, Cf: r.CF}
	case *ports.RawCompareAndSwapRequest:
		return &kvrpcpb.RawCASRequest{
			Context: c, Key: r.Key, Value: r.Value, PreviousNotExist: r.PreviousAbsent, PreviousValue: r.Previous,
			Ttl: r.TTL, Cf: r.CF, Delete: r.Delete,
		}
	}
	return e.fillRare(c, req)
}

// rawBatchPut sends one life for each pair, or none at all: TiKV refuses other numbers, and applies a single one to
// every pair (src/server/service/kv.rs, future_raw_batch_put).
func rawBatchPut(c *kvrpcpb.Context, r *ports.RawBatchPutRequest) message {
	m := &kvrpcpb.RawBatchPutRequest{Context: c, Cf: r.CF, ForCas: r.ForCAS}
	pairs := make([]kvrpcpb.KvPair, len(r.Pairs))
	m.Pairs = make([]*kvrpcpb.KvPair, len(r.Pairs))
	mortal := false
	for i := range r.Pairs {
		pairs[i].Key, pairs[i].Value = r.Pairs[i].Key, r.Pairs[i].Value
		m.Pairs[i] = &pairs[i]
		mortal = mortal || r.Pairs[i].TTL != 0
	}
	if mortal {
		m.Ttls = make([]uint64, len(r.Pairs))
		for i := range r.Pairs {
			m.Ttls[i] = r.Pairs[i].TTL
		}
	}
	return m
}

// forget drops every reference to the request's memory.
func (e *Encoder) forget() {
	clear(e.mutations)
	e.context.RequestSource = ""
	e.get.Key, e.batchGet.Keys, e.rawGet.Key = nil, nil, nil
	e.scan.StartKey, e.scan.EndKey = nil, nil
	e.prewrite.PrimaryLock, e.prewrite.Secondaries = nil, nil
	e.commit.Keys, e.commit.PrimaryKey = nil, nil
	e.batchRollback.Keys, e.checkTxnStatus.PrimaryKey, e.resolveLock.Keys = nil, nil, nil
	e.rawPut.Key, e.rawPut.Value = nil, nil
}
