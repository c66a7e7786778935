package ports

// QueryKind says what PD is asked.
type QueryKind uint8

// The queries.
const (
	// QueryRegion wants the region that holds Key.
	QueryRegion QueryKind = iota
	// QueryRegionByEnd wants the region whose keys lie just below Key; an empty
	// Key means the last region.
	QueryRegionByEnd
	// QueryRegions wants up to Limit consecutive regions that overlap [Key, End).
	QueryRegions
	// QueryStore wants one store; a store that PD does not know is refused with
	// [CauseNotFound], a removed one is answered as a tombstone.
	QueryStore
	// QueryStores wants all stores but tombstones.
	QueryStores
)

// Query is a question to PD. Keys are in PD's key space. Fresh rules out answers
// from PD followers and caches. Buckets wants the regions' buckets too, which PD's
// followers do not tell, and for [QueryRegions] only a PD that has batch scans.
type Query struct {
	Kind    QueryKind
	Key     []byte
	End     []byte
	Limit   int
	Store   StoreID
	Fresh   bool
	Buckets bool
}

// Placement answers where data lives (PD's metadata). Every call is answered by
// exactly one [EventPlaced] or [EventRefused] with its token. The query is
// borrowed until the call returns. Answers may be stale and have gaps.
type Placement interface {
	Ask(q *Query, deadline Instant, tok Tok, sink Sink)
}
