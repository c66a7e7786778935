package run

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// Mark names something that must happen sometimes, or the runs prove less than they seem to.
type Mark uint8

// The marks.
const (
	// What clients meet.
	MarkCommitExpired Mark = iota
	MarkCommitAgain
	MarkCommitCommitted
	MarkConflict
	MarkExists
	MarkPrewriteLocked
	MarkPrewriteRolledBack
	MarkPrewriteEpoch
	MarkPrewriteFewer
	MarkCommitEpoch
	MarkBatchGetEpoch
	MarkScanEpoch
	MarkNoHint
	MarkHint
	MarkMoved
	MarkBusy
	MarkStale
	MarkGone
	MarkOtherPeer
	MarkDiskFull
	// What readers and resolvers do.
	MarkReadLocked
	MarkReadPast
	MarkReadThrough
	MarkPushed
	MarkExpired
	MarkAbsent
	MarkAlive
	MarkFoundCommitted
	MarkResolveCommitted
	MarkResolveRolledBack
	MarkResolveRegion
	MarkResolveKeys
	MarkReadNewest
	// What clients do besides.
	MarkRollback
	MarkHeartbeat
	MarkCrashLeftLocks
	// What users are told.
	MarkCommitted
	MarkAborted
	MarkUnknown
	MarkSkew
	MarkRawOrder
	MarkRawRepeated
	MarkPoints
	numMarks
)

// NumMarks is the number of marks.
const NumMarks = int(numMarks)

var markNames = [numMarks]string{
	"commit timestamp too small", "primary's commit sent again in doubt", "commit succeeded in doubt", "write conflict",
	"inserted key exists", "prewrite met a lock", "prewrite after rollback refused", "epoch changed under a prewrite",
	"prewrite in smaller batches", "epoch changed under a commit", "epoch changed under a batch get",
	"epoch changed under a scan",
	"not leader, no hint", "not leader, hint", "store moved", "busy", "stale command", "region not found",
	"mismatch peer id", "disk full",
	"read met a lock", "read around a pushed lock", "read through a committed lock", "min_commit_ts pushed",
	"expired transaction rolled back", "absent transaction rolled back", "lock is alive",
	"lock of a committed transaction",
	"resolve to commit", "resolve to rollback", "resolve by region", "resolve by keys", "read at the greatest timestamp",
	"rollback sent", "heartbeat", "crashed client left locks", "told committed", "told aborted",
	"told unknown", "write skew seen",
	"raw batches put in one order", "raw batches that may have arrived twice", "few faults, at points",
}

// String returns the mark's name.
func (m Mark) String() string {
	if m < numMarks {
		return markNames[m]
	}
	return "no mark"
}

// Marks is how often each was met.
type Marks [numMarks]uint64

// Add adds the marks of another run.
func (m *Marks) Add(o *Marks) {
	for i := range m {
		m[i] += o[i]
	}
}

// Missing returns the marks that were never met.
func (m *Marks) Missing() []Mark {
	var list []Mark
	for k := range numMarks {
		if m[k] == 0 {
			list = append(list, k)
		}
	}
	return list
}

// batch is how many keys a transaction prewrote at once.
type batch struct {
	start ports.Timestamp
	keys  int
}

// observer is the monitor of a run: invariants, and marks.
type observer struct {
	world      *sim.World
	invariants *check.Invariants
	stores     *check.Stores
	marks      Marks
	// batches are what the first prewrites of transactions had, each until another transaction takes its place.
	batches [1024]batch
	// patient: nobody gives a call up.
	patient bool
}

func observe(w *sim.World) *observer {
	o := &observer{
		world: w, invariants: check.NewInvariants(columns{w}, w.Allocated), stores: check.NewStores(w.Region),
	}
	w.Watch(o)
	return o
}

// met marks something if it is so.
func (o *observer) met(m Mark, so bool) {
	if so {
		o.marks[m]++
	}
}

// Submitted implements [sim.Monitor].
func (o *observer) Submitted(a *sim.Attempt) {
	o.invariants.Submitted(a.Request)
	o.stores.Submitted(a)
	switch q := a.Request.(type) {
	case *ports.PrewriteRequest:
		o.invariants.Locking(q, a.Sent)
		o.working(q.StartTS, a.Sent)
		first := &o.batches[uint(q.StartTS^q.StartTS>>ports.LogicalBits)%uint(len(o.batches))]
		if first.start != q.StartTS {
			*first = batch{q.StartTS, len(q.Mutations)}
		}
		o.met(MarkPrewriteFewer, len(q.Mutations) < first.keys)
	case *ports.CommitRequest:
		o.met(MarkCommitAgain, o.world.Ambiguous(q.StartTS) && has(q.Keys, q.Primary))
	case *ports.BatchRollbackRequest:
		o.met(MarkRollback, true)
	case *ports.TxnHeartBeatRequest:
		o.invariants.Beaten(q.StartTS)
		o.met(MarkHeartbeat, true)
	case *ports.GetRequest:
		o.met(MarkReadNewest, q.TS == ports.MaxTimestamp)
	case *ports.ResolveLockRequest:
		o.met(MarkResolveCommitted, q.CommitTS != 0)
		o.met(MarkResolveRolledBack, q.CommitTS == 0)
		o.met(MarkResolveRegion, len(q.Keys) == 0)
		o.met(MarkResolveKeys, len(q.Keys) > 0)
	default:
	}
}

// working looks at a transaction that goes on. Where PD may be silent, it may not find its primary for a while.
func (o *observer) working(start ports.Timestamp, at ports.Instant) {
	if o.patient {
		o.invariants.Working(start, at)
	}
}

func has(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// Executed implements [sim.Monitor].
func (o *observer) Executed(hdr *ports.Header, req ports.Request, reply ports.Reply) {
	o.invariants.Executed(hdr, req, reply)
	switch r := reply.(type) {
	case *ports.GetReply:
		if q, ok := req.(*ports.GetRequest); ok {
			o.read(hdr, q.Key, r.Err)
		}
	case *ports.BatchGetReply:
		for i := range r.Pairs {
			o.read(hdr, r.Pairs[i].Key, r.Pairs[i].Err)
		}
	case *ports.ScanReply:
		for i := range r.Pairs {
			o.read(hdr, r.Pairs[i].Key, r.Pairs[i].Err)
		}
	default:
	}
}

// read marks what the read of a key did about the lock on it.
func (o *observer) read(hdr *ports.Header, key []byte, err *ports.KeyError) {
	o.met(MarkReadLocked, err != nil && err.Kind == ports.KeyLocked)
	if err != nil || len(hdr.ResolvedLocks)+len(hdr.CommittedLocks) == 0 {
		return
	}
	if l := o.world.Lock(key); l != nil {
		o.met(MarkReadPast, slices.Contains(hdr.ResolvedLocks, l.StartTS))
		o.met(MarkReadThrough, slices.Contains(hdr.CommittedLocks, l.StartTS))
	}
}

// Answered implements [sim.Monitor].
func (o *observer) Answered(a *sim.Attempt, reply ports.Reply) {
	req := a.Request
	o.invariants.Answered(req, reply)
	o.stores.Answered(a, reply)
	if f := reply.Region(); f != nil {
		o.fault(req, f)
		return
	}
	switch r := reply.(type) {
	case *ports.PrewriteReply:
		if q, ok := req.(*ports.PrewriteRequest); ok {
			o.invariants.Locked(q, r, o.world.Now())
		}
		for i := range r.Errors {
			e := &r.Errors[i]
			o.met(MarkPrewriteLocked, e.Kind == ports.KeyLocked)
			o.met(MarkConflict, e.Kind == ports.KeyWriteConflict && e.Reason != ports.ConflictSelfRolledBack)
			o.met(MarkPrewriteRolledBack, e.Kind == ports.KeyWriteConflict && e.Reason == ports.ConflictSelfRolledBack)
			o.met(MarkExists, e.Kind == ports.KeyAlreadyExists)
		}
	case *ports.CommitReply:
		q, ok := req.(*ports.CommitRequest)
		o.met(MarkCommitExpired, r.Err != nil && r.Err.Kind == ports.KeyCommitTSExpired)
		o.met(MarkCommitCommitted, ok && r.Err == nil && o.world.Ambiguous(q.StartTS))
	case *ports.CheckTxnStatusReply:
		o.met(MarkPushed, r.Action == ports.ActionMinCommitTSPushed)
		o.met(MarkExpired, r.Action == ports.ActionTTLExpireRollback)
		o.met(MarkAbsent, r.Action == ports.ActionLockNotExistRollback)
		o.met(MarkAlive, r.Lock != nil)
		o.met(MarkFoundCommitted, r.CommitTS != 0)
	default:
	}
}

// Asked implements [sim.Monitor]. A question for which nobody waits any more may be asked anew.
func (o *observer) Asked(client *sim.Client, query *ports.Query) {
	o.invariants.Asked(client.Name(), query, o.patient && client.Waits(query))
	o.stores.Asked(client, query)
}

// Unanswered implements [sim.Monitor].
func (o *observer) Unanswered(a *sim.Attempt, cause ports.CauseKind) { o.stores.Unanswered(a, cause) }

// Probing implements [sim.Monitor].
func (o *observer) Probing(client *sim.Client, to ports.Endpoint) { o.stores.Probing(client, to) }

// Probed implements [sim.Monitor].
func (o *observer) Probed(client *sim.Client, to ports.Endpoint, cause ports.CauseKind) {
	o.stores.Probed(client, to, cause)
}

// fault marks region errors.
func (o *observer) fault(req ports.Request, f *ports.RegionFault) {
	switch f.Kind {
	case ports.FaultEpochNotMatch:
		switch req.(type) {
		case *ports.PrewriteRequest:
			o.met(MarkPrewriteEpoch, true)
		case *ports.CommitRequest:
			o.met(MarkCommitEpoch, true)
		case *ports.BatchGetRequest:
			o.met(MarkBatchGetEpoch, true)
		case *ports.ScanRequest:
			o.met(MarkScanEpoch, true)
		default:
		}
	case ports.FaultNotLeader:
		o.met(MarkNoHint, f.Leader.ID == 0)
		o.met(MarkHint, f.Leader.ID != 0)
	case ports.FaultStoreNotMatch:
		o.met(MarkMoved, true)
	case ports.FaultServerIsBusy:
		o.met(MarkBusy, true)
	case ports.FaultStaleCommand:
		o.met(MarkStale, true)
	case ports.FaultRegionNotFound:
		o.met(MarkGone, true)
	case ports.FaultMismatchPeerID:
		o.met(MarkOtherPeer, true)
	case ports.FaultDiskFull:
		o.met(MarkDiskFull, true)
	default:
	}
}
