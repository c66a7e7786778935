package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// adminReply returns an empty reply to a verb of administrators.
func adminReply(verb ports.Verb) ports.Reply {
	switch verb {
	case ports.VerbRawChecksum:
		return &ports.RawChecksumReply{}
	case ports.VerbRawBatchScan:
		return &ports.RawBatchScanReply{}
	case ports.VerbDeleteRange, ports.VerbUnsafeDestroyRange, ports.VerbPrepareFlashbackToVersion,
		ports.VerbFlashbackToVersion:
		return &ports.RangeReply{Of: verb}
	case ports.VerbSplitRegion:
		return &ports.SplitRegionReply{}
	case ports.VerbLockWaitInfo:
		return &ports.LockWaitInfoReply{}
	default:
		panic(fmt.Sprintf("sim: verb %d has no reply", verb))
	}
}

// storeLevel reports whether a request is about a store, and not about one of its regions.
func storeLevel(req ports.Request) bool {
	switch req.Verb() {
	case ports.VerbUnsafeDestroyRange, ports.VerbBroadcastTxnStatus, ports.VerbLockWaitInfo,
		ports.VerbStoreSafeTS:
		return true
	default:
		return false
	}
}

// adminInRegion is inRegion for the verbs of administrators. What makes no sense is refused for that reason.
func adminInRegion(x mvcc.Extent, req ports.Request) bool {
	switch q := req.(type) {
	case *ports.RawChecksumRequest:
		for i := range q.Ranges {
			if !x.TouchesRaw(q.Ranges[i].Start, false) {
				return false
			}
		}
	case *ports.RawBatchScanRequest:
		return q.EachLimit == 0 || !mvcc.Ordered(q) || !slices.ContainsFunc(q.Ranges, func(r ports.KeyRange) bool {
			if q.Reverse {
				return !x.TouchesRaw(r.End, true)
			}
			return !x.TouchesRaw(r.Start, false)
		})
	case *ports.DeleteRangeRequest:
		// raftstore: store/fsm/apply.rs: handle_delete_range
		return backwards(q.Range) || x.Contains(q.Range.Start) && x.Touches(q.Range.End, true)
	case *ports.PrepareFlashbackToVersionRequest:
		return x.Touches(q.Range.Start, false)
	case *ports.FlashbackToVersionRequest:
		return x.Touches(q.Range.Start, false)
	case *ports.SplitRegionRequest:
		in := x.Contains
		if q.Raw {
			in = x.ContainsRaw
		}
		return all(q.Keys, in)
	}
	return true
}

// backwards reports whether a range of transactional keys holds none. It has an end, even if that is the empty key:
// its encoded form is a key as any other (server/service/kv.rs: future_delete_range).
func backwards(r ports.KeyRange) bool { return bytes.Compare(r.Start, r.End) >= 0 }

// performAdmin is perform for the verbs of administrators.
func (w *World) performAdmin(
	e *mvcc.Engine, hdr *ports.Header, x mvcc.Extent, req ports.Request, reply ports.Reply,
) {
	switch q := req.(type) {
	case *ports.RawChecksumRequest:
		w.raw(e).Checksum(q, x, reply.(*ports.RawChecksumReply))
	case *ports.RawBatchScanRequest:
		w.raw(e).BatchScan(q, x, reply.(*ports.RawBatchScanReply))
	case *ports.DeleteRangeRequest:
		w.deleteRange(q, x, reply.(*ports.RangeReply))
	case *ports.UnsafeDestroyRangeRequest:
		w.destroyRange(q, reply.(*ports.RangeReply))
	case *ports.PrepareFlashbackToVersionRequest:
		w.prepareFlashback(q, w.regions.byID[hdr.Region.ID])
	case *ports.FlashbackToVersionRequest:
		w.flashback(q, w.regions.byID[hdr.Region.ID], reply.(*ports.RangeReply))
	case *ports.SplitRegionRequest:
		w.splitAt(q, w.regions.byID[hdr.Region.ID], reply.(*ports.SplitRegionReply))
	}
}

func (w *World) deleteRange(q *ports.DeleteRangeRequest, x mvcc.Extent, reply *ports.RangeReply) {
	switch {
	case backwards(q.Range):
		reply.Fault = &ports.RegionFault{Kind: ports.FaultOther, Text: "invalid delete range command"}
	case !q.NotifyOnly:
		w.engine.DeleteRange(q.Range, x)
	}
}

// destroyRange deletes data behind Raft's back (src/server/gc_worker/gc_worker.rs: unsafe_destroy_range). In TiKV it is
// the data of one store; here, where all stores share theirs, the first that is asked destroys it for all. A range
// without one of its bounds ends TiKV, which asserts that there is none (server/service/kv.rs); here it is an error.
func (w *World) destroyRange(q *ports.UnsafeDestroyRangeRequest, reply *ports.RangeReply) {
	if len(q.Range.Start) == 0 || len(q.Range.End) == 0 {
		reply.Text = "a range to be destroyed must have both bounds"
		return
	}
	w.engine.DeleteRange(q.Range, mvcc.Extent{})
}

// prepareFlashback puts a region in flashback; its leader forgets the locks that it has in memory
// (raftstore: store/fsm/apply.rs: exec_flashback; store/fsm/peer.rs: on_set_flashback_state).
func (w *World) prepareFlashback(q *ports.PrepareFlashbackToVersionRequest, r *region) {
	r.inFlashback, r.flashbackStart = true, q.StartTS
	w.note(noteFlashback, uint64(r.ID), 1, 0)
	w.engine.LoseLocks(r.extent())
	w.engine.PrepareFlashback(q, r.extent())
}

// flashback ends the region's flashback once the data is as it was (server/service/kv.rs: future_flashback_to_version).
func (w *World) flashback(q *ports.FlashbackToVersionRequest, r *region, reply *ports.RangeReply) {
	text, prepared := w.engine.Flashback(q, r.extent(), r.inFlashback)
	switch reply.Text = text; {
	case !prepared:
		reply.Fault = &ports.RegionFault{Kind: ports.FaultFlashbackNotPrepared}
	case text == "":
		r.inFlashback, r.flashbackStart = false, 0
		w.note(noteFlashback, uint64(r.ID), 0, 0)
	}
}

// barred reports whether a region that is in flashback takes no such request: it takes those of flashbacks, and reads
// below the flashback's start (raftstore: store/util.rs: check_flashback_state).
func (r *region) barred(req ports.Request) bool {
	if !r.inFlashback {
		return false
	}
	var read ports.Timestamp
	switch q := req.(type) {
	case *ports.PrepareFlashbackToVersionRequest, *ports.FlashbackToVersionRequest:
		return false
	case *ports.GetRequest:
		read = q.TS
	case *ports.BatchGetRequest:
		read = q.TS
	case *ports.ScanRequest:
		read = q.TS
	}
	return read == 0 || read >= r.flashbackStart
}

// splitAt cuts a region at keys, in one step: all regions that come of it have the same version, and the last of them
// is the old one (raftstore: store/util.rs: validate_split_region; store/fsm/apply.rs: validate_batch_split,
// exec_batch_split). New regions have ids of PD, without which nothing is cut.
func (w *World) splitAt(q *ports.SplitRegionRequest, r *region, reply *ports.SplitRegionReply) {
	keys := make([][]byte, len(q.Keys))
	for i, key := range q.Keys {
		keys[i] = key
		if !q.Raw {
			keys[i] = mvcc.AppendEncoded(nil, key)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	fail := func(text string) { reply.Fault = &ports.RegionFault{Kind: ports.FaultOther, Text: text} }
	last := r.Range.Start
	for _, key := range keys {
		if bytes.Compare(key, last) <= 0 {
			fail("invalid split request")
			return
		}
		last = key
	}
	switch {
	case len(keys) == 0:
		fail("no split key is specified")
	case w.pd.silent || w.pd.refusing:
		fail("failed to split")
	default:
		version := r.Epoch.Version + uint64(len(keys))
		first := w.regions.at(r.Range.Start)
		for _, key := range keys {
			if !w.split(key) {
				fail("failed to split")
				return
			}
		}
		for _, part := range w.regions.ordered[first : first+len(keys)+1] {
			part.Epoch.Version = version
			reply.Regions = append(reply.Regions, part.Region)
		}
		for i := range reply.Regions {
			reply.Regions[i].Leader, reply.Regions[i].Down = 0, nil
		}
	}
}
