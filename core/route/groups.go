package route

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Group is a run of sorted keys that lie in one region: keys[From:To].
type Group struct {
	Region   ports.RegionVersion
	From, To int
}

// Groups splits sorted user keys by region. It asks the table for what the view
// lacks, each time for all the rest, so that one load serves many keys.
//
//	idle ──Start──▶ asking ──told──▶ (go on) ──▶ done
//	                   ▲                │
//	                   └──key unknown───┘      refused, cancel: done with a failure
//
// A child machine. Not safe for concurrent use.
type Groups struct {
	state groupsState
	wait  uint32
	keys  [][]byte `fp:"shared"`
	// stale is a region version that failed: its keys go to something newer.
	stale    ports.RegionVersion
	deadline ports.Instant
	list     []Group
	failure  sm.Failure
}

type groupsState uint8

const (
	groupsIdle groupsState = iota
	groupsAsking
	groupsDone
)

var groupsStates = [...]string{groupsIdle: "idle", groupsAsking: "asking", groupsDone: "done"}

// Start begins to split keys, which are borrowed until the next Start. stale,
// when set, is the region version that failed: keys are grouped by something
// newer. Afterwards the machine may be Done at once.
func (g *Groups) Start(env *sm.Env, now ports.Instant, keys [][]byte, stale ports.RegionVersion,
	deadline ports.Instant, out *sm.Effects) {
	g.Forget()
	g.keys, g.stale, g.deadline = keys, stale, deadline
	g.advance(env, now, out)
}

// Forget drops the keys, and keeps memory for the next Start.
func (g *Groups) Forget() {
	list := g.list[:0]
	*g = Groups{} // in place, without a copy
	g.list = list
}

// Step moves the machine by one event.
func (g *Groups) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("route.Groups", groupsStates[g.state], ev.Kind)
	switch g.state {
	case groupsAsking:
		g.onAsking(env, ev, out)
	case groupsIdle, groupsDone:
	}
}

func (g *Groups) onAsking(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	switch {
	case ev.Kind == ports.EventCancel:
		g.finish(sm.Failure{Code: sm.FailCancelled})
		return
	case ev.Kind != ports.EventTell || ev.Tok.Gen != g.wait:
		return
	}
	switch ev.Cause.Kind {
	case ports.CauseNone:
		g.advance(env, ev.Now, out)
	case ports.CauseClosed, ports.CauseRejected:
		g.finish(sm.Failure{Code: sm.FailRejected, Cause: ev.Cause})
	case ports.CauseMalformed:
		g.finish(sm.Failure{Code: sm.FailProtocol, Cause: ev.Cause})
	case ports.CauseTimeout, ports.CauseConnection, ports.CauseNotFound, ports.CauseHung:
		if g.stale == (ports.RegionVersion{}) || ev.Now >= g.deadline {
			g.finish(sm.Failure{Code: sm.FailDeadline, Cause: ev.Cause})
			return
		}
		// PD may never hear of anything newer: the stale version is what there is.
		g.stale = ports.RegionVersion{}
		g.advance(env, ev.Now, out)
	}
}

// advance groups keys until one is met whose region is not known.
func (g *Groups) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	from := 0
	if n := len(g.list); n > 0 {
		from = g.list[n-1].To
	}
	for from < len(g.keys) {
		r := env.Locate(g.keys[from], now)
		if r == nil || g.failed(r) {
			g.ask(env, now, from, r, out)
			return
		}
		to := from + g.reach(env, g.keys[from:], r.Range.End)
		g.list = append(g.list, Group{Region: r.RegionVersion, From: from, To: to})
		from = to
	}
	g.finish(sm.Failure{})
}

// failed reports whether an entry is the stale version or one before it. Of other
// regions nothing is known: not all keys need lie where the stale one was.
func (g *Groups) failed(r *sm.Region) bool {
	return r.ID == g.stale.ID && !r.Epoch.Newer(g.stale.Epoch)
}

// reach returns how many of the keys, the first of which lies in a region, lie
// below the region's end: one step, two, four, …, then halving what is left.
func (g *Groups) reach(env *sm.Env, keys [][]byte, end []byte) int {
	in, step := 1, 1
	for in+step <= len(keys) && beforeEnd(env.RegionKey(keys[in+step-1]), end) {
		in, step = in+step, step*2
	}
	out := min(in+step-1, len(keys))
	for in < out {
		mid := int(uint(in+out) >> 1)
		if beforeEnd(env.RegionKey(keys[mid]), end) {
			in = mid + 1
		} else {
			out = mid
		}
	}
	return in
}

// ask asks the table for the region of a key, in place of r if that is the stale
// one, and, if there are more keys, for those up to the last.
func (g *Groups) ask(env *sm.Env, now ports.Instant, from int, r *sm.Region, out *sm.Effects) {
	if now >= g.deadline {
		g.finish(sm.Failure{Code: sm.FailDeadline})
		return
	}
	ask := &ports.Ask{
		Kind: ports.AskRegion, Key: slices.Clone(env.RegionKey(g.keys[from])), Deadline: g.deadline,
	}
	if r != nil {
		ask.Newer, ask.Deadline = g.stale, min(g.deadline, now.Add(newerTime))
	}
	if last := len(g.keys) - 1; last > from {
		ask.Until = slices.Clone(env.RegionKey(key.Next(g.keys[last])))
	}
	g.state = groupsAsking
	tok := env.Token()
	g.wait, ask.Waiter.Tok = tok.Gen, tok
	out.Ask(tok, ask)
}

func (g *Groups) finish(f sm.Failure) {
	g.state, g.wait, g.failure = groupsDone, 0, f
}

// Done reports that the keys are split, or that Failure says why not.
func (g *Groups) Done() bool { return g.state == groupsDone }

// Failure returns why the keys could not be split; its zero value if they were.
func (g *Groups) Failure() *sm.Failure { return &g.failure }

// List returns the groups in key order, valid until the next Start.
func (g *Groups) List() []Group { return g.list }

// CloneInto implements [sm.Cloneable].
func (g *Groups) CloneInto(dst *Groups) {
	list := append(dst.list[:0], g.list...)
	*dst = *g
	dst.list = list
}

// Fingerprint implements [sm.Machine].
func (g *Groups) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(g.state))
	h.Gen(g.wait)
	h.Keys(g.keys)
	h.Version(g.stale)
	h.Instant(g.deadline)
	h.Int(len(g.list))
	for _, group := range g.list {
		h.Version(group.Region)
		h.Int(group.From)
		h.Int(group.To)
	}
	g.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (g *Groups) String() string {
	return fmt.Sprintf("route.Groups %s: %d keys, %d groups", groupsStates[g.state], len(g.keys), len(g.list))
}
