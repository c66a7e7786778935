package txn

import "github.com/tikvx/tikvx/core/sm"

// fate is all that is known of what becomes of a transaction. It is folded over the
// history of the critical request, the commit of the primary, and never looked at
// through anything else. The zero fate is that of a transaction whose commit was
// not submitted.
type fate struct {
	kind fateKind
	// doubt: an attempt has ended, and it may have been applied, or still be.
	doubt bool
}

type fateKind uint8

const (
	// impossible: no attempt was applied, and none is under way that can be.
	impossible fateKind = iota
	// maybe: the transaction may be committed, now or later.
	maybe
	committed
	aborted
)

var fateKinds = [...]string{
	impossible: "impossible", maybe: "maybe", committed: "committed", aborted: "aborted",
}

// evidence is what one step of the critical request's history shows.
type evidence uint8

const (
	// submitted: an attempt was handed to the transport.
	submitted evidence = iota
	// unapplied: the attempt was not sent, or a region error proves that it was not
	// applied. It says nothing of earlier attempts.
	unapplied
	// lost: no answer came, or one that leaves open whether the attempt is applied:
	// StaleCommand, UndeterminedResult, the store's own deadline.
	lost
	// refused: TiKV executed the attempt and refused it. Earlier attempts may
	// still be under way.
	refused
	// expired: the primary's lock is there and refuses the commit timestamp, and
	// with it every attempt up to now.
	expired
	// gone: there is neither a lock of the transaction on the primary nor a commit
	// record, so it was rolled back.
	gone
	// applied: the primary is committed.
	applied
)

// fold returns the fate after one more piece of evidence. What is proven stays.
func (f fate) fold(e evidence) fate {
	if f.kind == committed || f.kind == aborted {
		return f
	}
	switch e {
	case submitted:
		f.kind = maybe
	case unapplied, refused:
		f.kind = impossible
		if f.doubt {
			f.kind = maybe
		}
	case lost:
		f.kind, f.doubt = maybe, true
	case expired:
		f.kind, f.doubt = impossible, false
	case gone:
		f.kind, f.doubt = aborted, false
	case applied:
		f.kind, f.doubt = committed, false
	}
	return f
}

func (f fate) fingerprint(h *sm.Hash) {
	h.Uint(uint64(f.kind))
	h.Bool(f.doubt)
}
