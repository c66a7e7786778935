package ports

// StoreSafeTSRequest asks a store for the least timestamp up to which its peers serve
// stale reads, of those whose regions touch Range, which is in PD's key space; the
// empty range means all of them. It belongs to no region: the header is not sent.
type StoreSafeTSRequest struct {
	Range KeyRange
}

// StoreSafeTSReply answers [StoreSafeTSRequest]. SafeTS is 0 when no peer knows one. It
// never fails.
type StoreSafeTSReply struct {
	ReplyHeader
	SafeTS Timestamp
}

// Verb implements [Request].
func (*StoreSafeTSRequest) Verb() Verb { return VerbStoreSafeTS }

// Verb implements [Reply].
func (*StoreSafeTSReply) Verb() Verb { return VerbStoreSafeTS }
