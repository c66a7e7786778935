package load

import "github.com/tikvx/tikvx/ports"

// Registers is a workload whose calls can be put into one order.
type Registers interface{ Calls() []RegisterOp }

// RegisterOp is one call on a register, a raw key or one of transactions, as its client saw it.
type RegisterOp struct {
	Register int
	// Kind says which of the others are set.
	Kind RegisterKind
	// Old and New belong to a swap, New to a write; empty means absent.
	Old, New string
	// Found is what was read, or what a swap found; empty means absent.
	Found   string
	Swapped bool
	// Unknown: no answer came; what was to be written may have been at any time since.
	// NotApplied: it never will.
	Unknown, NotApplied bool
	Client              int
	Began, Ended        ports.Instant
}

// RegisterKind says what is done to a register.
type RegisterKind uint8

// The calls.
const (
	RegisterRead RegisterKind = iota
	RegisterSwap
	RegisterWrite
)
