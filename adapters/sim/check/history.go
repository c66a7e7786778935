package check

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Version is one committed version of a key.
type Version struct {
	Start, Commit ports.Timestamp
	Deleted       bool
	Value         []byte
}

// Read is what a snapshot returned for a key.
type Read struct {
	TS    ports.Timestamp
	Key   string
	Found bool
	Value string
	// Unseen: only whether the key was there is known, not its value.
	Unseen bool
}

// Latest is a read of the newest version. It began at an instant, and had ended before the oracle gave To.
type Latest struct {
	Began ports.Instant
	To    ports.Timestamp
	Key   string
	Found bool
	Value string
}

// Outcome is what the client said about a transaction.
type Outcome uint8

// The outcomes.
const (
	Unknown Outcome = iota
	Committed
	Aborted
)

// Txn is one transaction as its client saw it. Receipt is a key that no other
// transaction writes.
type Txn struct {
	// Task is whose it was.
	Task         string
	Start        ports.Timestamp
	Receipt      string
	Began, Ended ports.Instant
	Outcome      Outcome
	Note         string
}

// History is what the clients of a run were told.
type History struct {
	Reads  []Read
	Latest []Latest
	Txns   []Txn
}

// Wrong holds a history against a store in every way. keys are all that were written, receipts left out.
func (h *History) Wrong(keys []string, store Store) []string {
	all := append(make([]string, 0, len(keys)+len(h.Txns)), keys...)
	for _, t := range h.Txns {
		all = append(all, t.Receipt)
	}
	store = remember(store, len(all))
	return slices.Concat(Snapshots(h.Reads, store), Newest(h.Latest, h.Txns, store), Writers(keys, store),
		Atomic(all, store), Outcomes(h.Txns, store), External(h.Txns, store))
}

// Store answers what the cluster really kept.
type Store interface {
	// Versions returns the committed versions of a key, in any order.
	Versions(key string) []Version
	// Ambiguous reports whether a request that could decide the commit of the
	// transaction was lost, or answered in a way that proves nothing.
	Ambiguous(start ports.Timestamp) bool
}
