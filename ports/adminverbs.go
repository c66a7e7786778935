package ports

// The verbs of this file are those of administrators, and others that applications
// seldom need. Ranges are [Start, End) in the key space of users.

// RawChecksumRequest asks for a checksum of the raw pairs in ranges of one region.
type RawChecksumRequest struct {
	Ranges []KeyRange
}

// RawBatchScanRequest reads at most EachLimit raw pairs of each of some ranges of one
// region. An open bound at which a scan would end is where the next range begins, if
// there is one.
type RawBatchScanRequest struct {
	Ranges    []KeyRange
	EachLimit uint32
	KeyOnly   bool
	Reverse   bool
	CF        string
}

// DeleteRangeRequest deletes all versions and locks of a range inside one region,
// which must have an end. NotifyOnly deletes nothing; TiKV then tells whoever
// watches the range that it is about to be destroyed.
type DeleteRangeRequest struct {
	Range      KeyRange
	NotifyOnly bool
}

// UnsafeDestroyRangeRequest deletes all versions and locks of a range on one store,
// whatever regions it holds, behind Raft's back. The range must have both bounds.
// It is about a store: the header names no region.
type UnsafeDestroyRangeRequest struct {
	Range KeyRange
}

// PrepareFlashbackToVersionRequest locks a region for a flashback by the transaction
// StartTS to what was there at Version: only reads below StartTS are served from
// then on.
type PrepareFlashbackToVersionRequest struct {
	Range            KeyRange
	StartTS, Version Timestamp
}

// FlashbackToVersionRequest writes what was there at Version as of CommitTS, and
// unlocks the region. Version and StartTS are those of its preparation.
type FlashbackToVersionRequest struct {
	Range                      KeyRange
	StartTS, CommitTS, Version Timestamp
}

// SplitRegionRequest cuts a region at keys that lie in it, none of them its start.
// Raw says that they are raw keys.
type SplitRegionRequest struct {
	Keys [][]byte
	Raw  bool
}

// LockWaitInfoRequest asks a store which of its requests wait for locks. It is about
// a store: the header names no region.
type LockWaitInfoRequest struct{}

// LockWaitInfoReply answers [LockWaitInfoRequest]. WaitForTxn is 0 where the lock is
// shared.
type LockWaitInfoReply struct {
	ReplyHeader
	Text  string
	Waits []WaitFor
}

// RawChecksumReply answers [RawChecksumRequest]: an exclusive or of the pairs'
// CRC-64s (ECMA), their number and the bytes of keys and values.
type RawChecksumReply struct {
	ReplyHeader
	Text                   string
	Checksum, Pairs, Bytes uint64
}

// RawBatchScanReply answers [RawBatchScanRequest] with the pairs of one range after
// the other.
type RawBatchScanReply struct {
	ReplyHeader
	Pairs []Pair
}

// RangeReply answers what changes a range. Text is TiKV's error, empty when none. Of
// is the verb that it answers.
type RangeReply struct {
	ReplyHeader
	Of   Verb
	Text string
}

// SplitRegionReply answers [SplitRegionRequest] with the regions that there are now
// in the place of the old one, in key order. The last has its id, or the first, where
// stores are configured so (raftstore.right-derive-when-split).
type SplitRegionReply struct {
	ReplyHeader
	Regions []Region
}

// Verb implements [Request].
func (*RawChecksumRequest) Verb() Verb { return VerbRawChecksum }

// Verb implements [Request].
func (*RawBatchScanRequest) Verb() Verb { return VerbRawBatchScan }

// Verb implements [Request].
func (*DeleteRangeRequest) Verb() Verb { return VerbDeleteRange }

// Verb implements [Request].
func (*UnsafeDestroyRangeRequest) Verb() Verb { return VerbUnsafeDestroyRange }

// Verb implements [Request].
func (*PrepareFlashbackToVersionRequest) Verb() Verb { return VerbPrepareFlashbackToVersion }

// Verb implements [Request].
func (*FlashbackToVersionRequest) Verb() Verb { return VerbFlashbackToVersion }

// Verb implements [Request].
func (*SplitRegionRequest) Verb() Verb { return VerbSplitRegion }

// Verb implements [Request].
func (*LockWaitInfoRequest) Verb() Verb { return VerbLockWaitInfo }

// Verb implements [Reply].
func (*LockWaitInfoReply) Verb() Verb { return VerbLockWaitInfo }

// Verb implements [Reply].
func (*RawChecksumReply) Verb() Verb { return VerbRawChecksum }

// Verb implements [Reply].
func (*RawBatchScanReply) Verb() Verb { return VerbRawBatchScan }
func (r *RangeReply) Verb() Verb      { return r.Of }            // Verb implements [Reply].
func (*SplitRegionReply) Verb() Verb  { return VerbSplitRegion } // Verb implements [Reply].
