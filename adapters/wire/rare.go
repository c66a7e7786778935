package wire

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// Verbs of pipelined transactions, and those that look into a store. They are encoded and decoded by the generated
// code, each time into new memory.

func (e *Encoder) fillRare(c *kvrpcpb.Context, req ports.Request) message {
	switch r := req.(type) {
	case *ports.FlushRequest:
		return &kvrpcpb.FlushRequest{
			Context: c, Mutations: e.fillMutations(r.Mutations), PrimaryKey: r.Primary, StartTs: uint64(r.StartTS),
			MinCommitTs: uint64(r.MinCommitTS), Generation: r.Generation, LockTtl: r.TTL,
			AssertionLevel: kvrpcpb.AssertionLevel(r.AssertionLevel),
		}
	case *ports.BufferBatchGetRequest:
		return &kvrpcpb.BufferBatchGetRequest{Context: c, Keys: r.Keys, Version: uint64(r.StartTS)}
	case *ports.StoreSafeTSRequest:
		return &kvrpcpb.StoreSafeTSRequest{ // has no place for a header
			KeyRange: &kvrpcpb.KeyRange{StartKey: r.Range.Start, EndKey: r.Range.End},
		}
	case *ports.BroadcastTxnStatusRequest:
		m := &kvrpcpb.BroadcastTxnStatusRequest{Context: c}
		for _, s := range r.Statuses {
			m.TxnStatus = append(m.TxnStatus, &kvrpcpb.TxnStatus{
				StartTs: uint64(s.StartTS), MinCommitTs: uint64(s.MinCommitTS), CommitTs: uint64(s.CommitTS),
				RolledBack: s.RolledBack, IsCompleted: s.Completed,
			})
		}
		return m
	case *ports.MvccGetByKeyRequest:
		return &kvrpcpb.MvccGetByKeyRequest{Context: c, Key: r.Key}
	case *ports.MvccGetByStartTSRequest:
		return &kvrpcpb.MvccGetByStartTsRequest{Context: c, StartTs: uint64(r.StartTS)}
	}
	return adminRequest(c, req)
}

func decodeRareRequest(verb ports.Verb, body []byte) (*kvrpcpb.Context, ports.Request, error) {
	switch verb {
	case ports.VerbFlush:
		m, err := parse(new(kvrpcpb.FlushRequest), body)
		return m.Context, &ports.FlushRequest{
			Mutations: mutationsFromProto(m.Mutations), Primary: m.PrimaryKey, StartTS: ports.Timestamp(m.StartTs),
			MinCommitTS: ports.Timestamp(m.MinCommitTs), Generation: m.Generation, TTL: m.LockTtl,
			AssertionLevel: ports.AssertionLevel(m.AssertionLevel),
		}, err
	case ports.VerbBufferBatchGet:
		m, err := parse(new(kvrpcpb.BufferBatchGetRequest), body)
		return m.Context, &ports.BufferBatchGetRequest{Keys: m.Keys, StartTS: ports.Timestamp(m.Version)}, err
	case ports.VerbStoreSafeTS:
		m, err := parse(new(kvrpcpb.StoreSafeTSRequest), body)
		return nil, &ports.StoreSafeTSRequest{
			Range: ports.KeyRange{Start: m.KeyRange.GetStartKey(), End: m.KeyRange.GetEndKey()},
		}, err
	case ports.VerbBroadcastTxnStatus:
		m, err := parse(new(kvrpcpb.BroadcastTxnStatusRequest), body)
		r := &ports.BroadcastTxnStatusRequest{}
		for _, s := range m.TxnStatus {
			r.Statuses = append(r.Statuses, ports.TxnStatus{
				StartTS: ports.Timestamp(s.GetStartTs()), MinCommitTS: ports.Timestamp(s.GetMinCommitTs()),
				CommitTS: ports.Timestamp(s.GetCommitTs()), RolledBack: s.GetRolledBack(), Completed: s.GetIsCompleted(),
			})
		}
		return m.Context, r, err
	case ports.VerbMvccGetByKey:
		m, err := parse(new(kvrpcpb.MvccGetByKeyRequest), body)
		return m.Context, &ports.MvccGetByKeyRequest{Key: m.Key}, err
	case ports.VerbMvccGetByStartTS:
		m, err := parse(new(kvrpcpb.MvccGetByStartTsRequest), body)
		return m.Context, &ports.MvccGetByStartTSRequest{StartTS: ports.Timestamp(m.StartTs)}, err
	default:
		return decodeAdminRequest(verb, body)
	}
}

func rareReplyToProto(fault *errorpb.Error, reply ports.Reply) message {
	switch r := reply.(type) {
	case *ports.FlushReply:
		return &kvrpcpb.FlushResponse{RegionError: fault, Errors: errorList(r.Errors)}
	case *ports.BufferBatchGetReply:
		return &kvrpcpb.BufferBatchGetResponse{RegionError: fault, Pairs: pairList(r.Pairs), Error: errorPart(r.Err)}
	case *ports.StoreSafeTSReply:
		return &kvrpcpb.StoreSafeTSResponse{SafeTs: uint64(r.SafeTS)}
	case *ports.BroadcastTxnStatusReply:
		return &kvrpcpb.BroadcastTxnStatusResponse{} // has no place for an error
	case *ports.MvccGetByKeyReply:
		return &kvrpcpb.MvccGetByKeyResponse{RegionError: fault, Error: r.Text, Info: mvccInfoToProto(&r.Info)}
	case *ports.MvccGetByStartTSReply:
		return &kvrpcpb.MvccGetByStartTsResponse{
			RegionError: fault, Error: r.Text, Key: r.Key, Info: mvccInfoToProto(&r.Info),
		}
	}
	return adminReply(fault, reply)
}

func decodeRare(verb ports.Verb, body []byte) (ports.Reply, error) {
	switch verb {
	case ports.VerbFlush:
		r := &ports.FlushReply{}
		return r, decodeTxn(body, &r.ReplyHeader, nil, &r.Errors, numbers{})
	case ports.VerbBufferBatchGet:
		var m kvrpcpb.BufferBatchGetResponse
		r := &ports.BufferBatchGetReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("flushed keys")
		}
		r.Fault, r.Err = faultPartFromProto(m.RegionError), errorPartFromProto(m.Error)
		for _, p := range m.Pairs {
			pair := ports.Pair{Key: p.GetKey(), Value: p.GetValue(), Err: errorPartFromProto(p.GetError())}
			if pair.Value == nil && pair.Err == nil {
				pair.Value = []byte{}
			}
			r.Pairs = append(r.Pairs, pair)
		}
		return r, nil
	case ports.VerbStoreSafeTS:
		var m kvrpcpb.StoreSafeTSResponse
		if m.Unmarshal(body) != nil {
			return nil, malformed("safe timestamp")
		}
		return &ports.StoreSafeTSReply{SafeTS: ports.Timestamp(m.SafeTs)}, nil
	case ports.VerbBroadcastTxnStatus:
		var m kvrpcpb.BroadcastTxnStatusResponse
		if m.Unmarshal(body) != nil {
			return nil, malformed("broadcast")
		}
		return &ports.BroadcastTxnStatusReply{}, nil
	case ports.VerbMvccGetByKey:
		var m kvrpcpb.MvccGetByKeyResponse
		r := &ports.MvccGetByKeyReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("versions of a key")
		}
		r.Fault, r.Text, r.Info = faultPartFromProto(m.RegionError), m.Error, mvccInfoFromProto(m.Info)
		return r, nil
	case ports.VerbMvccGetByStartTS:
		var m kvrpcpb.MvccGetByStartTsResponse
		r := &ports.MvccGetByStartTSReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("versions of a transaction")
		}
		r.Fault, r.Text, r.Info = faultPartFromProto(m.RegionError), m.Error, mvccInfoFromProto(m.Info)
		r.Key = m.Key
		return r, nil
	default:
		return decodeAdmin(verb, body)
	}
}

func faultPartFromProto(e *errorpb.Error) *ports.RegionFault {
	if e == nil {
		return nil
	}
	return faultFromProto(e)
}

func errorPartFromProto(e *kvrpcpb.KeyError) *ports.KeyError {
	if e == nil {
		return nil
	}
	k := keyErrorFromProto(e)
	return &k
}
