package ports

import "time"

// Addr is the path from an operation's root machine to the machine that waits:
// up to eight hops of eight bits, the first hop in the lowest byte.
type Addr uint64

// MaxHops is the depth to which machines can nest.
const MaxHops = 8

// Hop returns the hop at the given depth.
func (a Addr) Hop(depth int) uint8 { return uint8(a >> (8 * depth)) }

// With returns a with the hop at the given depth set; the hop must be zero before.
func (a Addr) With(depth int, hop uint8) Addr { return a | Addr(hop)<<(8*depth) }

// Tok comes back with the answer to an effect. Gen names one wait of the
// operation and is never used twice, so that late and duplicate answers find
// nobody waiting.
type Tok struct {
	Addr Addr
	Gen  uint32
}

// EventKind says what happened.
type EventKind uint8

// The kinds of events. Each is legal in every state of every machine.
const (
	// EventStart begins an operation.
	EventStart EventKind = iota
	// EventReply carries a server's answer, region errors included.
	EventReply
	// EventLost: bytes were handed to the wire and no answer came; a write may
	// have been applied.
	EventLost
	// EventUnsent: nothing was handed to the wire; a write was surely not applied.
	EventUnsent
	// EventTimer: the instant of an armed timer has come.
	EventTimer
	// EventTimestamp carries a timestamp of the oracle.
	EventTimestamp
	// EventPlaced carries PD's answer: Regions or Stores to a query, Admin to an
	// administrator.
	EventPlaced
	// EventRefused: oracle or placement gave no answer; Cause says why.
	EventRefused
	// EventProbed: the answer to a liveness probe; Cause is CauseNone if alive.
	EventProbed
	// EventCancel: the caller no longer waits. Delivered at most once.
	EventCancel
	// EventAsk puts a question to a table.
	EventAsk
	// EventTell is a table's answer: what was asked for is in the view, or Cause
	// says why it could not be had.
	EventTell
	// EventLearn teaches a table a fact.
	EventLearn
	// EventSweep lets a table drop what was not used: Marks tells what was.
	EventSweep
	eventKinds
)

// EventKinds is the number of event kinds, for tables and transition tests.
const EventKinds = int(eventKinds)

// Event is what a machine steps on. It is a tagged struct: only the fields that
// its kind names are set. Now is always set; machines have no other clock.
type Event struct {
	Kind EventKind
	Tok  Tok
	Now  Instant
	TS   Timestamp
	// Reply is valid during Step only; Lease, when set, is released after it.
	Reply Reply
	Lease Lease
	Cause Cause
	// Regions and Stores are immutable and may be kept.
	Regions []Region
	Stores  []Store
	// Buckets are those of Regions, one for one, if the query wanted them; nil
	// where PD knows none. Immutable, too.
	Buckets []*Buckets
	Admin   *AdminReply
	Ask     *Ask
	Fact    *Fact
	Marks   []uint64
}

// Lease gives a reply's memory back to its owner.
type Lease interface{ Release() }

// Sink receives events. Post may be called from any goroutine, keeps a copy of
// the event, and never blocks on the operation that receives it.
type Sink interface{ Post(Event) }

// Waiter names an operation and the token under which it waits. It is a value,
// so that machines that hold waiters can be copied and compared.
type Waiter struct {
	Op  uint64
	Tok Tok
}

// AskKind says what is asked of a table.
type AskKind uint8

// The questions.
const (
	// AskRegion wants the region that holds Key (PD's key space).
	AskRegion AskKind = iota
	// AskRegionByEnd wants the region whose keys lie just below Key; an empty
	// Key means the last region.
	AskRegionByEnd
	// AskStore wants the metadata of Store.
	AskStore
)

// Ask is a question to a table. Until is the end of the range that the caller
// will need next, so that one load can serve it all; nil wants one region only,
// and an Until that is empty but not nil is unbounded. Newer, when set, is the
// region version that failed: only something newer answers.
type Ask struct {
	Kind   AskKind
	Key    []byte
	Until  []byte
	Newer  RegionVersion
	Store  StoreID
	Waiter Waiter
	// Deadline is the instant at which the asker gives up.
	Deadline Instant
}

// FactKind says what was learnt.
type FactKind uint8

// The facts that operations and adapters learn.
const (
	// FactLeader: Peer leads Region (a NotLeader hint or a served request).
	FactLeader FactKind = iota
	// FactEpoch: the answering store knows Regions in place of Region; Store
	// answered, and its peers lead as far as anybody knows.
	FactEpoch
	// FactRegionGone: Region must be loaded anew before it is used again.
	FactRegionGone
	// FactStoreFailed: a request to Store was Lost or Unsent.
	FactStoreFailed
	// FactStoreAlive: Store answered a request.
	FactStoreAlive
	// FactStoreMismatch: another store answers at the address of Store.
	FactStoreMismatch
	// FactStoreBusy: Store estimated that a new request would wait for Wait.
	FactStoreBusy
	// FactTxn: the transaction StartTS was committed at CommitTS, or, with
	// CommitTS 0, rolled back. Only final statuses are facts.
	FactTxn
	// FactTimestamp: the oracle has allocated CommitTS.
	FactTimestamp
	factKinds
)

// FactKinds is the number of fact kinds.
const FactKinds = int(factKinds)

// Fact is something that a table should know. Immutable once sent.
type Fact struct {
	Kind FactKind
	// Region is what the fact is about; Key lies in it (PD's key space), so that
	// the table finds its entry.
	Region  RegionVersion
	Key     []byte
	Peer    Peer
	Regions []Region
	Store   StoreID
	// FailEpoch is the one under which the request that taught the fact was sent;
	// a store's failure counts once.
	FailEpoch uint32
	Wait      time.Duration
	StartTS   Timestamp
	CommitTS  Timestamp
}
