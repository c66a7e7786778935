package route

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

const (
	// settleTime bounds what a call waits for while a region may be electing a
	// leader: for PD, for a store that is probably dead, and between two rounds.
	settleTime = 500 * time.Millisecond
	// newerTime bounds the wait for a region that is newer than one that failed.
	// After it the old one is tried again: PD may never hear of a newer one.
	newerTime = 5 * time.Second
	// manyAsks is the number of answers of tables, without an attempt between
	// them, after which a call pauses before it asks again.
	manyAsks = 4
)

// locate finds the region to use. It returns false when the call has to wait for
// one, or is finished.
func (c *Call) locate(env *sm.Env, now ports.Instant, out *sm.Effects) bool {
	key := c.encode(env)
	view := c.find(env, key, now)
	r := c.better(view)
	switch {
	case r == nil && c.asks >= manyAsks:
		c.asks = 0
		c.pause(env, now, backoff.RegionMiss, 0, out)
		return false
	case r == nil:
		c.ask(env, now, key, view, out)
		return false
	case c.spec.By == ByRegion && r.RegionVersion != c.spec.Region:
		c.regroup()
		return false
	}
	c.adopt(r)
	return true
}

// encode returns the key in PD's key space, in the environment's scratch memory.
func (c *Call) encode(env *sm.Env) []byte {
	switch c.spec.By {
	case ByKey, ByRegion:
		env.Scratch = env.Codec.RegionKey(env.Scratch[:0], c.spec.Key)
	case ByEnd:
		env.Scratch = env.Codec.RegionBound(env.Scratch[:0], c.spec.Key)
	case ByBound:
		env.Scratch = append(env.Scratch[:0], c.spec.Key...)
	}
	return env.Scratch
}

// fromEnd reports whether the region is found from its end.
func (c *Call) fromEnd() bool { return c.spec.By == ByEnd || c.spec.By == ByBound }

func (c *Call) find(env *sm.Env, key []byte, now ports.Instant) *sm.Region {
	if c.fromEnd() {
		return env.Regions.FindByEnd(key, now)
	}
	return env.Regions.Find(key, now)
}

// better returns the better of the view's entry and what the call has learnt
// itself, nil when neither can be used.
func (c *Call) better(view *sm.Region) *sm.Region {
	if view != nil && (view == c.avoid || !newer(view.RegionVersion, c.newer)) {
		view = nil
	}
	if c.learnt == nil {
		return view
	}
	if view == nil || view.RegionVersion != c.learnt.RegionVersion &&
		newer(c.learnt.RegionVersion, view.RegionVersion) {
		return c.learnt
	}
	c.learnt = nil
	return view
}

// ask asks the region table. An entry that must not be used again is reported
// first: the table handles the two in this order.
func (c *Call) ask(env *sm.Env, now ports.Instant, key []byte, view *sm.Region, out *sm.Effects) {
	ask := &ports.Ask{Kind: ports.AskRegion, Key: slices.Clone(key), Deadline: c.spec.Deadline}
	if c.fromEnd() {
		ask.Kind = ports.AskRegionByEnd
	}
	switch {
	case c.newer != ports.RegionVersion{}:
		ask.Newer, ask.Deadline = c.newer, min(ask.Deadline, now.Add(newerTime))
	case c.region != nil:
		ask.Deadline = min(ask.Deadline, now.Add(settleTime))
	}
	if view != nil && view == c.avoid {
		learn(ports.Fact{Kind: ports.FactRegionGone, Region: view.RegionVersion, Key: view.Range.Start}, out)
	}
	c.asks++
	c.state = callLocating
	tok := c.token(env)
	ask.Waiter.Tok = tok
	out.Ask(tok, ask)
}

func (c *Call) onLocating(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind != ports.EventTell {
		return
	}
	c.avoid = nil
	switch ev.Cause.Kind {
	case ports.CauseNone:
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
		c.refused(ev.Cause)
		return
	case ports.CauseTimeout, ports.CauseConnection, ports.CauseNotFound, ports.CauseHung:
		c.cause = ev.Cause
		c.newer = ports.RegionVersion{}
		if c.region == nil && ev.Now < c.spec.Deadline {
			c.pause(env, ev.Now, backoff.PDRPC, 0, out)
			return
		}
		// PD says nothing new: what the stores say still counts.
		c.learnt = c.region
	}
	c.route(env, ev.Now, out)
}

// refused ends the call because of an answer that no retry changes.
func (c *Call) refused(cause ports.Cause) {
	c.cause = cause
	if cause.Kind == ports.CauseMalformed {
		c.fail(sm.FailProtocol)
		return
	}
	c.fail(sm.FailRejected)
}

// regroup ends a call whose region version no longer serves.
func (c *Call) regroup() {
	c.state, c.wait = callFinished, 0
	c.result = Result{Kind: Regroup}
}

// adopt makes r the region in use. What happened to its peers in this round is
// kept; the table's belief about the leader is taken over only where it is news.
func (c *Call) adopt(r *sm.Region) {
	old := c.region
	if r == old {
		return
	}
	c.region = r
	switch {
	case old == nil || c.state != callFinished && len(c.tries) == 0 && c.round == round{}:
		// Time has passed since the last answer, if there was one: the table knows better.
		c.leading = r.Leading
		return
	case old.RegionVersion != r.RegionVersion:
		c.leading = r.Leading
		c.round = round{count: c.round.count, answered: c.round.answered}
	case r.Peers[r.Leading].ID != old.Peers[old.Leading].ID:
		c.leading = r.Leading
	default:
		c.leading = max(peerIndex(r.Peers, old.Peers[c.leading].ID), 0)
	}
	if len(c.tries) == 0 {
		return
	}
	kept := make([]try, len(r.Peers))
	for i, p := range r.Peers {
		if j := peerIndex(old.Peers, p.ID); j >= 0 && j < len(c.tries) {
			kept[i] = c.tries[j]
			if old.RegionVersion != r.RegionVersion {
				kept[i].notLeader, kept[i].suspect = false, false
			}
		}
	}
	c.tries = kept
}
