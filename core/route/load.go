package route

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Questions that no load may serve begin one while fewer than maxQueries queries
// are under way and fewer than maxLoads loads exist. Those beyond wait: most of
// them are served by what the loads before them bring.
const (
	maxQueries = 8
	maxLoads   = 64
)

// load is one query to PD with its retries. It lives as long as somebody waits for
// what it may bring.
type load struct {
	kind ports.QueryKind
	// key and end are what is asked for; end is used by QueryRegions only.
	key, end []byte `fp:"shared"`
	// gen is the query's generation, or that of the pause between two.
	gen     uint32
	pausing bool
	// fresh demands an answer of PD's leader: an earlier one was of no use.
	fresh bool
	// doubted: a region that the query covers was found gone after it was asked,
	// so that its answer may be what was found wrong.
	doubted bool
	retries backoff.Backoff
}

// covers reports whether a load may serve a question.
func (l *load) covers(ask *ports.Ask) bool {
	switch l.kind {
	case ports.QueryRegion:
		return ask.Kind == ports.AskRegion && bytes.Equal(ask.Key, l.key)
	case ports.QueryRegionByEnd:
		return ask.Kind == ports.AskRegionByEnd && bytes.Equal(ask.Key, l.key)
	case ports.QueryRegions:
		return ask.Kind == ports.AskRegion && bytes.Compare(l.key, ask.Key) <= 0 && beforeEnd(ask.Key, l.end)
	case ports.QueryStore, ports.QueryStores:
	}
	return false
}

// doubt notes that a region of the given range is not what PD last said.
func (l *load) doubt(rng ports.KeyRange) {
	touched := false
	switch l.kind {
	case ports.QueryRegion:
		touched = rng.Contains(l.key)
	case ports.QueryRegionByEnd:
		touched = holdsBelow(rng, l.key)
	case ports.QueryRegions:
		touched = overlap(rng, ports.KeyRange{Start: l.key, End: l.end})
	case ports.QueryStore, ports.QueryStores:
	}
	l.doubted = l.doubted || touched
}

// loadFor makes sure that a load is under way that may serve a question, unless as
// many as may be are.
func (t *RegionTable) loadFor(env *sm.Env, now ports.Instant, ask *ports.Ask, out *sm.Effects) {
	for i := range t.loads {
		if t.loads[i].covers(ask) {
			return
		}
	}
	if t.crowded() {
		return
	}
	l := load{kind: ports.QueryRegion, key: ask.Key, fresh: ask.Newer != ports.RegionVersion{} || t.distrusts(ask)}
	switch {
	case ask.Kind == ports.AskRegionByEnd:
		l.kind = ports.QueryRegionByEnd
	case ask.Until != nil && beforeEnd(ask.Key, ask.Until):
		l.kind, l.end = ports.QueryRegions, ask.Until
	}
	l.query(env, now, out)
	t.loads = append(t.loads, l)
}

// distrusts reports whether a question is about an entry that must not be used: what
// PD's followers say may be where it came from.
func (t *RegionTable) distrusts(ask *ports.Ask) bool {
	at, ok := t.index.chunks.floor(ask.Key)
	if ask.Kind == ports.AskRegionByEnd {
		at, ok = t.index.chunks.below(ask.Key)
	}
	return ok && gone(t.index.chunks.at(at))
}

// crowded reports whether no load may begin.
func (t *RegionTable) crowded() bool {
	queries := 0
	for i := range t.loads {
		if !t.loads[i].pausing {
			queries++
		}
	}
	return queries >= maxQueries || len(t.loads) >= maxLoads
}

// query asks PD.
func (l *load) query(env *sm.Env, now ports.Instant, out *sm.Effects) {
	q := &ports.Query{Kind: l.kind, Key: l.key, Fresh: l.fresh}
	if l.kind == ports.QueryRegions {
		q.End, q.Limit = l.end, max(env.Knobs.RegionsPerLoad, 1)
	}
	tok := env.Token()
	l.gen, l.pausing, l.doubted = tok.Gen, false, false
	out.Query(tok, q, now.Add(env.Knobs.PDTimeout))
}

// pause waits before the next query.
func (l *load) pause(env *sm.Env, now ports.Instant, kind backoff.Kind, out *sm.Effects) {
	tok := env.Token()
	l.gen, l.pausing, l.fresh = tok.Gen, true, true
	out.Arm(tok, now.Add(l.retries.Next(kind, &env.Rand, 0)), kind.String())
}

// awaited returns the load that awaits an event, -1 if none does.
func (t *RegionTable) awaited(ev *ports.Event, pausing bool) int {
	return slices.IndexFunc(t.loads, func(l load) bool { return l.gen == ev.Tok.Gen && l.pausing == pausing })
}

func (t *RegionTable) onPlaced(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, false)
	if i < 0 {
		return
	}
	l := &t.loads[i]
	reached, further := l.key, false
	for j := range ev.Regions {
		r := &ev.Regions[j]
		if l.doubted && t.foundGone(r) {
			continue
		}
		if !t.insert(env, ev.Now, r, r.Leader) {
			continue
		}
		// The answer reaches as far as its regions follow one another.
		if !r.Range.Contains(reached) {
			continue
		}
		reached, further = r.Range.End, true
		if len(reached) == 0 {
			break
		}
	}
	t.tellServed(ev.Now, out)
	key, wanted := t.wanted(i)
	switch {
	case !wanted:
		t.loads = slices.Delete(t.loads, i, i+1)
	case l.kind == ports.QueryRegions && further && len(reached) > 0 && bytes.Compare(reached, key) <= 0:
		// Nothing is wrong: the limit ended the answer before the key.
		l.key = key
		l.query(env, ev.Now, out)
	case l.doubted:
		l.fresh = true
		l.query(env, ev.Now, out)
	case slices.ContainsFunc(ev.Regions, func(r ports.Region) bool { return l.finds(&r, key) }):
		// PD has not heard yet of what is newer.
		l.resume(key)
		l.pause(env, ev.Now, backoff.RegionMiss, out)
	default:
		// PD knows no region there: it has a gap, or has just started.
		l.resume(key)
		l.pause(env, ev.Now, backoff.PDRPC, out)
	}
	t.loadRest(env, ev.Now, out)
}

// resume lets the next query of a range begin at a key.
func (l *load) resume(key []byte) {
	if l.kind == ports.QueryRegions {
		l.key = key
	}
}

// finds reports whether a region is the one that a load looks for at a key.
func (l *load) finds(r *ports.Region, key []byte) bool {
	if l.kind == ports.QueryRegionByEnd {
		return holdsBelow(r.Range, key)
	}
	return r.Range.Contains(key)
}

// foundGone reports whether the table knows that this very version of a region is
// not to be used before it has been loaded anew.
func (t *RegionTable) foundGone(r *ports.Region) bool {
	_, old := t.entry(&ports.Fact{Region: r.RegionVersion, Key: r.Range.Start})
	return old != nil && gone(old)
}

func (t *RegionTable) onRefused(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, false)
	if i < 0 {
		return
	}
	switch ev.Cause.Kind {
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
		// No retry mends it.
		t.refuse(&t.loads[i], ev.Cause, out)
		t.loads = slices.Delete(t.loads, i, i+1)
		t.loadRest(env, ev.Now, out)
	case ports.CauseNone, ports.CauseTimeout, ports.CauseConnection, ports.CauseNotFound, ports.CauseHung:
		t.loads[i].pause(env, ev.Now, backoff.PDRPC, out)
		t.settle(env, ev.Now, out)
	}
}

// refuse answers everybody whom a load was to serve.
func (t *RegionTable) refuse(l *load, cause ports.Cause, out *sm.Effects) {
	kept := t.waiters.list[:0]
	for _, ask := range t.waiters.list {
		if l.covers(&ask) {
			out.Tell(ask.Waiter, cause)
			continue
		}
		kept = append(kept, ask)
	}
	t.waiters.truncate(len(kept))
}

func (t *RegionTable) onLoadTimer(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	i := t.awaited(ev, true)
	if i < 0 {
		return
	}
	if _, wanted := t.wanted(i); !wanted {
		t.loads = slices.Delete(t.loads, i, i+1)
	} else {
		t.loads[i].query(env, ev.Now, out)
	}
	t.loadRest(env, ev.Now, out)
}

// settle answers whom the table can serve, ends pauses for nobody, and loads for
// the rest.
func (t *RegionTable) settle(env *sm.Env, now ports.Instant, out *sm.Effects) {
	t.tellServed(now, out)
	for i := len(t.loads) - 1; i >= 0; i-- {
		if _, wanted := t.wanted(i); !wanted && t.loads[i].pausing {
			t.loads = slices.Delete(t.loads, i, i+1)
		}
	}
	t.loadRest(env, now, out)
}

// tellServed answers every question that the table can answer.
func (t *RegionTable) tellServed(now ports.Instant, out *sm.Effects) {
	kept := t.waiters.list[:0]
	for _, ask := range t.waiters.list {
		if t.served(&ask, now) {
			out.Tell(ask.Waiter, ports.Cause{})
			continue
		}
		kept = append(kept, ask)
	}
	t.waiters.truncate(len(kept))
}

// wanted returns the smallest key that somebody waits for and that only the load at
// an index may bring; false when there is none. Two loads that have come to the same
// key would ask PD for the same.
func (t *RegionTable) wanted(at int) ([]byte, bool) {
	var key []byte
	found := false
	for i := range t.waiters.list {
		ask := &t.waiters.list[i]
		if found && bytes.Compare(ask.Key, key) >= 0 || !t.loads[at].covers(ask) || t.coveredBeside(at, ask) {
			continue
		}
		key, found = ask.Key, true
	}
	return key, found
}

// coveredBeside reports whether another load than the one at an index may serve a
// question.
func (t *RegionTable) coveredBeside(at int, ask *ports.Ask) bool {
	for i := range t.loads {
		if i != at && t.loads[i].covers(ask) {
			return true
		}
	}
	return false
}

// loadRest starts loads for those whom none may serve.
func (t *RegionTable) loadRest(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for i := range t.waiters.list {
		if t.crowded() {
			return
		}
		t.loadFor(env, now, &t.waiters.list[i], out)
	}
}

// clone copies a load. Its keys are those of the question that began it, which
// nobody changes.
func (l *load) clone() load { return *l }

func (l *load) fingerprint(h *sm.Hash) {
	h.Uint(uint64(l.kind))
	h.Bytes(l.key)
	h.Bytes(l.end)
	h.Gen(l.gen)
	h.Bool(l.pausing)
	h.Bool(l.fresh)
	h.Bool(l.doubted)
	l.retries.Fingerprint(h)
}
