package explore

import (
	"fmt"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// Fault is a class of misfortunes. A configuration says how many of each may happen.
type Fault uint8

// The faults.
const (
	// Lose: a request or its reply is lost for its sender. The request may still be executed, or have been.
	Lose Fault = iota
	// Duplicate: a request that is executed may be executed once more, at any time after; only the first answers.
	Duplicate
	// Crash: a client vanishes. What it has sent and what it has locked stays.
	Crash
	// Split: a region is cut at Config.SplitAt.
	Split
	// Transfer: another peer becomes the leader of a region.
	Transfer
	// Expire: the oracle leaps beyond the life of every lock.
	Expire
	// Cancel: a client's caller does not wait any more.
	Cancel
	// Late: the deadline of a client's operation passes.
	Late
	faults
)

var faultNames = [faults]string{"lose", "duplicate", "crash", "split", "transfer", "expire", "cancel", "late"}

// String implements [fmt.Stringer].
func (f Fault) String() string { return faultNames[f] }

// Budget is the number of times that each fault may happen.
type Budget [faults]uint8

// String names the faults of the budget.
func (b Budget) String() string {
	var names []string
	for f, n := range b {
		switch n {
		case 0:
		case 1:
			names = append(names, faultNames[f])
		default:
			names = append(names, fmt.Sprintf("%d %s", n, faultNames[f]))
		}
	}
	if len(names) == 0 {
		return "calm"
	}
	return strings.Join(names, "+")
}

// OpKind is what an operation does.
type OpKind uint8

// The operations.
const (
	// Write puts to every key a value made of the transaction's start, and commits.
	Write OpKind = iota
	// Get reads each of the keys, one after the other.
	Get
	// BatchGet reads the keys at once.
	BatchGet
)

// Op is one operation of a program.
type Op struct {
	Kind OpKind
	Keys []string
}

// Program is what a client does: it begins a transaction, then performs the operations one after the other, all at
// the transaction's start. At most one operation writes.
type Program struct {
	Name string
	Ops  []Op
}

func (p *Program) written() []string {
	for _, op := range p.Ops {
		if op.Kind == Write {
			return op.Keys
		}
	}
	return nil
}

// Config is one configuration to be searched. Clients whose programs have the same name can be exchanged.
type Config struct {
	Name    string
	Clients []Program
	// Bounds are the keys at which regions begin, but for the first region.
	Bounds []string
	// SplitAt is where a split cuts; empty without splits.
	SplitAt string
	// Peers is the number of peers of a region, each on a store of its own: 1 or 2.
	Peers  int
	Budget Budget
	// Polls is how often each client may look again at a lock in its way while others can act.
	Polls uint8
	// Beats is how often each client may send a heartbeat.
	Beats uint8
	// Limit is the number of distinct states at which the search gives up; 0 is none.
	Limit int

	// plain switches every reduction off, forgetful works each step out anew.
	plain, forgetful bool
	// store executes a request; tests break it. Nil is the real one.
	store func(e *mvcc.Engine, x mvcc.Extent, hdr *ports.Header, req ports.Request) ports.Reply
	// event changes what a client is told; tests break it.
	event func(ev *ports.Event)
}
