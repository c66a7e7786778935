package sim

import (
	"bytes"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// store is one TiKV process. The data of all stores is the world's engine.
type store struct {
	id      ports.StoreID
	address string
	up      bool
	// hung: the process stands still, its sockets stay open.
	hung bool
	// overloaded: it answers everything with ServerIsBusy.
	overloaded bool
	// severed are the stores that it does not hear of, a bit for each.
	severed uint64
	disk    DiskUsage
	record  StoreRecord
	// incarnation counts starts: what was sent to an earlier one is gone.
	incarnation uint64
	// backlog is what a hanging store has been sent.
	backlog []happening
	// statuses are what it remembers of transactions.
	statuses statusCache
	// maxTS is the greatest timestamp that was read here (components/concurrency_manager).
	maxTS  ports.Timestamp
	memory memoryLocks
	// applying: a prewrite is applied that has chosen its commit timestamp above chosen before.
	applying bool
	chosen   ports.Timestamp
	// waits are the requests that wait here for locks.
	waits lockWaits
}

func (w *World) store(id ports.StoreID) *store { return w.stores[id-1] }

// listener returns the running store at an address, nil when nobody listens there.
func (w *World) listener(address string) *store {
	for _, s := range w.stores {
		if s.up && s.address == address {
			return s
		}
	}
	return nil
}

// admit says what is wrong with a request before anything of it is done. The order of the checks is TiKV's
// (raftstore: store/fsm/peer.rs: pre_propose_raft_command; store/util.rs).
func (w *World) admit(s *store, hdr *ports.Header, req ports.Request, f *ports.RegionFault) bool {
	if storeLevel(req) {
		return true
	}
	if hdr.Peer.Store != s.id {
		*f = ports.RegionFault{Kind: ports.FaultStoreNotMatch, Store: s.id}
		return false
	}
	r := w.regions.byID[hdr.Region.ID]
	var own ports.Peer
	if r != nil {
		own, _ = r.PeerOn(s.id)
	}
	if own.ID == 0 || len(r.late) > 0 && r.absent(own.ID) {
		*f = ports.RegionFault{Kind: ports.FaultRegionNotFound}
		return false
	}
	if own.ID != hdr.Peer.ID {
		*f = ports.RegionFault{Kind: ports.FaultMismatchPeerID}
		return false
	}
	if r.recovering && own.ID == r.Leader {
		*f = ports.RegionFault{Kind: ports.FaultRecoveryInProgress}
		return false
	}
	if own.ID != r.Leader || hdr.StaleRead {
		if replicaReads(hdr, req) {
			return w.admitReplica(r, own, hdr, req, f)
		}
		if own.ID != r.Leader {
			w.notLeader(r, own, hdr, req, f)
			return false
		}
	}
	// Data commands compare the version only; peers may have changed (store/util.rs: check_region_epoch).
	if hdr.Region.Epoch.Version != r.Epoch.Version {
		*f = ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: w.siblings(r, hdr.Region.Epoch.Version)}
		if req.Verb() == ports.VerbSplitRegion {
			f.Regions = f.Regions[:1] // store/util.rs: validate_split_region
		}
		return false
	}
	if r.merging != nil && w.refusesMerging(r, req, f) {
		return false
	}
	if w.full > 0 && writes(req.Verb()) && w.refusesFull(r, s, hdr, f) {
		return false
	}
	if r.barred(req) {
		*f = ports.RegionFault{Kind: ports.FaultFlashbackInProgress}
		return false
	}
	if !w.inRegion(r, req) {
		*f = ports.RegionFault{Kind: ports.FaultKeyNotInRegion}
		return false
	}
	if q, ok := req.(*ports.PrewriteRequest); ok && (q.UseAsyncCommit || q.TryOnePC) && w.now < r.synced {
		// txn/commands/prewrite.rs: check_max_ts_synced
		*f = ports.RegionFault{Kind: ports.FaultMaxTimestampNotSynced}
		return false
	}
	return true
}

// maxSiblings bounds the regions that an epoch error brings (peer.rs: MAX_REGIONS_IN_ERROR).
const maxSiblings = 10

// siblings returns the region and those that were cut off it since a version, which lie below it or, with LeftDerive,
// above (peer.rs: collect_sibling_region).
func (w *World) siblings(r *region, requested uint64) []ports.Region {
	list := []ports.Region{r.Region}
	newest := r.Epoch.Version
	if requested >= newest {
		return list
	}
	left := newest - requested
	step := -1
	if w.config.LeftDerive {
		step = 1
	}
	for i := w.regions.at(r.Range.Start) + step; i >= 0 && i < len(w.regions.ordered) && left > 0 &&
		len(list) <= maxSiblings; i += step {
		next := w.regions.ordered[i]
		left--
		if v := next.Epoch.Version; v >= newest {
			left += v - newest
			newest = v
		}
		list = append(list, next.Region)
	}
	return list
}

// inRegion reports whether the keys of a request lie in a region (store/util.rs: check_key_in_region; for scans
// store/region_snapshot.rs: should_seekable, which allows the end).
func (w *World) inRegion(r *region, req ports.Request) bool {
	x := r.extent()
	switch q := req.(type) {
	case *ports.GetRequest:
		return x.Contains(q.Key)
	case *ports.BatchGetRequest:
		return all(q.Keys, x.Contains)
	case *ports.ScanRequest:
		if q.Reverse {
			return x.Touches(q.Range.End, true)
		}
		return x.Touches(q.Range.Start, false)
	case *ports.PrewriteRequest:
		return allMutations(q.Mutations, x)
	case *ports.CommitRequest:
		return all(q.Keys, x.Contains)
	case *ports.BatchRollbackRequest:
		return all(q.Keys, x.Contains)
	case *ports.CheckTxnStatusRequest:
		return x.Contains(q.Primary)
	case *ports.ResolveLockRequest:
		return all(q.Keys, x.Contains)
	}
	return rawInRegion(x, req)
}

func rawInRegion(x mvcc.Extent, req ports.Request) bool {
	switch q := req.(type) {
	case *ports.RawGetRequest:
		return x.ContainsRaw(q.Key)
	case *ports.RawBatchGetRequest:
		return all(q.Keys, x.ContainsRaw)
	case *ports.RawPutRequest:
		return x.ContainsRaw(q.Key)
	case *ports.RawBatchPutRequest:
		for i := range q.Pairs {
			if !x.ContainsRaw(q.Pairs[i].Key) {
				return false
			}
		}
	case *ports.RawDeleteRequest:
		return x.ContainsRaw(q.Key)
	case *ports.RawBatchDeleteRequest:
		return all(q.Keys, x.ContainsRaw)
	case *ports.RawDeleteRangeRequest:
		// apply.rs: handle_delete_range
		return q.Range.Empty() || x.ContainsRaw(q.Range.Start) && (len(x.End) == 0 ||
			len(q.Range.End) > 0 && bytes.Compare(q.Range.End, x.End) <= 0)
	case *ports.RawScanRequest:
		if q.Limit == 0 {
			return true // src/storage/raw/store.rs: nothing is sought
		}
		if q.Reverse {
			return x.TouchesRaw(q.Range.End, true)
		}
		return x.TouchesRaw(q.Range.Start, false)
	case *ports.RawCompareAndSwapRequest:
		return x.ContainsRaw(q.Key)
	default:
		return rareInRegion(x, req)
	}
	return true
}

func allMutations(list []ports.Mutation, x mvcc.Extent) bool {
	for i := range list {
		if !x.Contains(list[i].Key) {
			return false
		}
	}
	return true
}

func all(keys [][]byte, in func([]byte) bool) bool {
	for _, k := range keys {
		if !in(k) {
			return false
		}
	}
	return true
}

// writes reports whether a verb changes data by a proposal to Raft.
func writes(v ports.Verb) bool {
	switch v {
	case ports.VerbGet, ports.VerbBatchGet, ports.VerbScan, ports.VerbRawGet, ports.VerbRawBatchGet, ports.VerbRawScan,
		ports.VerbScanLock, ports.VerbRawGetKeyTTL, ports.VerbRawChecksum,
		ports.VerbRawBatchScan, ports.VerbUnsafeDestroyRange,
		ports.VerbBufferBatchGet, ports.VerbBroadcastTxnStatus,
		ports.VerbMvccGetByKey, ports.VerbMvccGetByStartTS, ports.VerbLockWaitInfo, ports.VerbStoreSafeTS:
		return false
	default:
		return true
	}
}

// perform executes a request that was admitted.
func (w *World) perform(s *store, hdr *ports.Header, req ports.Request, b *replyBuffer) {
	if storeLevel(req) {
		w.performRare(s, hdr, mvcc.Extent{}, &w.engine, req, b.rare)
		return
	}
	r := w.regions.byID[hdr.Region.ID]
	x, e := r.sees(w, hdr)
	if hdr.ReplicaRead && hdr.Peer.ID != r.Leader && w.indexed(r, hdr, req, b) {
		return
	}
	if len(r.late) > 0 && writes(req.Verb()) {
		r.miss()
	}
	switch q := req.(type) {
	case *ports.GetRequest:
		e.Get(q.Key, snapshot(hdr, q.TS), &b.get)
	case *ports.BatchGetRequest:
		e.BatchGet(q.Keys, snapshot(hdr, q.TS), &b.batchGet)
	case *ports.ScanRequest:
		e.Scan(q, x, snapshot(hdr, q.TS), &b.scan)
	case *ports.PrewriteRequest:
		e.PrewriteOn(w.terms(s, hdr, q), q, &b.prewrite)
		w.knows(s, q.StartTS, b.prewrite.OnePCCommitTS)
	case *ports.CommitRequest:
		e.Commit(q, &b.commit)
		if b.commit.Err == nil {
			w.knows(s, q.StartTS, q.CommitTS)
		}
	case *ports.BatchRollbackRequest:
		e.BatchRollback(q, &b.rollback)
	case *ports.CheckTxnStatusRequest:
		e.CheckTxnStatus(q, &b.status)
		w.knows(s, q.LockTS, b.status.CommitTS)
	case *ports.ResolveLockRequest:
		e.ResolveLock(q, x, &b.resolve)
	default:
		if b.rare != nil {
			w.performRare(s, hdr, x, e, req, b.rare)
		} else {
			w.performRaw(e, req, x, b)
		}
	}
}

// snapshot is what a read sees.
func snapshot(hdr *ports.Header, ts ports.Timestamp) *mvcc.Snapshot {
	return &mvcc.Snapshot{TS: ts, Resolved: hdr.ResolvedLocks, Committed: hdr.CommittedLocks, Isolation: hdr.Isolation}
}

// raw is the raw data as it is now.
func (w *World) raw(e *mvcc.Engine) mvcc.Raw {
	return e.Raw(uint64(w.wallClock().Unix()))
}

func (w *World) performRaw(data *mvcc.Engine, req ports.Request, x mvcc.Extent, b *replyBuffer) {
	e := w.raw(data)
	switch q := req.(type) {
	case *ports.RawGetRequest:
		e.Get(q, &b.rawGet)
	case *ports.RawBatchGetRequest:
		e.BatchGet(q, &b.rawBatch)
	case *ports.RawPutRequest:
		e.Put(q, &b.rawWrite)
	case *ports.RawBatchPutRequest:
		e.BatchPut(q, &b.rawWrite)
	case *ports.RawDeleteRequest:
		e.Delete(q, &b.rawWrite)
	case *ports.RawBatchDeleteRequest:
		e.BatchDelete(q, &b.rawWrite)
	case *ports.RawDeleteRangeRequest:
		e.DeleteRange(q, x, &b.rawWrite)
	case *ports.RawScanRequest:
		e.Scan(q, x, &b.rawScan)
	case *ports.RawCompareAndSwapRequest:
		e.CompareAndSwap(q, &b.rawSwap)
	}
}
