package txn

import (
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// OutcomeKind says what became of a commit.
type OutcomeKind uint8

// The outcomes as callers see them.
const (
	// Unknown: the transaction may be committed, now or later, or not at all.
	Unknown OutcomeKind = iota
	Committed
	// Aborted: the transaction took no effect and never will.
	Aborted
)

// Outcome is what a commit's caller is told.
type Outcome struct {
	Kind OutcomeKind
	// CommitTS is set when Committed, and 0 when there was nothing to write.
	CommitTS ports.Timestamp
	// Failure says why when not Committed.
	Failure sm.Failure
}

func (o *Outcome) fingerprint(h *sm.Hash) {
	h.Uint(uint64(o.Kind))
	h.TS(o.CommitTS)
	o.Failure.Fingerprint(h)
}
