package load

import (
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// longestLife is the longest that a raw value is given, belated bounds how long after it has left its client a request
// can arrive once more.
const (
	longestLife = 3 * time.Second
	belated     = 10 * time.Second
)

// rawValues are all values that were ever written to raw keys, each of them once, and what may be seen of them.
type rawValues struct {
	world *sim.World
	known map[string]*rawValue
	// mine are the newest values of keys that one task alone writes; empty for ever after a write of which nothing is
	// known, which may arrive at any time.
	mine map[int]string
	// lies are wrong in any case, early only if no request can have arrived twice.
	lies, early []string
}

// rawValue is one value.
type rawValue struct {
	key          int
	life         time.Duration
	began, ended ports.Instant
	outcome      app.Outcome
	// seen: some key showed it, until the instant seenBy.
	seen   bool
	seenBy ports.Instant
}

func (r *rawValues) report(format string, args ...any) {
	r.lies = append(r.lies, fmt.Sprintf(format, args...))
}

// begin keeps a value that is about to be written.
func (r *rawValues) begin(text string, v rawValue) { r.known[text] = &v }

// end keeps what became of it.
func (r *rawValues) end(text string, outcome app.Outcome, at ports.Instant) {
	v := r.known[text]
	if v == nil {
		return // a deletion
	}
	v.ended, v.outcome = at, outcome
	if v.life > 0 {
		if r.mine == nil {
			r.mine = map[int]string{}
		}
		if last, written := r.mine[v.key]; outcome == app.Unknown || written && last == "" {
			r.mine[v.key] = ""
		} else if outcome == app.Applied {
			r.mine[v.key] = text
		}
	}
	if v.seen && outcome == app.NotApplied {
		r.report("%q was seen, and told not to be applied", text)
	}
}

// saw holds what a key showed, in a call that began at an instant, against what was written.
func (r *rawValues) saw(key int, text string, began ports.Instant) {
	if text == "" {
		return
	}
	v := r.known[text]
	switch {
	case v == nil || v.key != key:
		r.report("key %d shows %q, which nobody wrote to it", key, text)
		return
	case v.ended != 0 && v.outcome == app.NotApplied:
		r.report("key %d shows %q, which was told not to be applied", key, text)
	case v.life > 0 && v.ended != 0 && v.outcome == app.Applied && began > v.ended.Add(v.life):
		if began > v.ended.Add(v.life+belated) {
			r.report("key %d shows %q, whose life of %v is over", key, text, v.life)
		} else {
			r.early = append(r.early, fmt.Sprintf("key %d shows %q, whose life of %v is over", key, text, v.life))
		}
	}
	if now := r.world.Now(); !v.seen {
		v.seen, v.seenBy = true, now
	}
}

// own holds what a mortal key shows to the one task that writes it against what it wrote last. Stores count whole
// seconds, so that the last one of a life may be missing.
func (r *rawValues) own(key int, text string, at ports.Instant) {
	last := r.known[r.mine[key]]
	switch {
	case last == nil || text == r.mine[key]:
	case text != "":
		r.early = append(r.early, fmt.Sprintf("key %d shows %q instead of %q", key, text, r.mine[key]))
	case at < last.began.Add(last.life-time.Second):
		r.early = append(r.early, fmt.Sprintf("key %d has lost %q before its time", key, r.mine[key]))
	}
}

// left holds how long a mortal key is said to live against what its task wrote to it last.
func (r *rawValues) left(key int, left time.Duration) {
	last := r.known[r.mine[key]]
	switch {
	case left <= 0 || left > longestLife:
		r.report("key %d has %v left to live", key, left)
	case last != nil && left > last.life:
		r.early = append(r.early, fmt.Sprintf("key %d has %v left of the %v of %q", key, left, last.life, r.mine[key]))
	}
}

// repeated reports whether a raw write can have been applied twice: it was sent or delivered twice.
func (r *rawValues) repeated() bool {
	if r.world == nil {
		return true
	}
	counts := r.world.Counts()
	for f := range sim.Fault(sim.NumFaults) {
		if counts[f] > 0 && !slices.Contains(harmless, f) {
			return true
		}
	}
	return false
}

// harmless are the faults because of which nothing is sent or delivered twice.
var harmless = []sim.Fault{
	sim.FaultDial, sim.FaultBusy, sim.FaultSplit, sim.FaultOracleGap, sim.FaultOracleSlow, sim.FaultStalePD,
	sim.FaultGapPD, sim.FaultSilentPD, sim.FaultRestartPD,
}

func (r *rawValues) wrong() []string {
	if r.repeated() {
		return r.lies
	}
	return slices.Concat(r.lies, r.early)
}

// definite returns the calls on keys that live for ever, without what an order need not explain: a write without an
// answer whose value nobody saw may as well not have happened, and one that was seen had happened by then. A key of
// which a deletion has no answer is left out: it may have happened at any time.
func (r *rawValues) definite(ops []RegisterOp) []RegisterOp {
	var open [rawFamilies * perFamily]bool
	for _, op := range ops {
		if op.Unknown && op.New == "" {
			open[op.Register] = true
		}
	}
	var list []RegisterOp
	for _, op := range ops {
		if op.Register >= rawMortal*perFamily || open[op.Register] {
			continue
		}
		if op.Unknown && op.Kind == RegisterWrite {
			v := r.known[op.New]
			if !v.seen {
				continue
			}
			op.Unknown, op.Ended = false, v.seenBy
		}
		list = append(list, op)
	}
	return list
}
