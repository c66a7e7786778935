package run

import (
	"cmp"
	_ "embed" // the triples that are known to be reached
	"fmt"
	"slices"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// Triple is a machine in a state that is given an event.
type Triple struct {
	Machine, State string
	Kind           ports.EventKind
}

var kindNames = [ports.EventKinds]string{
	ports.EventStart: "Start", ports.EventReply: "Reply", ports.EventLost: "Lost", ports.EventUnsent: "Unsent",
	ports.EventTimer: "Timer", ports.EventTimestamp: "Timestamp", ports.EventPlaced: "Placed",
	ports.EventRefused: "Refused", ports.EventProbed: "Probed", ports.EventCancel: "Cancel", ports.EventAsk: "Ask",
	ports.EventTell: "Tell", ports.EventLearn: "Learn", ports.EventSweep: "Sweep",
}

// String prints "txn.Commit/deciding Reply".
func (t Triple) String() string { return t.Machine + "/" + t.State + " " + kindNames[t.Kind] }

// Coverage is how often each triple was met.
type Coverage map[Triple]uint64

// visits counts, as an [sm.Visitor], what is met. A triple is counted in its cell, where comparing names that are the
// same string costs next to nothing, until another needs that cell.
type visits struct {
	cells  [1024]visited
	before Coverage
}

type visited struct {
	triple Triple
	times  uint64
}

// Visit implements [sm.Visitor].
func (v *visits) Visit(machine, state string, kind ports.EventKind) {
	at := uint(kind) + 16*uint(len(state)) + 64*uint(len(machine))
	if len(machine) > 0 && len(state) > 0 {
		at += 37*uint(machine[len(machine)-1]) + 101*uint(state[0]) + 13*uint(state[len(state)-1])
	}
	cell, t := &v.cells[at%uint(len(v.cells))], Triple{machine, state, kind}
	if cell.triple != t {
		v.clear(cell)
		cell.triple = t
	}
	cell.times++
}

// clear makes room in a cell.
func (v *visits) clear(cell *visited) {
	if cell.times == 0 {
		return
	}
	if v.before == nil {
		v.before = Coverage{}
	}
	v.before[cell.triple] += cell.times
	*cell = visited{}
}

// coverage returns what was counted so far.
func (v *visits) coverage() Coverage {
	for i := range v.cells {
		v.clear(&v.cells[i])
	}
	return v.before
}

// Add adds what another run covered.
func (c Coverage) Add(o Coverage) {
	for t, n := range o {
		c[t] += n
	}
}

// String lists the triples, a line each.
func (c Coverage) String() string {
	var list []Triple
	for t := range c {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Triple) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.State, b.State), cmp.Compare(a.Kind, b.Kind))
	})
	var b strings.Builder
	for _, t := range list {
		fmt.Fprintln(&b, t)
	}
	return b.String()
}

//go:embed testdata/triples.txt
var reachable string

// Unreached returns the triples that longer runs have met and this coverage has not.
func (c Coverage) Unreached() []string {
	met := map[string]bool{}
	for t := range c {
		met[t.String()] = true
	}
	var list []string
	for line := range strings.Lines(reachable) {
		if t := strings.TrimSpace(line); t != "" && !met[t] {
			list = append(list, t)
		}
	}
	return list
}

// columns shows the data of a world to checkers.
type columns struct{ world *sim.World }

// Lock implements [check.Columns].
func (c columns) Lock(key []byte) *mvcc.Lock { return c.world.Lock(key) }

// Writes implements [check.Columns].
func (c columns) Writes(key []byte) []mvcc.Write { return c.world.Engine().Writes(key) }
