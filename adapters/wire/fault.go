package wire

import (
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"

	"github.com/tikvx/tikvx/ports"
)

// deadlineText is how TiKV says that a request's own execution deadline had passed; there is no code for it
// (components/tikv_util/src/deadline.rs, src/storage/errors.rs).
const deadlineText = "deadline is exceeded"

// faultFromProto returns a region error. Its memory is shared with e.
func faultFromProto(e *errorpb.Error) *ports.RegionFault {
	f := &ports.RegionFault{Kind: faultKind(e), Text: e.GetMessage()}
	switch f.Kind {
	case ports.FaultOther:
		f.Deadline = saysDeadline(f.Text)
	case ports.FaultNotLeader:
		f.Leader = peerFromProto(e.NotLeader.GetLeader())
	case ports.FaultEpochNotMatch:
		for _, r := range e.EpochNotMatch.GetCurrentRegions() {
			f.Regions = append(f.Regions, Region(r))
		}
	case ports.FaultServerIsBusy:
		b := e.ServerIsBusy
		f.Wait, f.Backoff = pause(uint64(b.GetEstimatedWaitMs())), pause(b.GetBackoffMs())
		f.Deadline = saysDeadline(b.GetReason()) || saysDeadline(f.Text)
		f.Text = firstText(f.Text, b.GetReason())
	case ports.FaultStoreNotMatch:
		f.Store = ports.StoreID(e.StoreNotMatch.GetActualStoreId())
	case ports.FaultDiskFull:
		if ids := e.DiskFull.GetStoreId(); len(ids) > 0 {
			f.Store = ports.StoreID(ids[0])
		}
		f.Text = firstText(f.Text, e.DiskFull.GetReason())
	case ports.FaultDataIsNotReady:
		f.SafeTS = ports.Timestamp(e.DataIsNotReady.GetSafeTs())
	case ports.FaultBucketVersionNotMatch:
		f.BucketVersion, f.BucketKeys = e.BucketVersionNotMatch.GetVersion(), e.BucketVersionNotMatch.GetKeys()
	case ports.FaultUndeterminedResult:
		f.Text = firstText(f.Text, e.UndeterminedResult.GetMessage())
	case ports.FaultReadIndexNotReady:
		f.Text = firstText(f.Text, e.ReadIndexNotReady.GetReason())
	default: // the others say all by their kind
	}
	return f
}

// faultKind names the variant of a region error. Should there be two, the one that leaves the most in doubt counts.
func faultKind(e *errorpb.Error) ports.FaultKind {
	switch {
	case e.UndeterminedResult != nil:
		return ports.FaultUndeterminedResult
	case e.StaleCommand != nil:
		return ports.FaultStaleCommand
	case e.NotLeader != nil:
		return ports.FaultNotLeader
	case e.RegionNotFound != nil:
		return ports.FaultRegionNotFound
	case e.KeyNotInRegion != nil:
		return ports.FaultKeyNotInRegion
	case e.EpochNotMatch != nil:
		return ports.FaultEpochNotMatch
	case e.ServerIsBusy != nil:
		return ports.FaultServerIsBusy
	case e.StoreNotMatch != nil:
		return ports.FaultStoreNotMatch
	case e.RaftEntryTooLarge != nil:
		return ports.FaultRaftEntryTooLarge
	case e.MaxTimestampNotSynced != nil:
		return ports.FaultMaxTimestampNotSynced
	case e.ReadIndexNotReady != nil:
		return ports.FaultReadIndexNotReady
	case e.ProposalInMergingMode != nil:
		return ports.FaultProposalInMergingMode
	}
	return faultKindRare(e)
}

func faultKindRare(e *errorpb.Error) ports.FaultKind {
	switch {
	case e.DataIsNotReady != nil:
		return ports.FaultDataIsNotReady
	case e.RegionNotInitialized != nil:
		return ports.FaultRegionNotInitialized
	case e.DiskFull != nil:
		return ports.FaultDiskFull
	case e.RecoveryInProgress != nil:
		return ports.FaultRecoveryInProgress
	case e.FlashbackInProgress != nil:
		return ports.FaultFlashbackInProgress
	case e.FlashbackNotPrepared != nil:
		return ports.FaultFlashbackNotPrepared
	case e.IsWitness != nil:
		return ports.FaultIsWitness
	case e.MismatchPeerId != nil:
		return ports.FaultMismatchPeerID
	case e.BucketVersionNotMatch != nil:
		return ports.FaultBucketVersionNotMatch
	}
	return ports.FaultOther
}

func saysDeadline(text string) bool { return strings.Contains(strings.ToLower(text), deadlineText) }

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// pause bounds what a store demands, so that no number on the wire overflows.
func pause(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(time.Hour/time.Millisecond))) * time.Millisecond
}

// faultToProto returns the region error that a store sends.
func faultToProto(f *ports.RegionFault) *errorpb.Error {
	e := &errorpb.Error{Message: f.Text}
	switch f.Kind {
	case ports.FaultNone, ports.FaultOther:
		if f.Deadline {
			e.Message = deadlineText
		}
	case ports.FaultNotLeader:
		e.NotLeader = &errorpb.NotLeader{}
		if f.Leader != (ports.Peer{}) {
			e.NotLeader.Leader = PeerMeta(f.Leader)
		}
	case ports.FaultRegionNotFound:
		e.RegionNotFound = &errorpb.RegionNotFound{}
	case ports.FaultKeyNotInRegion:
		e.KeyNotInRegion = &errorpb.KeyNotInRegion{}
	case ports.FaultEpochNotMatch:
		e.EpochNotMatch = &errorpb.EpochNotMatch{}
		for i := range f.Regions {
			e.EpochNotMatch.CurrentRegions = append(e.EpochNotMatch.CurrentRegions, RegionMeta(&f.Regions[i]))
		}
	case ports.FaultServerIsBusy:
		e.ServerIsBusy = busyToProto(f)
	case ports.FaultStoreNotMatch:
		e.StoreNotMatch = &errorpb.StoreNotMatch{ActualStoreId: uint64(f.Store)}
	case ports.FaultDiskFull:
		e.DiskFull = &errorpb.DiskFull{}
		if f.Store != 0 {
			e.DiskFull.StoreId = []uint64{uint64(f.Store)}
		}
	case ports.FaultDataIsNotReady:
		e.DataIsNotReady = &errorpb.DataIsNotReady{SafeTs: uint64(f.SafeTS)}
	case ports.FaultBucketVersionNotMatch:
		e.BucketVersionNotMatch = &errorpb.BucketVersionNotMatch{Version: f.BucketVersion, Keys: f.BucketKeys}
	default:
		plainFault(e, f.Kind)
	}
	return e
}

func busyToProto(f *ports.RegionFault) *errorpb.ServerIsBusy {
	b := &errorpb.ServerIsBusy{
		EstimatedWaitMs: uint32(min(milliseconds(f.Wait), 1<<32-1)), BackoffMs: milliseconds(f.Backoff),
	}
	if f.Deadline {
		b.Reason = deadlineText
	}
	return b
}

// plainFault sets the variant of a fault that says all by its kind.
func plainFault(e *errorpb.Error, kind ports.FaultKind) {
	switch kind {
	case ports.FaultStaleCommand:
		e.StaleCommand = &errorpb.StaleCommand{}
	case ports.FaultRaftEntryTooLarge:
		e.RaftEntryTooLarge = &errorpb.RaftEntryTooLarge{}
	case ports.FaultMaxTimestampNotSynced:
		e.MaxTimestampNotSynced = &errorpb.MaxTimestampNotSynced{}
	case ports.FaultReadIndexNotReady:
		e.ReadIndexNotReady = &errorpb.ReadIndexNotReady{}
	case ports.FaultProposalInMergingMode:
		e.ProposalInMergingMode = &errorpb.ProposalInMergingMode{}
	case ports.FaultRegionNotInitialized:
		e.RegionNotInitialized = &errorpb.RegionNotInitialized{}
	case ports.FaultRecoveryInProgress:
		e.RecoveryInProgress = &errorpb.RecoveryInProgress{}
	case ports.FaultFlashbackInProgress:
		e.FlashbackInProgress = &errorpb.FlashbackInProgress{}
	case ports.FaultFlashbackNotPrepared:
		e.FlashbackNotPrepared = &errorpb.FlashbackNotPrepared{}
	case ports.FaultIsWitness:
		e.IsWitness = &errorpb.IsWitness{}
	case ports.FaultMismatchPeerID:
		e.MismatchPeerId = &errorpb.MismatchPeerId{}
	case ports.FaultUndeterminedResult:
		e.UndeterminedResult = &errorpb.UndeterminedResult{}
	default: // the others carry more than their kind
	}
}
