package lock

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Purpose says for what the locks are in the way.
type Purpose uint8

// The purposes.
const (
	// Read: the caller may pass a lock as soon as it knows what the lock's
	// transaction means to its snapshot; locks are removed behind its back.
	Read Purpose = iota
	// Write: the caller needs the locks gone.
	Write
)

// Spec says on whose behalf locks are resolved.
type Spec struct {
	Purpose Purpose
	// CallerTS is the reader's timestamp, or the start of the writing transaction.
	CallerTS ports.Timestamp
	// Lite removes only the locks that were met, however large their transaction.
	// Point reads want it.
	Lite bool
	// RequestSource labels the requests.
	RequestSource string
	// Deadline is the instant at which the caller gives up. Removing locks behind a
	// reader's back has a budget of its own.
	Deadline ports.Instant
}

// Result is what a round of resolving brought.
type Result struct {
	// Failure says why the locks could not be resolved; then Wait is 0.
	Failure sm.Failure
	// Wait is 0 when the request can be sent again at once. Otherwise somebody is
	// alive: the caller pauses for at most Wait (backoff.TxnLock for writers,
	// backoff.TxnLockFast for readers) and then sends its request again.
	Wait time.Duration
}

func (s *Spec) fingerprint(h *sm.Hash) {
	h.Uint(uint64(s.Purpose))
	h.TS(s.CallerTS)
	h.Bool(s.Lite)
	h.Text(s.RequestSource)
	h.Instant(s.Deadline)
}
