package sim

import (
	"fmt"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// maxDrift is how far a timestamp may be ahead of PD's (storage.max-ts.max-drift).
const maxDrift = 60 * time.Second

// raises returns the timestamp to which a request raises max_ts, 0 when to none. exact: it must not be ahead of PD at
// all, unless TiDB has sent it (components/concurrency_manager: require_request_origin_check).
func raises(req ports.Request) (ts ports.Timestamp, exact bool) {
	switch q := req.(type) {
	case *ports.GetRequest:
		return q.TS, false
	case *ports.BatchGetRequest:
		return q.TS, false
	case *ports.ScanRequest:
		return q.TS, false
	case *ports.BufferBatchGetRequest:
		return q.StartTS, false
	case *ports.ScanLockRequest:
		return q.MaxTS, true
	case *ports.PrewriteRequest:
		return insertsAt(q.Mutations, q.StartTS), false
	case *ports.FlushRequest:
		return insertsAt(q.Mutations, q.StartTS), false
	case *ports.PessimisticLockRequest:
		return mvcc.ReadTS(q), false
	case *ports.CheckTxnStatusRequest:
		return mvcc.MaxTS(q), true
	case *ports.CheckSecondaryLocksRequest:
		return q.StartTS, true
	}
	return 0, false
}

// insertsAt returns the start of a transaction whose prewrite reads, because a key must not exist
// (txn/actions/prewrite.rs: prewrite_with_generation).
func insertsAt(list []ports.Mutation, start ports.Timestamp) ports.Timestamp {
	for i := range list {
		if k := list[i].Kind; k == ports.KindInsert || k == ports.KindCheckNotExists {
			return start
		}
	}
	return 0
}

// ahead raises max_ts to the timestamp of a request, and reports whether that is out of PD's reach, so that the request
// is refused (concurrency_manager: update_max_ts; src/storage/errors.rs: extract_region_error). Stale reads raise
// nothing.
//
// TiKV's default is to break down; this is what it does with storage.max-ts.action-on-invalid-update = "error". A store
// that cannot ask PD lets the timestamp pass.
func (w *World) ahead(s *store, hdr *ports.Header, req ports.Request, f *ports.RegionFault) bool {
	ts, exact := raises(req)
	if ts == ports.MaxTimestamp || hdr.StaleRead {
		return false
	}
	if limit := w.pd.last; ts > limit && !w.pd.silent && !w.pd.refusing {
		// PD has given out every timestamp of the past millisecond, for all that anybody knows.
		limit = max(limit, ports.ComposeTimestamp(w.wallClock().UnixMilli()+1, 0))
		if !exact {
			limit = ports.ComposeTimestamp(limit.Physical()+maxDrift.Milliseconds(), limit.Logical())
		}
		if ts > limit {
			text := fmt.Sprintf("invalid max_ts update: %d exceeds the limit %d", ts, limit)
			*f = ports.RegionFault{Kind: ports.FaultOther, Text: text}
			return true
		}
	}
	s.maxTS = max(s.maxTS, ts)
	return false
}
