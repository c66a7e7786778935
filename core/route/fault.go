package route

import (
	"slices"
	"strings"

	"github.com/tikvx/tikvx/core/backoff"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// remedy is what a region error asks for.
type remedy uint8

const (
	// retry: the same region, after a pause.
	retry remedy = iota
	// reload: the region is loaded anew after a pause, then tried again.
	reload
	// reject: no retry mends it.
	reject
	// follow: the peer that the answer names is asked.
	follow
	// askLeader: the peer that is believed to lead is asked, if it was not.
	askLeader
	// adopt: the regions in the answer take the place of the one that was asked.
	adopt
	// yield: the store is left alone for a while.
	yield
	// relocate: another store answers at the address.
	relocate
)

// remedyFor is the table of region errors. The pause belongs to retry and reload.
func remedyFor(f *ports.RegionFault) (remedy, backoff.Kind) {
	switch f.Kind {
	case ports.FaultNotLeader:
		return follow, 0
	case ports.FaultRegionNotFound:
		return askLeader, 0
	case ports.FaultEpochNotMatch:
		return adopt, 0
	case ports.FaultServerIsBusy:
		if f.Deadline {
			// The request's own time was too short; the store demands nothing.
			return retry, backoff.StaleCommand
		}
		return yield, 0
	case ports.FaultStoreNotMatch:
		return relocate, 0
	case ports.FaultOther:
		if strings.Contains(f.Text, invalidMaxTS) {
			return reject, 0
		}
		return retry, backoff.StaleCommand
	case ports.FaultStaleCommand, ports.FaultUndeterminedResult, ports.FaultNone:
		return retry, backoff.StaleCommand
	case ports.FaultMaxTimestampNotSynced:
		return retry, backoff.MaxTSNotSynced
	case ports.FaultReadIndexNotReady, ports.FaultProposalInMergingMode, ports.FaultDataIsNotReady:
		return retry, backoff.RegionScheduling
	case ports.FaultRegionNotInitialized:
		return retry, backoff.RegionNotInitialized
	case ports.FaultDiskFull:
		return retry, backoff.DiskFull
	case ports.FaultBucketVersionNotMatch:
		return retry, backoff.RegionMiss
	case ports.FaultRecoveryInProgress:
		return reload, backoff.RecoveryInProgress
	case ports.FaultIsWitness:
		return reload, backoff.IsWitness
	case ports.FaultKeyNotInRegion, ports.FaultMismatchPeerID:
		return reload, backoff.RegionMiss
	case ports.FaultRaftEntryTooLarge, ports.FaultFlashbackInProgress, ports.FaultFlashbackNotPrepared:
		return reject, 0
	}
	return retry, backoff.StaleCommand
}

// invalidMaxTS is TiKV's text, without a variant of its own, for a read timestamp
// beyond what the oracle can have given out (tikv: components/concurrency_manager).
const invalidMaxTS = "invalid max_ts update"

// onFault handles a region error.
func (c *Call) onFault(env *sm.Env, now ports.Instant, f *ports.RegionFault, out *sm.Effects) {
	c.ended(now, f.Kind, ports.Cause{})
	c.maybe = c.maybe || f.MayBeApplied()
	c.round.answered = c.round.answered || f.Kind != ports.FaultStoreNotMatch
	switch what, pause := remedyFor(f); what {
	case retry:
		c.pause(env, now, pause, 0, out)
	case reload:
		c.startOver()
		c.pause(env, now, pause, 0, out)
	case reject:
		c.fail(sm.FailRejected)
	case follow:
		c.onNotLeader(env, now, f.Leader, out)
	case askLeader:
		c.onRegionNotFound(env, now, out)
	case adopt:
		c.onEpochNotMatch(env, now, f, out)
	case yield:
		c.onBusy(env, now, f, out)
	case relocate:
		c.onStoreNotMatch(env, now, out)
	}
}

// ended records an attempt that was not served.
func (c *Call) ended(now ports.Instant, fault ports.FaultKind, cause ports.Cause) {
	c.fault, c.cause = fault, cause
	c.history.Add(sm.Attempt{Store: c.to.Store, Fault: fault, Cause: cause.Kind})
	t := c.try(c.target)
	t.attempts++
	t.spent += now.Sub(c.sentAt)
}

// onNotLeader goes to the peer that the answer names, if there is reason to
// believe it; at once, unless that peer has been asked in vain before.
func (c *Call) onNotLeader(env *sm.Env, now ports.Instant, hint ports.Peer, out *sm.Effects) {
	c.try(c.target).notLeader = true
	i := peerIndex(c.region.Peers, hint.ID)
	switch {
	case hint.ID != 0 && i < 0:
		// The region has a peer that this client has not heard of.
		c.startOver()
		c.pause(env, now, backoff.RegionMiss, 0, out)
	case i < 0 || i == c.target || !c.plausible(env, i):
		c.pause(env, now, backoff.RegionScheduling, 0, out)
	default:
		t := c.try(i)
		// Whoever said no, or nothing, before: either it has changed its mind since,
		// or those that name it are wrong.
		again := t.notLeader || t.failed
		if t.attempts >= leaderAttempts || t.spent >= leaderTime {
			if again {
				c.pause(env, now, backoff.RegionScheduling, 0, out)
				return
			}
			t.attempts, t.spent = leaderAttempts-1, 0
		}
		t.notLeader, t.failed, t.suspect, t.confirmed = false, false, false, true
		c.leading = i
		c.learnLeader(i, out)
		if again {
			c.pause(env, now, backoff.RegionScheduling, 0, out)
			return
		}
		c.route(env, now, out)
	}
}

// plausible reports whether a peer can lead as far as this client knows: its store
// is well. Followers go on naming a dead leader until they elect another.
func (c *Call) plausible(env *sm.Env, i int) bool {
	if !canLead(&c.region.Peers[i]) {
		return false
	}
	switch standingOf(env.Stores.Store(c.region.Peers[i].Store)) {
	case unresolved, reachable:
		return true
	case doubtful, unreachable, removed:
		return false
	}
	return false
}

// onRegionNotFound asks the leader if it has not been asked: a peer that was moved
// away, or is not there yet, says nothing about the region.
func (c *Call) onRegionNotFound(env *sm.Env, now ports.Instant, out *sm.Effects) {
	c.try(c.target).notLeader = true
	if c.target != c.leading && c.at(c.leading).attempts == 0 {
		c.route(env, now, out)
		return
	}
	c.startOver()
	c.pause(env, now, backoff.RegionMiss, 0, out)
}

// onEpochNotMatch takes over the regions that the store knows. A store that is
// behind this client catches up.
func (c *Call) onEpochNotMatch(env *sm.Env, now ports.Instant, f *ports.RegionFault, out *sm.Effects) {
	failed := c.region.RegionVersion
	for i := range f.Regions {
		if f.Regions[i].ID == failed.ID && !f.Regions[i].Epoch.Newer(failed.Epoch) {
			c.pause(env, now, backoff.RegionMiss, 0, out)
			return
		}
	}
	fact := ports.Fact{Kind: ports.FactEpoch, Region: failed, Key: c.region.Range.Start, Store: c.to.Store}
	for i := range f.Regions {
		fact.Regions = append(fact.Regions, cloneRegion(&f.Regions[i]))
	}
	learn(fact, out)
	c.startOver()
	c.newer = failed
	if c.spec.By == ByRegion {
		c.regroup()
		return
	}
	key := c.encode(env)
	for i := range fact.Regions {
		if c.holds(&fact.Regions[i], key) {
			c.learnt = c.entry(env, now, &fact.Regions[i])
		}
	}
	c.route(env, now, out)
}

// holds reports whether a region is the one that the call looks for.
func (c *Call) holds(r *ports.Region, key []byte) bool {
	if c.fromEnd() {
		return holdsBelow(r.Range, key)
	}
	return r.Range.Contains(key)
}

// entry makes an entry of a region that the target's store knows; nil when no
// peer of it can lead.
func (c *Call) entry(env *sm.Env, now ports.Instant, r *ports.Region) *sm.Region {
	on, _ := r.PeerOn(c.to.Store)
	leading := leaderOf(r, on.ID)
	if leading < 0 {
		return nil
	}
	return &sm.Region{
		Region: *r, Leading: leading, FailEpoch: storeEpoch(env, r.Peers[leading].Store),
		Expiry: now.Add(env.Knobs.RegionTTL),
	}
}

// cloneRegion copies a region out of a reply, which is only lent.
func cloneRegion(r *ports.Region) ports.Region {
	c := *r
	c.Range = ports.KeyRange{Start: slices.Clone(r.Range.Start), End: slices.Clone(r.Range.End)}
	c.Peers, c.Down = slices.Clone(r.Peers), slices.Clone(r.Down)
	return c
}

// onBusy notes the pause that the store demands. It is made only if the store is
// asked again: another peer may be asked at once.
func (c *Call) onBusy(env *sm.Env, now ports.Instant, f *ports.RegionFault, out *sm.Effects) {
	t := c.try(c.target)
	demanded := f.Backoff
	if demanded <= 0 {
		demanded = c.backoff.Next(backoff.ServerBusy, &env.Rand, 0)
	}
	t.owed = now.Add(demanded)
	if f.Wait > 0 {
		learn(ports.Fact{Kind: ports.FactStoreBusy, Store: c.to.Store, Wait: f.Wait}, out)
	} else if c.target == c.leading {
		if id := c.region.Peers[c.target].ID; c.round.busyPeer != id {
			c.round.busyPeer, c.round.busies = id, 0
		}
		c.round.busies = min(c.round.busies+1, busyDoubts)
		t.suspect = c.round.busies == busyDoubts
	}
	c.route(env, now, out)
}

// onStoreNotMatch reports that another store answers at the address.
func (c *Call) onStoreNotMatch(env *sm.Env, now ports.Instant, out *sm.Effects) {
	c.try(c.target).failed = true
	learn(ports.Fact{Kind: ports.FactStoreMismatch, Store: c.to.Store, FailEpoch: c.failEpoch}, out)
	c.route(env, now, out)
}

// onUnanswered handles Lost and Unsent: the store is reported, not waited for, and
// the next peer is asked at once.
func (c *Call) onUnanswered(env *sm.Env, now ports.Instant, cause ports.Cause, out *sm.Effects) {
	c.ended(now, ports.FaultNone, cause)
	c.try(c.target).failed = true
	switch cause.Kind {
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
		c.refused(cause)
		return
	case ports.CauseTimeout:
		// A caller in a hurry proves nothing about the store.
		if now.Sub(c.sentAt) >= env.Knobs.ProbeTimeout {
			c.learnFailed(out)
		}
	case ports.CauseNone, ports.CauseConnection, ports.CauseNotFound, ports.CauseHung:
		c.learnFailed(out)
	}
	c.route(env, now, out)
}

func (c *Call) learnFailed(out *sm.Effects) {
	learn(ports.Fact{Kind: ports.FactStoreFailed, Store: c.to.Store, FailEpoch: c.failEpoch}, out)
}
