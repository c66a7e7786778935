package wire

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// Request is a request as a server receives it.
type Request struct {
	Cluster uint64
	Header  ports.Header
	Request ports.Request
}

// DecodeRequest decodes the request of a verb. What it returns shares no memory with body. The error is [ErrMalformed].
func DecodeRequest(verb ports.Verb, body []byte) (Request, error) {
	c, req, err := decodeRequest(verb, body)
	if err != nil {
		return Request{}, err
	}
	return Request{Cluster: c.GetClusterId(), Header: headerFromProto(c), Request: req}, nil
}

func headerFromProto(c *kvrpcpb.Context) ports.Header {
	h := ports.Header{
		Region: ports.RegionVersion{
			ID:    ports.RegionID(c.GetRegionId()),
			Epoch: ports.Epoch{ConfVer: c.GetRegionEpoch().GetConfVer(), Version: c.GetRegionEpoch().GetVersion()},
		},
		Peer:         peerFromProto(c.GetPeer()),
		MaxExecution: time.Duration(min(c.GetMaxExecutionDurationMs(), 1<<40)) * time.Millisecond,
		IsRetry:      c.GetIsRetryRequest(), NotFillCache: c.GetNotFillCache(),
		ReplicaRead: c.GetReplicaRead(), StaleRead: c.GetStaleRead(),
		AllowedOnAlmostFull: c.GetDiskFullOpt() >= kvrpcpb.DiskFullOpt_AllowedOnAlmostFull,
		RequestSource:       c.GetRequestSource(), Isolation: ports.Isolation(c.GetIsolationLevel()),
	}
	switch c.GetPriority() {
	case kvrpcpb.CommandPri_Normal:
		h.Priority = ports.PriorityNormal
	case kvrpcpb.CommandPri_Low:
		h.Priority = ports.PriorityLow
	case kvrpcpb.CommandPri_High:
		h.Priority = ports.PriorityHigh
	}
	for _, ts := range c.GetResolvedLocks() {
		h.ResolvedLocks = append(h.ResolvedLocks, ports.Timestamp(ts))
	}
	for _, ts := range c.GetCommittedLocks() {
		h.CommittedLocks = append(h.CommittedLocks, ports.Timestamp(ts))
	}
	return h
}

// parse unmarshals a message, and says whether it could.
func parse[M message](m M, body []byte) (M, error) {
	if m.Unmarshal(body) != nil {
		return m, malformed("request")
	}
	return m, nil
}

func decodeRequest(verb ports.Verb, body []byte) (*kvrpcpb.Context, ports.Request, error) {
	switch verb {
	case ports.VerbGet:
		m, err := parse(new(kvrpcpb.GetRequest), body)
		return m.Context, &ports.GetRequest{Key: m.Key, TS: ports.Timestamp(m.Version)}, err
	case ports.VerbBatchGet:
		m, err := parse(new(kvrpcpb.BatchGetRequest), body)
		return m.Context, &ports.BatchGetRequest{Keys: m.Keys, TS: ports.Timestamp(m.Version)}, err
	case ports.VerbScan:
		m, err := parse(new(kvrpcpb.ScanRequest), body)
		return m.Context, &ports.ScanRequest{
			Range: scanRange(m.StartKey, m.EndKey, m.Reverse), Limit: m.Limit, TS: ports.Timestamp(m.Version),
			KeyOnly: m.KeyOnly, Reverse: m.Reverse,
		}, err
	case ports.VerbPrewrite:
		return decodePrewrite(body)
	case ports.VerbCommit:
		m, err := parse(new(kvrpcpb.CommitRequest), body)
		return m.Context, &ports.CommitRequest{
			Keys: m.Keys, Primary: m.PrimaryKey, StartTS: ports.Timestamp(m.StartVersion),
			CommitTS: ports.Timestamp(m.CommitVersion), IsPrimary: m.CommitRole == kvrpcpb.CommitRole_Primary,
		}, err
	case ports.VerbBatchRollback:
		m, err := parse(new(kvrpcpb.BatchRollbackRequest), body)
		return m.Context, &ports.BatchRollbackRequest{Keys: m.Keys, StartTS: ports.Timestamp(m.StartVersion)}, err
	case ports.VerbCheckTxnStatus:
		return decodeStatusRequest(body)
	case ports.VerbResolveLock:
		m, err := parse(new(kvrpcpb.ResolveLockRequest), body)
		return m.Context, &ports.ResolveLockRequest{
			StartTS: ports.Timestamp(m.StartVersion), CommitTS: ports.Timestamp(m.CommitVersion),
			Keys: m.Keys, Txns: txnInfos(m.TxnInfos), IsTxnFile: m.IsTxnFile,
		}, err
	case ports.VerbTxnHeartBeat:
		m, err := parse(new(kvrpcpb.TxnHeartBeatRequest), body)
		return m.Context, &ports.TxnHeartBeatRequest{
			Primary: m.PrimaryLock, StartTS: ports.Timestamp(m.StartVersion), AdviseLockTTL: m.AdviseLockTtl,
			MinCommitTS: ports.Timestamp(m.MinCommitTs),
		}, err
	case ports.VerbPessimisticRollback:
		m, err := parse(new(kvrpcpb.PessimisticRollbackRequest), body)
		return m.Context, &ports.PessimisticRollbackRequest{
			Keys: m.Keys, StartTS: ports.Timestamp(m.StartVersion), ForUpdateTS: ports.Timestamp(m.ForUpdateTs),
		}, err
	case ports.VerbCheckSecondaryLocks:
		m, err := parse(new(kvrpcpb.CheckSecondaryLocksRequest), body)
		return m.Context, &ports.CheckSecondaryLocksRequest{Keys: m.Keys, StartTS: ports.Timestamp(m.StartVersion)}, err
	case ports.VerbPessimisticLock:
		return decodePessimisticLockRequest(body)
	case ports.VerbScanLock:
		m, err := parse(new(kvrpcpb.ScanLockRequest), body)
		return m.Context, &ports.ScanLockRequest{
			Range: ports.KeyRange{Start: m.StartKey, End: m.EndKey}, MaxTS: ports.Timestamp(m.MaxVersion), Limit: m.Limit,
		}, err
	default:
		return decodeRawRequest(verb, body)
	}
}

// scanRange is the opposite of scanBounds. What cannot hold a key, as a reverse scan below nothing, is a range from its
// lower bound to itself.
func scanRange(start, end []byte, reverse bool) ports.KeyRange {
	switch {
	case !reverse:
		return ports.KeyRange{Start: start, End: end}
	case string(start) == beyond:
		return ports.KeyRange{Start: end}
	case len(start) == 0:
		end = append(end, 0)
		return ports.KeyRange{Start: end, End: end}
	}
	return ports.KeyRange{Start: end, End: start}
}

func decodePrewrite(body []byte) (*kvrpcpb.Context, ports.Request, error) {
	m, err := parse(new(kvrpcpb.PrewriteRequest), body)
	r := &ports.PrewriteRequest{
		Primary: m.PrimaryLock, StartTS: ports.Timestamp(m.StartVersion), TTL: m.LockTtl, TxnSize: m.TxnSize,
		MinCommitTS: ports.Timestamp(m.MinCommitTs), Mutations: mutationsFromProto(m.Mutations),
		SkipConstraintCheck: m.SkipConstraintCheck, ForUpdateTS: ports.Timestamp(m.ForUpdateTs),
		UseAsyncCommit: m.UseAsyncCommit, Secondaries: m.Secondaries, TryOnePC: m.TryOnePc,
		MaxCommitTS: ports.Timestamp(m.MaxCommitTs), AssertionLevel: ports.AssertionLevel(m.AssertionLevel),
	}
	for _, a := range m.PessimisticActions {
		r.Actions = append(r.Actions, ports.PessimisticAction(a))
	}
	for _, x := range m.ForUpdateTsConstraints {
		r.Constraints = append(r.Constraints, ports.ForUpdateTSConstraint{
			Index: x.GetIndex(), ForUpdateTS: ports.Timestamp(x.GetExpectedForUpdateTs()),
		})
	}
	return m.Context, r, err
}

func decodeStatusRequest(body []byte) (*kvrpcpb.Context, ports.Request, error) {
	m, err := parse(new(kvrpcpb.CheckTxnStatusRequest), body)
	return m.Context, &ports.CheckTxnStatusRequest{
		Primary: m.PrimaryKey, LockTS: ports.Timestamp(m.LockTs), CallerStartTS: ports.Timestamp(m.CallerStartTs),
		CurrentTS: ports.Timestamp(m.CurrentTs), RollbackIfNotExist: m.RollbackIfNotExist,
		ForceSyncCommit: m.ForceSyncCommit, ResolvingPessimisticLock: m.ResolvingPessimisticLock,
		VerifyIsPrimary: m.VerifyIsPrimary, IsTxnFile: m.IsTxnFile,
	}, err
}

func decodeRawRequest(verb ports.Verb, body []byte) (*kvrpcpb.Context, ports.Request, error) {
	switch verb {
	case ports.VerbRawGet:
		m, err := parse(new(kvrpcpb.RawGetRequest), body)
		return m.Context, &ports.RawGetRequest{Key: m.Key, CF: m.Cf}, err
	case ports.VerbRawBatchGet:
		m, err := parse(new(kvrpcpb.RawBatchGetRequest), body)
		return m.Context, &ports.RawBatchGetRequest{Keys: m.Keys, CF: m.Cf}, err
	case ports.VerbRawPut:
		m, err := parse(new(kvrpcpb.RawPutRequest), body)
		return m.Context, &ports.RawPutRequest{Key: m.Key, Value: m.Value, TTL: m.Ttl, CF: m.Cf, ForCAS: m.ForCas}, err
	case ports.VerbRawBatchPut:
		return decodeRawBatchPut(body)
	case ports.VerbRawDelete:
		m, err := parse(new(kvrpcpb.RawDeleteRequest), body)
		return m.Context, &ports.RawDeleteRequest{Key: m.Key, CF: m.Cf, ForCAS: m.ForCas}, err
	case ports.VerbRawBatchDelete:
		m, err := parse(new(kvrpcpb.RawBatchDeleteRequest), body)
		return m.Context, &ports.RawBatchDeleteRequest{Keys: m.Keys, CF: m.Cf, ForCAS: m.ForCas}, err
	case ports.VerbRawDeleteRange:
		m, err := parse(new(kvrpcpb.RawDeleteRangeRequest), body)
		return m.Context, &ports.RawDeleteRangeRequest{Range: scanRange(m.StartKey, m.EndKey, false), CF: m.Cf}, err
	case ports.VerbRawScan:
		m, err := parse(new(kvrpcpb.RawScanRequest), body)
		return m.Context, &ports.RawScanRequest{
			Range: scanRange(m.StartKey, m.EndKey, m.Reverse), Limit: m.Limit, KeyOnly: m.KeyOnly,
			Reverse: m.Reverse, CF: m.Cf,
		}, err
	case ports.VerbRawGetKeyTTL:
		m, err := parse(new(kvrpcpb.RawGetKeyTTLRequest), body)
		return m.Context, &ports.RawGetKeyTTLRequest{Key: m.Key, CF: m.Cf}, err
	case ports.VerbRawCompareAndSwap:
		m, err := parse(new(kvrpcpb.RawCASRequest), body)
		return m.Context, &ports.RawCompareAndSwapRequest{
			Key: m.Key, Value: m.Value, Previous: m.PreviousValue, PreviousAbsent: m.PreviousNotExist,
			TTL: m.Ttl, CF: m.Cf, Delete: m.Delete,
		}, err
	default:
		return decodeRareRequest(verb, body)
	}
}

// decodeRawBatchPut takes a single life for that of every pair, as TiKV does.
func decodeRawBatchPut(body []byte) (*kvrpcpb.Context, ports.Request, error) {
	m, err := parse(new(kvrpcpb.RawBatchPutRequest), body)
	r := &ports.RawBatchPutRequest{CF: m.Cf, ForCAS: m.ForCas, Pairs: make([]ports.KV, 0, len(m.Pairs))}
	if n := len(m.Ttls); n > 1 && n != len(m.Pairs) {
		return nil, nil, malformed("lives of pairs")
	}
	for i, p := range m.Pairs {
		kv := ports.KV{Key: p.GetKey(), Value: p.GetValue()}
		if len(m.Ttls) > 0 {
			kv.TTL = m.Ttls[min(i, len(m.Ttls)-1)]
		}
		r.Pairs = append(r.Pairs, kv)
	}
	return m.Context, r, err
}

// AppendReply appends an encoded reply to dst.
func AppendReply(dst []byte, reply ports.Reply) []byte {
	m := replyToProto(reply)
	if m == nil {
		return dst
	}
	return appendMessage(dst, m)
}

func faultPart(r ports.Reply) *errorpb.Error {
	if f := r.Region(); f != nil {
		return faultToProto(f)
	}
	return nil
}

func errorPart(k *ports.KeyError) *kvrpcpb.KeyError {
	if k == nil {
		return nil
	}
	return keyErrorToProto(k)
}

func errorList(list []ports.KeyError) []*kvrpcpb.KeyError {
	var errs []*kvrpcpb.KeyError
	for i := range list {
		errs = append(errs, keyErrorToProto(&list[i]))
	}
	return errs
}

func pairList(list []ports.Pair) []*kvrpcpb.KvPair {
	var pairs []*kvrpcpb.KvPair
	for i := range list {
		p := &list[i]
		pairs = append(pairs, &kvrpcpb.KvPair{Error: errorPart(p.Err), Key: p.Key, Value: p.Value})
	}
	return pairs
}

func replyToProto(reply ports.Reply) message {
	fault := faultPart(reply)
	switch r := reply.(type) {
	case *ports.GetReply:
		return &kvrpcpb.GetResponse{RegionError: fault, Error: errorPart(r.Err), Value: r.Value, NotFound: r.NotFound}
	case *ports.BatchGetReply:
		return &kvrpcpb.BatchGetResponse{RegionError: fault, Pairs: pairList(r.Pairs), Error: errorPart(r.Err)}
	case *ports.ScanReply:
		return &kvrpcpb.ScanResponse{RegionError: fault, Pairs: pairList(r.Pairs), Error: errorPart(r.Err)}
	case *ports.PrewriteReply:
		return &kvrpcpb.PrewriteResponse{
			RegionError: fault, Errors: errorList(r.Errors), MinCommitTs: uint64(r.MinCommitTS),
			OnePcCommitTs: uint64(r.OnePCCommitTS),
		}
	case *ports.CommitReply:
		return &kvrpcpb.CommitResponse{RegionError: fault, Error: errorPart(r.Err), CommitVersion: uint64(r.CommitTS)}
	case *ports.BatchRollbackReply:
		return &kvrpcpb.BatchRollbackResponse{RegionError: fault, Error: errorPart(r.Err)}
	case *ports.CheckTxnStatusReply:
		m := &kvrpcpb.CheckTxnStatusResponse{
			RegionError: fault, Error: errorPart(r.Err), LockTtl: r.TTL, CommitVersion: uint64(r.CommitTS),
			Action: kvrpcpb.Action(r.Action),
		}
		if r.Lock != nil {
			m.LockInfo = lockToProto(r.Lock)
		}
		return m
	case *ports.ResolveLockReply:
		return &kvrpcpb.ResolveLockResponse{RegionError: fault, Error: errorPart(r.Err)}
	case *ports.TxnHeartBeatReply:
		return &kvrpcpb.TxnHeartBeatResponse{RegionError: fault, Error: errorPart(r.Err), LockTtl: r.TTL}
	case *ports.PessimisticRollbackReply:
		return &kvrpcpb.PessimisticRollbackResponse{RegionError: fault, Errors: errorList(r.Errors)}
	case *ports.CheckSecondaryLocksReply:
		return &kvrpcpb.CheckSecondaryLocksResponse{
			RegionError: fault, Error: errorPart(r.Err), Locks: locksToProto(r.Locks), CommitTs: uint64(r.CommitTS),
		}
	case *ports.ScanLockReply:
		return &kvrpcpb.ScanLockResponse{RegionError: fault, Error: errorPart(r.Err), Locks: locksToProto(r.Locks)}
	case *ports.PessimisticLockReply:
		return &kvrpcpb.PessimisticLockResponse{
			RegionError: fault, Errors: errorList(r.Errors), Values: r.Values, NotFounds: r.NotFounds,
			Results: lockResultsToProto(r.Results),
		}
	}
	return rawReplyToProto(fault, reply)
}

func rawReplyToProto(fault *errorpb.Error, reply ports.Reply) message {
	switch r := reply.(type) {
	case *ports.RawGetReply:
		return &kvrpcpb.RawGetResponse{RegionError: fault, Error: r.Text, Value: r.Value, NotFound: r.NotFound}
	case *ports.RawBatchGetReply:
		return &kvrpcpb.RawBatchGetResponse{RegionError: fault, Pairs: pairList(r.Pairs)}
	case *ports.RawWriteReply:
		// The replies to all raw writes look alike on the wire.
		return &kvrpcpb.RawPutResponse{RegionError: fault, Error: r.Text}
	case *ports.RawScanReply:
		return &kvrpcpb.RawScanResponse{RegionError: fault, Kvs: pairList(r.Pairs)}
	case *ports.RawGetKeyTTLReply:
		return &kvrpcpb.RawGetKeyTTLResponse{RegionError: fault, Error: r.Text, Ttl: r.TTL, NotFound: r.NotFound}
	case *ports.RawCompareAndSwapReply:
		return &kvrpcpb.RawCASResponse{
			RegionError: fault, Error: r.Text, Succeed: r.Succeeded, PreviousNotExist: r.PreviousAbsent,
			PreviousValue: r.Previous,
		}
	}
	return rareReplyToProto(fault, reply)
}
