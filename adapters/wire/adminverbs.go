package wire

import (
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/metapb"

	"github.com/tikvx/tikvx/ports"
)

// The verbs of administrators travel seldom: the generated code encodes and decodes them.

// adminRequest returns the message of a request.
func adminRequest(c *kvrpcpb.Context, req ports.Request) message {
	switch r := req.(type) {
	case *ports.RawChecksumRequest:
		m := &kvrpcpb.RawChecksumRequest{Context: c, Algorithm: kvrpcpb.ChecksumAlgorithm_Crc64_Xor}
		for _, x := range r.Ranges {
			m.Ranges = append(m.Ranges, &kvrpcpb.KeyRange{StartKey: x.Start, EndKey: x.End})
		}
		return m
	case *ports.RawBatchScanRequest:
		m := &kvrpcpb.RawBatchScanRequest{
			Context: c, EachLimit: r.EachLimit, KeyOnly: r.KeyOnly, Reverse: r.Reverse, Cf: r.CF,
		}
		for _, x := range r.Ranges {
			start, end := scanBounds(x, r.Reverse)
			m.Ranges = append(m.Ranges, &kvrpcpb.KeyRange{StartKey: start, EndKey: end})
		}
		return m
	case *ports.DeleteRangeRequest:
		return &kvrpcpb.DeleteRangeRequest{
			Context: c, StartKey: r.Range.Start, EndKey: r.Range.End, NotifyOnly: r.NotifyOnly,
		}
	case *ports.UnsafeDestroyRangeRequest:
		return &kvrpcpb.UnsafeDestroyRangeRequest{Context: c, StartKey: r.Range.Start, EndKey: r.Range.End}
	case *ports.PrepareFlashbackToVersionRequest:
		return &kvrpcpb.PrepareFlashbackToVersionRequest{
			Context: c, StartKey: r.Range.Start, EndKey: r.Range.End, StartTs: uint64(r.StartTS), Version: uint64(r.Version),
		}
	case *ports.FlashbackToVersionRequest:
		return &kvrpcpb.FlashbackToVersionRequest{
			Context: c, StartKey: r.Range.Start, EndKey: r.Range.End, StartTs: uint64(r.StartTS),
			CommitTs: uint64(r.CommitTS), Version: uint64(r.Version),
		}
	case *ports.SplitRegionRequest:
		return &kvrpcpb.SplitRegionRequest{Context: c, SplitKeys: r.Keys, IsRawKv: r.Raw}
	case *ports.LockWaitInfoRequest:
		return &kvrpcpb.GetLockWaitInfoRequest{Context: c}
	}
	return nil
}

func decodeAdminRequest(verb ports.Verb, body []byte) (*kvrpcpb.Context, ports.Request, error) {
	switch verb {
	case ports.VerbRawChecksum:
		m, err := parse(new(kvrpcpb.RawChecksumRequest), body)
		r := &ports.RawChecksumRequest{}
		for _, x := range m.Ranges {
			r.Ranges = append(r.Ranges, ports.KeyRange{Start: x.GetStartKey(), End: x.GetEndKey()})
		}
		return m.Context, r, err
	case ports.VerbRawBatchScan:
		m, err := parse(new(kvrpcpb.RawBatchScanRequest), body)
		r := &ports.RawBatchScanRequest{EachLimit: m.EachLimit, KeyOnly: m.KeyOnly, Reverse: m.Reverse, CF: m.Cf}
		for _, x := range m.Ranges {
			r.Ranges = append(r.Ranges, scanRange(x.GetStartKey(), x.GetEndKey(), m.Reverse))
		}
		return m.Context, r, err
	case ports.VerbDeleteRange:
		m, err := parse(new(kvrpcpb.DeleteRangeRequest), body)
		return m.Context, &ports.DeleteRangeRequest{
			Range: ports.KeyRange{Start: m.StartKey, End: m.EndKey}, NotifyOnly: m.NotifyOnly,
		}, err
	case ports.VerbUnsafeDestroyRange:
		m, err := parse(new(kvrpcpb.UnsafeDestroyRangeRequest), body)
		r := &ports.UnsafeDestroyRangeRequest{Range: ports.KeyRange{Start: m.StartKey, End: m.EndKey}}
		return m.Context, r, err
	case ports.VerbPrepareFlashbackToVersion:
		m, err := parse(new(kvrpcpb.PrepareFlashbackToVersionRequest), body)
		return m.Context, &ports.PrepareFlashbackToVersionRequest{
			Range: ports.KeyRange{Start: m.StartKey, End: m.EndKey}, StartTS: ports.Timestamp(m.StartTs),
			Version: ports.Timestamp(m.Version),
		}, err
	case ports.VerbFlashbackToVersion:
		m, err := parse(new(kvrpcpb.FlashbackToVersionRequest), body)
		return m.Context, &ports.FlashbackToVersionRequest{
			Range: ports.KeyRange{Start: m.StartKey, End: m.EndKey}, StartTS: ports.Timestamp(m.StartTs),
			CommitTS: ports.Timestamp(m.CommitTs), Version: ports.Timestamp(m.Version),
		}, err
	case ports.VerbSplitRegion:
		m, err := parse(new(kvrpcpb.SplitRegionRequest), body)
		return m.Context, &ports.SplitRegionRequest{Keys: m.SplitKeys, Raw: m.IsRawKv}, err
	case ports.VerbLockWaitInfo:
		m, err := parse(new(kvrpcpb.GetLockWaitInfoRequest), body)
		return m.Context, &ports.LockWaitInfoRequest{}, err
	default:
		return nil, nil, malformed("request of no verb")
	}
}

// adminReply returns the message of a reply.
func adminReply(fault *errorpb.Error, reply ports.Reply) message {
	switch r := reply.(type) {
	case *ports.RawChecksumReply:
		return &kvrpcpb.RawChecksumResponse{
			RegionError: fault, Error: r.Text, Checksum: r.Checksum, TotalKvs: r.Pairs, TotalBytes: r.Bytes,
		}
	case *ports.RawBatchScanReply:
		return &kvrpcpb.RawBatchScanResponse{RegionError: fault, Kvs: pairList(r.Pairs)}
	case *ports.RangeReply:
		return rangeReply(fault, r)
	case *ports.SplitRegionReply:
		m := &kvrpcpb.SplitRegionResponse{RegionError: fault}
		for i := range r.Regions {
			m.Regions = append(m.Regions, RegionMeta(&r.Regions[i]))
		}
		return m
	case *ports.LockWaitInfoReply:
		return &kvrpcpb.GetLockWaitInfoResponse{RegionError: fault, Error: r.Text, Entries: waitsToProto(r.Waits)}
	}
	return nil
}

// rangeReply: all but one of them look alike on the wire.
func rangeReply(fault *errorpb.Error, r *ports.RangeReply) message {
	if r.Of == ports.VerbUnsafeDestroyRange {
		return &kvrpcpb.UnsafeDestroyRangeResponse{RegionError: fault, Error: r.Text}
	}
	return &kvrpcpb.DeleteRangeResponse{RegionError: fault, Error: r.Text}
}

func decodeAdmin(verb ports.Verb, body []byte) (ports.Reply, error) {
	switch verb {
	case ports.VerbRawChecksum:
		var m kvrpcpb.RawChecksumResponse
		r := &ports.RawChecksumReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("checksum")
		}
		setFaultMessage(&r.ReplyHeader, m.RegionError)
		r.Text, r.Checksum, r.Pairs, r.Bytes = m.Error, m.Checksum, m.TotalKvs, m.TotalBytes
		return r, nil
	case ports.VerbRawBatchScan:
		var d Decoder
		r := &ports.RawBatchScanReply{}
		err := d.decodePairs(body, &r.ReplyHeader, nil, 0)
		r.Pairs = d.pairs
		return r, err
	case ports.VerbDeleteRange, ports.VerbUnsafeDestroyRange, ports.VerbPrepareFlashbackToVersion,
		ports.VerbFlashbackToVersion:
		var m kvrpcpb.DeleteRangeResponse
		r := &ports.RangeReply{Of: verb}
		if m.Unmarshal(body) != nil {
			return r, malformed("answer about a range")
		}
		setFaultMessage(&r.ReplyHeader, m.RegionError)
		r.Text = m.Error
		return r, nil
	case ports.VerbSplitRegion:
		var m kvrpcpb.SplitRegionResponse
		r := &ports.SplitRegionReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("regions")
		}
		setFaultMessage(&r.ReplyHeader, m.RegionError)
		r.Regions = regionsFromProto(m.Regions)
		return r, nil
	case ports.VerbLockWaitInfo:
		var m kvrpcpb.GetLockWaitInfoResponse
		r := &ports.LockWaitInfoReply{}
		if m.Unmarshal(body) != nil {
			return r, malformed("waits")
		}
		setFaultMessage(&r.ReplyHeader, m.RegionError)
		r.Text, r.Waits = m.Error, waitsFromProto(m.Entries)
		return r, nil
	default:
		return nil, malformed("reply to no verb")
	}
}

func setFaultMessage(h *ports.ReplyHeader, e *errorpb.Error) {
	if e != nil {
		h.Fault = faultFromProto(e)
	}
}

func regionsFromProto(list []*metapb.Region) []ports.Region {
	var regions []ports.Region
	for _, m := range list {
		regions = append(regions, Region(m))
	}
	return regions
}
