package app

import "sync/atomic"

// gate is who uses a transaction at the moment. Reads may run beside each other; a
// write or the end of the transaction runs alone. Nobody waits: who may not enter is
// told so, since it is a mistake of the program that uses the transaction.
//
//	open, n reads ──write, when n = 0──▶ busy ──▶ open, 0 reads
//	      │                               └──commit──▶ ended
//	      └──────────────rollback────────────────────▶ ended     who still runs leaves
//
// The state is one word: the number of reads in the low half, and flags.
type gate struct{ state atomic.Uint64 }

const (
	gateBusy  uint64 = 1 << 32
	gateEnded uint64 = 1 << 33
	// gateOutcome is where the outcome of an ended transaction begins.
	gateOutcome = 34

	abandoned = gateEnded | uint64(Aborted)<<gateOutcome
)

// entry is the answer to who wants to use a transaction.
type entry uint8

const (
	entered entry = iota
	// occupied: somebody else uses the transaction in a way that does not go with
	// the wish.
	occupied
	// closed: the transaction has ended.
	closed
)

// read lets a read in, which leaves with leaveRead.
func (g *gate) read() entry {
	for {
		s := g.state.Load()
		if e := admit(s); e != entered {
			return e
		}
		if g.state.CompareAndSwap(s, s+1) {
			return entered
		}
	}
}

func (g *gate) leaveRead() { g.state.Add(^uint64(0)) }

// write lets in who must be alone, and who leaves with leaveWrite or end.
func (g *gate) write() entry {
	if g.state.CompareAndSwap(0, gateBusy) {
		return entered
	}
	if !g.open() {
		return closed
	}
	return occupied
}

func (g *gate) leaveWrite() { g.state.And(^gateBusy) }

// end ends a transaction that write let in.
func (g *gate) end(o Outcome) { g.state.Store(gateEnded | uint64(o)<<gateOutcome) }

// abandon ends a transaction even while reads run.
func (g *gate) abandon() entry {
	for {
		s := g.state.Load()
		if e := admit(s); e != entered {
			return e
		}
		if g.state.CompareAndSwap(s, s|abandoned) {
			return entered
		}
	}
}

// discard ends a transaction that nobody commits, whatever runs in it; who runs
// there leaves as usual.
func (g *gate) discard() {
	if g.open() {
		g.state.Or(abandoned)
	}
}

// open reports whether the transaction has not ended.
func (g *gate) open() bool { return g.state.Load()&gateEnded == 0 }

// outcome returns what became of an ended transaction, Unknown of one that lives.
func (g *gate) outcome() Outcome { return Outcome(g.state.Load() >> gateOutcome) }

// admit says whether a read may enter.
func admit(state uint64) entry {
	switch {
	case state&gateEnded != 0:
		return closed
	case state&gateBusy != 0:
		return occupied
	}
	return entered
}
