package route

import (
	"slices"
	"time"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

const (
	// leaderAttempts and leaderTime bound what a round spends on the peer that is
	// believed to lead (client-go: 10 attempts, 50 s).
	leaderAttempts = 10
	leaderTime     = 50 * time.Second
	// busyDoubts is the number of plain ServerIsBusy answers from which on the
	// others are asked, after each, whether the peer leads at all: a store can be
	// busy before it gets to the question (tikv: src/read_pool.rs, before the Raft
	// check).
	busyDoubts = 2
	// desperateRounds is the number of rounds after which a read is sent to a
	// store that probes call dead, though others answer.
	desperateRounds = 4
)

// try is what happened to one peer in the present round.
type try struct {
	attempts uint8
	// spent is the time that its attempts have taken.
	spent time.Duration
	// notLeader: it said so. failed: it gave no answer that counts. suspect: its
	// store is busy all the time; the others are asked whether it leads.
	notLeader, failed, suspect bool
	// confirmed: another peer named it as the leader.
	confirmed bool
	// owed is the instant until which its store demanded a pause. It is waited for
	// when the peer is picked again, or when nobody is left, but not on the way to
	// another peer.
	owed ports.Instant
}

// round is what a round knows of all its peers.
type round struct {
	// count numbers the rounds of a call.
	count uint8
	// answered: some peer gave an answer.
	answered bool
	// limit bounds the next attempt when it goes to a store that is probably dead.
	limit time.Duration
	// busies counts plain busy answers of busyPeer while it was believed to lead, up
	// to busyDoubts; later rounds go on counting.
	busies   uint8
	busyPeer ports.PeerID
}

// at returns what happened to a peer; the zero try if nothing did.
func (c *Call) at(i int) try {
	if i < len(c.tries) {
		return c.tries[i]
	}
	return try{}
}

// try returns the record of a peer to change it.
func (c *Call) try(i int) *try {
	if n := len(c.region.Peers); len(c.tries) < n {
		c.tries = append(c.tries, make([]try, n-len(c.tries))...)
	}
	return &c.tries[i]
}

// standing is what the store view says about a peer's store.
type standing uint8

const (
	unresolved standing = iota
	reachable
	doubtful
	unreachable
	removed
)

func standingOf(s *sm.Store) standing {
	switch {
	case s == nil:
		return unresolved
	case s.State == ports.StoreTombstone || s.Address == "":
		return removed
	}
	switch s.Liveness {
	case sm.Reachable:
		return reachable
	case sm.Suspect:
		return doubtful
	case sm.Unreachable:
		return unreachable
	}
	return removed
}

// pick chooses a peer and makes the call Ready, or waits for what that takes.
func (c *Call) pick(env *sm.Env, now ports.Instant, out *sm.Effects) {
	i, desperate := c.choose(env)
	if i < 0 {
		c.endRound(env, now, out)
		return
	}
	s := env.Stores.Store(c.region.Peers[i].Store)
	if standingOf(s) == unresolved {
		c.resolve(env, now, i, out)
		return
	}
	if owed := c.at(i).owed; owed > now {
		c.pauseUntil(env, owed, backoff.ServerBusy, out)
		return
	}
	if desperate && !c.rested {
		c.pause(env, now, backoff.TiKVRPC, settleTime, out)
		return
	}
	c.round.limit = 0
	if desperate {
		c.round.limit = c.patience()
	}
	c.target, c.failEpoch = i, s.FailEpoch
	c.to = ports.Endpoint{Store: s.ID, Address: s.Address}
	c.state, c.wait = callReady, 0
}

// choose returns the index of the peer to ask next, -1 when nobody is left. It is
// desperate when it picks a store that is probably dead.
func (c *Call) choose(env *sm.Env) (i int, desperate bool) {
	if c.leads(env) {
		return c.leading, false
	}
	if i := c.another(env); i >= 0 {
		return i, false
	}
	lead := c.at(c.leading)
	if lead.suspect {
		return -1, false // nobody knows better: the busy store is waited for, and PD asked
	}
	if lead.attempts == 0 && !lead.notLeader && !lead.failed &&
		standingOf(env.Stores.Store(c.region.Peers[c.leading].Store)) == reachable {
		return c.leading, false // its store has failed since, but nobody else can be asked
	}
	return c.deadOne(env), true
}

// leads reports whether the peer that is believed to lead can be asked right away.
// Not so when its store has failed since the belief was formed: a peer elsewhere
// knows better whether leadership has moved, and answers sooner than a store that
// may be hung.
func (c *Call) leads(env *sm.Env) bool {
	t := c.at(c.leading)
	if t.attempts >= leaderAttempts || t.spent >= leaderTime || t.notLeader || t.failed || t.suspect {
		return false
	}
	s := env.Stores.Store(c.region.Peers[c.leading].Store)
	switch standingOf(s) {
	case unresolved:
		return true
	case reachable:
		return t.confirmed || c.leading != c.region.Leading || s.FailEpoch == c.region.FailEpoch
	case doubtful, unreachable, removed:
		return false
	}
	return false
}

// another returns a peer that has not been asked in this round and whose store is
// well, -1 if there is none. Of several, any: which one does not matter, as long
// as not all clients choose the same.
func (c *Call) another(env *sm.Env) int {
	best, unknown := -1, -1
	seen := uint64(0)
	for i := range c.region.Peers {
		if !c.eligible(i) || i == c.leading || c.at(i).attempts > 0 || c.isDown(i) {
			continue
		}
		switch standingOf(env.Stores.Store(c.region.Peers[i].Store)) {
		case unresolved:
			if unknown < 0 {
				unknown = i
			}
		case reachable:
			seen++
			if seen == 1 || env.Rand.Below(seen) == 0 {
				best = i
			}
		case doubtful, unreachable, removed:
		}
	}
	if best < 0 {
		return unknown
	}
	return best
}

// deadOne returns a peer on a store that is not known to be well, -1 if none is
// worth a try. While other peers answer, the region is electing a leader among
// them, and a request to a dead store would only be lost; but probes can be wrong,
// so that now and then a read finds out.
func (c *Call) deadOne(env *sm.Env) int {
	if c.round.answered && (c.spec.Write || c.round.count%desperateRounds != desperateRounds-1) {
		return -1
	}
	best, rank := -1, removed
	for i := range c.region.Peers {
		if !c.eligible(i) || c.at(i).attempts > 0 {
			continue
		}
		if s := standingOf(env.Stores.Store(c.region.Peers[i].Store)); s < rank {
			best, rank = i, s
		}
	}
	return best
}

// patience is how long an attempt may last that goes to a store of which probes say
// that it is dead. It must be short, for the store may be hung, but if probes are
// wrong about a store that is slow, requests must get through in the end.
func (c *Call) patience() time.Duration {
	if c.round.answered {
		return settleTime
	}
	return settleTime << min(c.round.count, 6)
}

// eligible reports whether a peer may be asked at all in this round.
func (c *Call) eligible(i int) bool {
	p, t := &c.region.Peers[i], c.at(i)
	return canLead(p) && (!p.Witness || i == c.leading) && !t.notLeader && !t.failed
}

func (c *Call) isDown(i int) bool { return slices.Contains(c.region.Down, c.region.Peers[i].ID) }

// resolve asks the store table for a peer's store.
func (c *Call) resolve(env *sm.Env, now ports.Instant, i int, out *sm.Effects) {
	c.target = i
	c.state = callResolving
	tok := c.token(env)
	out.Ask(tok, &ports.Ask{
		Kind: ports.AskStore, Store: c.region.Peers[i].Store, Waiter: ports.Waiter{Tok: tok},
		Deadline: min(c.spec.Deadline, now.Add(env.Knobs.PDTimeout)),
	})
}

func (c *Call) onResolving(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind != ports.EventTell {
		return
	}
	switch ev.Cause.Kind {
	case ports.CauseNone:
		if c.asks++; c.asks < manyAsks {
			break
		}
		c.asks = 0
		c.try(c.target).failed = true
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
		c.refused(ev.Cause)
		return
	case ports.CauseTimeout, ports.CauseConnection, ports.CauseNotFound, ports.CauseHung:
		c.cause = ev.Cause
		c.try(c.target).failed = true
	}
	c.route(env, ev.Now, out)
}

// endRound pauses, unless a pause has just ended, and has the region loaded anew. What
// the peer that is believed to lead demands comes before what others do.
func (c *Call) endRound(env *sm.Env, now ports.Instant, out *sm.Effects) {
	owed := c.at(c.leading).owed
	if owed <= now {
		for i := range c.tries {
			owed = max(owed, c.tries[i].owed)
		}
	}
	answered := c.round.answered
	c.startOver()
	switch {
	case owed > now:
		c.pauseUntil(env, owed, backoff.ServerBusy, out)
	case c.rested:
		c.rested = false // it serves for one round
		c.route(env, now, out)
	case answered:
		c.pause(env, now, backoff.RegionScheduling, 0, out)
	default:
		c.pause(env, now, backoff.TiKVRPC, settleTime, out)
	}
}

// startOver begins a new round with a region that is loaded anew.
func (c *Call) startOver() {
	c.avoid, c.learnt = c.region, nil
	c.tries = c.tries[:0]
	c.round = round{count: c.round.count + 1, busies: c.round.busies, busyPeer: c.round.busyPeer}
}
