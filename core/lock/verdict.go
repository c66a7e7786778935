package lock

import (
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// verdict is what is known of a transaction whose lock was met.
type verdict struct {
	kind verdictKind
	// commitTS belongs to committed, left to alive and pushed: how long its lock
	// will live at least, never 0.
	commitTS ports.Timestamp
	left     time.Duration
}

type verdictKind uint8

const (
	// unknown: nobody was asked yet.
	unknown verdictKind = iota
	// committed and rolledBack are final.
	committed
	rolledBack
	// alive: the transaction may still commit.
	alive
	// pushed: alive, and bound to commit after the caller's timestamp.
	pushed
	// ownerless: a pessimistic lock that protects nothing any more. It says nothing
	// about its transaction, which can be alive and commit.
	ownerless
)

// final is the verdict of the cache of final statuses.
func final(s sm.TxnStatus) verdict {
	if s.CommitTS > 0 {
		return verdict{kind: committed, commitTS: s.CommitTS}
	}
	return verdict{kind: rolledBack}
}

// ended reports whether the verdict is final: it will never change.
func (v *verdict) ended() bool { return v.kind == committed || v.kind == rolledBack }

func (v *verdict) fingerprint(h *sm.Hash) {
	h.Uint(uint64(v.kind))
	h.TS(v.commitTS)
	h.Uint(uint64(v.left))
}
