package sm

import "github.com/tikvx/tikvx/ports"

// EffectKind says what a machine wants done.
type EffectKind uint8

// The effects. Those with a token are answered by exactly one event each.
const (
	// EffectSend submits Request to To (Reply, Lost or Unsent).
	EffectSend EffectKind = iota
	// EffectTimestamp asks the oracle (Timestamp or Refused).
	EffectTimestamp
	// EffectArm wants a Timer event at At.
	EffectArm
	// EffectQuery asks PD (Placed or Refused).
	EffectQuery
	// EffectProbe probes the store at To (Probed).
	EffectProbe
	// EffectAsk puts Ask to the table that it belongs to (Tell).
	EffectAsk
	// EffectLearn gives Fact to the tables. Not answered.
	EffectLearn
	// EffectTell answers Waiter with Tell. Not answered.
	EffectTell
	// EffectForget closes the connections to To. Not answered.
	EffectForget
	// EffectAnswer releases the caller; the machine's result can be read now.
	EffectAnswer
)

// Effect is one wish of a machine; only the fields that its kind names are set.
// Pointers are valid until the pump has performed the effect.
type Effect struct {
	Kind    EffectKind
	Tok     ports.Tok
	To      ports.Endpoint
	Header  *ports.Header
	Request ports.Request
	// At is the instant of Arm and the deadline of every other answered effect.
	At    ports.Instant
	Query *ports.Query
	Ask   *ports.Ask
	Fact  *ports.Fact
	Cause ports.Cause
	// Waiter belongs to Tell.
	Waiter ports.Waiter
	// Pause names the backoff for observers; empty when the timer is no backoff.
	Pause string
}

// Effects is the list to which machines append. It belongs to the pump, which
// reuses it; a machine never reads it.
type Effects struct {
	List []Effect
}

// Reset empties the list and keeps its memory.
func (o *Effects) Reset() {
	clear(o.List)
	o.List = o.List[:0]
}

func (o *Effects) add() *Effect {
	if len(o.List) < cap(o.List) {
		o.List = o.List[:len(o.List)+1]
	} else {
		o.List = append(o.List, Effect{})
	}
	return &o.List[len(o.List)-1]
}

// Send submits a request; hdr and req must stay in place until the pump is done.
func (o *Effects) Send(tok ports.Tok, to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant) {
	e := o.add()
	e.Kind, e.Tok, e.To, e.Header, e.Request, e.At = EffectSend, tok, to, hdr, req, deadline
}

// Timestamp asks the oracle.
func (o *Effects) Timestamp(tok ports.Tok, deadline ports.Instant) {
	e := o.add()
	e.Kind, e.Tok, e.At = EffectTimestamp, tok, deadline
}

// Arm wants a timer; pause names the backoff that it serves, "" for none.
func (o *Effects) Arm(tok ports.Tok, at ports.Instant, pause string) {
	e := o.add()
	e.Kind, e.Tok, e.At, e.Pause = EffectArm, tok, at, pause
}

// Query asks PD.
func (o *Effects) Query(tok ports.Tok, q *ports.Query, deadline ports.Instant) {
	e := o.add()
	e.Kind, e.Tok, e.Query, e.At = EffectQuery, tok, q, deadline
}

// Probe asks whether a store serves.
func (o *Effects) Probe(tok ports.Tok, to ports.Endpoint, deadline ports.Instant) {
	e := o.add()
	e.Kind, e.Tok, e.To, e.At = EffectProbe, tok, to, deadline
}

// Ask puts a question to a table; the pump fills in ask.Waiter's operation.
func (o *Effects) Ask(tok ports.Tok, ask *ports.Ask) {
	e := o.add()
	e.Kind, e.Tok, e.Ask, e.At = EffectAsk, tok, ask, ask.Deadline
}

// Learn gives a fact to the tables.
func (o *Effects) Learn(fact *ports.Fact) {
	e := o.add()
	e.Kind, e.Fact = EffectLearn, fact
}

// Tell answers a waiter; a cause other than CauseNone says that the answer could
// not be had.
func (o *Effects) Tell(w ports.Waiter, cause ports.Cause) {
	e := o.add()
	e.Kind, e.Waiter, e.Cause = EffectTell, w, cause
}

// Forget closes the connections to an endpoint.
func (o *Effects) Forget(to ports.Endpoint) {
	e := o.add()
	e.Kind, e.To = EffectForget, to
}

// Answer releases the caller.
func (o *Effects) Answer() { o.add().Kind = EffectAnswer }
