// Package sm is the contract between state machines and whatever runs them.
//
// A machine is a plain value. [Machine.Step] takes one event, moves the machine
// and appends what it wants done to a caller-owned list of [Effect] values; the
// runner performs them on the ports and brings each answer back as an event. Time
// comes with the event, randomness from [Env.Rand], shared knowledge from the
// immutable views in [Env]. Nothing in a machine blocks, allocates goroutines or
// looks at a clock, so the same machine runs in production, in the simulator and
// in an exhaustive search.
//
// # Rules of the idiom
//
// Total: every kind of event is legal in every state; what nobody waits for is
// ignored. Deterministic: same state, environment and event, same result.
//
// Nesting: a parent holds its children as fields. It takes an event's hop with
// [Env.Hop], steps the child between [Env.Enter] and [Env.Leave], asks whether
// the child is done, and switches exhaustively over its result. Children never
// call their parents.
//
// Waiting: [Env.Token] returns a fresh token; the machine keeps its Gen and
// compares it with the event's. Generations are numbered for the whole operation
// and never used twice, so late and duplicate answers die without a trace.
//
// Answering is not finishing: [Effects.Answer] releases the caller; Done frees
// the machine.
//
// Deadlines: each wait is bounded by the effect's own deadline, so an event
// always comes; a machine compares event.Now with its deadline when it does.
package sm

import "github.com/tikvx/tikvx/ports"

// Machine is the part of the contract that a runner needs. The others are
// CloneInto (see [Cloneable]) and the rules above.
type Machine interface {
	// Step moves the machine by one event. The event and its reply are lent.
	Step(env *Env, ev *ports.Event, out *Effects)
	// Done reports that the machine will emit nothing more and may be reused.
	Done() bool
	// Fingerprint writes every field that decides future behaviour.
	Fingerprint(h *Hash)
	// String names the state and what is awaited, without keys or values.
	String() string
}

// Cloneable is a machine type whose values can be copied deeply: after
// m.CloneInto(dst) nothing that happens to one shows in the other. dst may hold an
// earlier value, whose memory is reused where that is safe.
type Cloneable[T any] interface {
	*T
	Machine
	CloneInto(dst *T)
}
