package mvcc

import (
	"bytes"

	"github.com/tikvx/tikvx/ports"
)

// BatchScan reads pairs of one range after the other, at most EachLimit of each. Ranges of which one holds nothing are
// an error of all (src/storage/mod.rs: raw_batch_scan, check_key_ranges).
func (r Raw) BatchScan(req *ports.RawBatchScanRequest, x Extent, reply *ports.RawBatchScanReply) {
	switch family, text := r.family(req.CF); {
	case family == nil:
		reply.Pairs = append(reply.Pairs, ports.Pair{Err: abort("%s", text)})
		return
	case !Ordered(req):
		reply.Pairs = append(reply.Pairs, ports.Pair{Err: abort("Invalid KeyRanges")})
		return
	}
	for i := range req.Ranges {
		var part ports.RawScanReply
		r.Scan(&ports.RawScanRequest{
			Range: spanOf(req, i), Limit: req.EachLimit, KeyOnly: req.KeyOnly, Reverse: req.Reverse, CF: req.CF,
		}, x, &part)
		reply.Pairs = append(reply.Pairs, part.Pairs...)
	}
}

// spanOf returns what is scanned of a range: an open bound at which the scan would end is where the next one begins.
func spanOf(req *ports.RawBatchScanRequest, i int) ports.KeyRange {
	span := req.Ranges[i]
	switch last := i+1 == len(req.Ranges); {
	case last:
	case req.Reverse && len(span.Start) == 0:
		span.Start = req.Ranges[i+1].End
	case !req.Reverse && len(span.End) == 0:
		span.End = req.Ranges[i+1].Start
	}
	return span
}

// Ordered reports whether each range of a scan can hold a key.
func Ordered(req *ports.RawBatchScanRequest) bool {
	for i, r := range req.Ranges {
		span := spanOf(req, i)
		// Downwards, a next range that begins at the end of all keys leaves nothing.
		nothing := req.Reverse && len(r.Start) == 0 && i+1 < len(req.Ranges) && len(req.Ranges[i+1].End) == 0
		if nothing || len(span.End) > 0 && bytes.Compare(span.Start, span.End) >= 0 {
			return false
		}
	}
	return true
}
