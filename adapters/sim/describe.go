package sim

import (
	"fmt"
	"reflect"

	"github.com/tikvx/tikvx/ports"
)

// describe prints a request for the trace. Traces are for people who debug: they show keys.
func describe(c *call) string {
	head := fmt.Sprintf("s%d %s r%d.%d", c.to.Store, verbName(c.req.Verb()), c.hdr.Region.ID, c.hdr.Region.Epoch.Version)
	switch r := c.req.(type) {
	case *ports.GetRequest:
		return fmt.Sprintf("%s %q at %s", head, r.Key, formatTS(r.TS))
	case *ports.BatchGetRequest:
		return fmt.Sprintf("%s %q at %s", head, r.Keys, formatTS(r.TS))
	case *ports.ScanRequest:
		return fmt.Sprintf("%s [%q, %q) limit %d at %s", head, r.Range.Start, r.Range.End, r.Limit, formatTS(r.TS))
	case *ports.PrewriteRequest:
		return fmt.Sprintf("%s start %s primary %q keys%s", head, formatTS(r.StartTS), r.Primary,
			describeMutations(r.Mutations))
	case *ports.CommitRequest:
		return fmt.Sprintf("%s start %s commit %s %q", head, formatTS(r.StartTS), formatTS(r.CommitTS), r.Keys)
	case *ports.BatchRollbackRequest:
		return fmt.Sprintf("%s start %s %q", head, formatTS(r.StartTS), r.Keys)
	case *ports.CheckTxnStatusRequest:
		return fmt.Sprintf("%s start %s primary %q caller %s current %s rollback %t", head, formatTS(r.LockTS), r.Primary,
			formatTS(r.CallerStartTS), formatTS(r.CurrentTS), r.RollbackIfNotExist)
	case *ports.ResolveLockRequest:
		if r.StartTS == 0 {
			for _, t := range r.Txns {
				head += fmt.Sprintf(" start %s commit %s", formatTS(t.StartTS), formatTS(t.CommitTS))
			}
			return head
		}
		return fmt.Sprintf("%s start %s commit %s %q", head, formatTS(r.StartTS), formatTS(r.CommitTS), r.Keys)
	}
	return head + describeRaw(c.req)
}

func describeMutations(list []ports.Mutation) string {
	text := ""
	for i := range list {
		text += fmt.Sprintf(" %q", list[i].Key)
	}
	return text
}

func describeRaw(req ports.Request) string {
	switch r := req.(type) {
	case *ports.RawGetRequest:
		return fmt.Sprintf(" %q", r.Key)
	case *ports.RawPutRequest:
		return fmt.Sprintf(" %q=%q", r.Key, r.Value)
	case *ports.RawDeleteRequest:
		return fmt.Sprintf(" %q", r.Key)
	case *ports.RawCompareAndSwapRequest:
		if r.PreviousAbsent {
			return fmt.Sprintf(" %q absent → %q", r.Key, r.Value)
		}
		return fmt.Sprintf(" %q %q → %q", r.Key, r.Previous, r.Value)
	case *ports.RawScanRequest:
		return fmt.Sprintf(" [%q, %q) limit %d", r.Range.Start, r.Range.End, r.Limit)
	}
	return describeRare(reflect.ValueOf(req).Elem())
}

// describeReply prints a reply for the trace.
func describeReply(reply ports.Reply) string {
	if f := reply.Region(); f != nil {
		return describeFault(f)
	}
	head := verbName(reply.Verb())
	switch r := reply.(type) {
	case *ports.GetReply:
		return fmt.Sprintf("%s %q%s", head, r.Value, describeError(r.Err))
	case *ports.BatchGetReply:
		return fmt.Sprintf("%s %d pairs%s", head, len(r.Pairs), describeError(r.Err))
	case *ports.ScanReply:
		return fmt.Sprintf("%s %d pairs%s", head, len(r.Pairs), describeError(r.Err))
	case *ports.PrewriteReply:
		if r.OnePCCommitTS != 0 {
			head += " committed at " + formatTS(r.OnePCCommitTS)
		}
		return head + describeErrors(r.Errors)
	case *ports.CommitReply:
		return fmt.Sprintf("%s %s%s", head, formatTS(r.CommitTS), describeError(r.Err))
	case *ports.BatchRollbackReply:
		return head + describeError(r.Err)
	case *ports.CheckTxnStatusReply:
		return fmt.Sprintf("%s ttl %d commit %s%s%s", head, r.TTL, formatTS(r.CommitTS), actionTexts[r.Action],
			describeError(r.Err))
	case *ports.ResolveLockReply:
		return head + describeError(r.Err)
	case *ports.RawGetReply:
		return fmt.Sprintf("%s %q%s", head, r.Value, r.Text)
	case *ports.RawWriteReply:
		return head + r.Text
	case *ports.RawScanReply:
		return fmt.Sprintf("%s %d pairs", head, len(r.Pairs))
	case *ports.RawCompareAndSwapReply:
		return fmt.Sprintf("%s swapped %t found %q%s", head, r.Succeeded, r.Previous, r.Text)
	}
	return head + describeRare(reflect.ValueOf(reply).Elem())
}

func describeErrors(list []ports.KeyError) string {
	text := ""
	for i := range list {
		text += describeError(&list[i])
	}
	return text
}

func describeError(e *ports.KeyError) string {
	if e == nil {
		return ""
	}
	if e.Kind == ports.KeyLocked {
		return fmt.Sprintf(" locked %q by %s", e.Lock.Key, formatTS(e.Lock.StartTS))
	}
	return fmt.Sprintf(" %s %q", keyErrorNames[e.Kind], e.Key)
}

func describeFault(f *ports.RegionFault) string {
	text := faultKindNames[f.Kind]
	if f.Leader.ID != 0 {
		text += fmt.Sprintf(", s%d leads", f.Leader.Store)
	}
	for i := range f.Regions {
		r := &f.Regions[i]
		text += fmt.Sprintf(" r%d.%d", r.ID, r.Epoch.Version)
	}
	if f.Deadline {
		text += ", deadline exceeded"
	}
	return text
}

var actionTexts = [...]string{
	ports.ActionNone: "", ports.ActionTTLExpireRollback: " expired, rolled back",
	ports.ActionLockNotExistRollback: " no lock, rolled back", ports.ActionMinCommitTSPushed: " pushed",
	ports.ActionTTLExpirePessimisticRollback: " expired, lock released",
	ports.ActionLockNotExistDoNothing:        " no lock",
}

var keyErrorNames = [...]string{
	ports.KeyErrorNone: "none", ports.KeyErrorOther: "other", ports.KeyLocked: "locked",
	ports.KeyWriteConflict: "write conflict", ports.KeyAlreadyExists: "already exists",
	ports.KeyRetryable: "retryable", ports.KeyAbort: "abort", ports.KeyDeadlock: "deadlock",
	ports.KeyCommitTSExpired: "commit ts expired", ports.KeyTxnNotFound: "txn not found",
	ports.KeyCommitTSTooLarge: "commit ts too large", ports.KeyAssertionFailed: "assertion failed",
	ports.KeyPrimaryMismatch: "primary mismatch", ports.KeyTxnLockNotFound: "txn lock not found",
}

var faultKindNames = [ports.FaultKinds]string{
	"none", "other", "NotLeader", "RegionNotFound", "KeyNotInRegion", "EpochNotMatch", "ServerIsBusy", "StaleCommand",
	"StoreNotMatch", "RaftEntryTooLarge", "MaxTimestampNotSynced", "ReadIndexNotReady", "ProposalInMergingMode",
	"DataIsNotReady", "RegionNotInitialized", "DiskFull", "RecoveryInProgress", "FlashbackInProgress",
	"FlashbackNotPrepared", "IsWitness", "MismatchPeerID", "BucketVersionNotMatch", "UndeterminedResult",
}

var verbNames = [ports.Verbs]string{
	"None", "Get", "BatchGet", "Scan", "Prewrite", "Commit", "BatchRollback", "CheckTxnStatus", "ResolveLock",
	"TxnHeartBeat", "PessimisticRollback", "RawGet", "RawBatchGet", "RawPut", "RawBatchPut", "RawDelete",
	"RawBatchDelete", "RawDeleteRange", "RawScan", "RawGetKeyTTL", "RawCompareAndSwap", "CheckSecondaryLocks",
	"PessimisticLock", "ScanLock", "RawChecksum", "DeleteRange", "UnsafeDestroyRange", "PrepareFlashbackToVersion",
	"FlashbackToVersion", "SplitRegion",
	"Flush", "BufferBatchGet", "BroadcastTxnStatus", "MvccGetByKey", "MvccGetByStartTS", "RawBatchScan",
	"LockWaitInfo", "StoreSafeTS",
}

func verbName(v ports.Verb) string { return verbNames[v] }

// hashReply adds what a reply says.
func hashReply(d *digest, reply ports.Reply) {
	d.add(uint64(reply.Verb()))
	if f := reply.Region(); f != nil {
		d.add(uint64(f.Kind)<<32 ^ uint64(f.Leader.ID))
		return
	}
	switch r := reply.(type) {
	case *ports.GetReply:
		d.bytes(r.Value)
		hashError(d, r.Err)
	case *ports.BatchGetReply:
		hashPairs(d, r.Pairs)
		hashError(d, r.Err)
	case *ports.ScanReply:
		hashPairs(d, r.Pairs)
		hashError(d, r.Err)
	case *ports.PrewriteReply:
		for i := range r.Errors {
			hashError(d, &r.Errors[i])
		}
		if r.MinCommitTS|r.OnePCCommitTS != 0 {
			d.add(uint64(r.MinCommitTS))
			d.add(uint64(r.OnePCCommitTS))
		}
	case *ports.CommitReply:
		d.add(uint64(r.CommitTS))
		hashError(d, r.Err)
	case *ports.BatchRollbackReply:
		hashError(d, r.Err)
	case *ports.CheckTxnStatusReply:
		d.add(r.TTL ^ uint64(r.Action)<<56)
		d.add(uint64(r.CommitTS))
		hashError(d, r.Err)
	case *ports.ResolveLockReply:
		hashError(d, r.Err)
	case *ports.RawGetReply:
		d.bytes(r.Value)
	case *ports.RawBatchGetReply:
		hashPairs(d, r.Pairs)
	case *ports.RawScanReply:
		hashPairs(d, r.Pairs)
	case *ports.RawCompareAndSwapReply:
		d.bytes(r.Previous)
	case *ports.RawWriteReply:
	default:
		hashRare(d, reflect.ValueOf(r).Elem())
	}
}

func hashPairs(d *digest, pairs []ports.Pair) {
	d.add(uint64(len(pairs)))
	for i := range pairs {
		d.bytes(pairs[i].Key)
		d.bytes(pairs[i].Value)
		hashError(d, pairs[i].Err)
	}
}

func hashError(d *digest, e *ports.KeyError) {
	if e != nil {
		d.add(uint64(e.Kind) ^ uint64(e.Lock.StartTS)<<8)
		d.bytes(e.Key)
	}
}
