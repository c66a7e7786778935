package sm

import (
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// Env is what surrounds the machines of one operation: its generator, its token
// counter, the path to the machine that is being stepped, and read-only views of
// the shared tables. The runner refreshes the views before each step.
//
// An Env belongs to one operation and is cloned with it by value.
type Env struct {
	// Rand is the operation's generator; the host seeds it.
	Rand Rand
	// Codec translates between user keys and PD's key space.
	Codec key.Codec
	// Knobs are the client's limits; shared and immutable.
	Knobs *Knobs
	// Regions, Stores and Txns are immutable snapshots of the tables.
	Regions RegionView
	Stores  StoreView
	Txns    TxnView
	// Clock is the newest timestamp that the client has seen, with the instant at
	// which it arrived; zero before the first.
	Clock Clock
	// Visitor counts visited transitions; nil in production.
	Visitor Visitor
	// Scratch is memory for keys in PD's key space, valid until the next use.
	Scratch []byte

	gen   uint32
	addr  ports.Addr
	depth int
}

// Clock is a timestamp with the instant of its arrival.
type Clock struct {
	TS ports.Timestamp
	At ports.Instant
}

// Visitor counts (machine, state, event) triples, for coverage in simulation.
type Visitor interface {
	Visit(machine, state string, kind ports.EventKind)
}

// Visit reports a transition. Each Step begins with it.
func (e *Env) Visit(machine, state string, kind ports.EventKind) {
	if e.Visitor != nil {
		e.Visitor.Visit(machine, state, kind)
	}
}

// Token returns a fresh token for the machine that is being stepped.
func (e *Env) Token() ports.Tok {
	e.gen++
	return ports.Tok{Addr: e.addr, Gen: e.gen}
}

// Gen returns the generation of the newest token. Whoever uses an operation again remembers it: tokens up to it were
// given out in a former life.
func (e *Env) Gen() uint32 { return e.gen }

// Hop returns the child for which the event is meant, 0 when it is meant for the
// machine that is being stepped. Children are therefore numbered from 1.
func (e *Env) Hop(ev *ports.Event) uint8 { return ev.Tok.Addr.Hop(e.depth) }

// Enter makes the child with the given hop (1 to 255) the machine being stepped.
func (e *Env) Enter(hop uint8) {
	e.addr = e.addr.With(e.depth, hop)
	e.depth++
}

// Leave makes the parent the machine being stepped again.
func (e *Env) Leave() {
	e.depth--
	e.addr &= 1<<(8*e.depth) - 1
}

// RegionKey encodes a user key into Scratch as PD knows it.
func (e *Env) RegionKey(user []byte) []byte {
	e.Scratch = e.Codec.RegionKey(e.Scratch[:0], user)
	return e.Scratch
}

// Locate returns the usable region that holds the user key, nil when the table
// has none and must be asked.
func (e *Env) Locate(user []byte, now ports.Instant) *Region {
	return e.Regions.Find(e.RegionKey(user), now)
}
