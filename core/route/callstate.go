package route

import (
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

var callStates = [...]string{
	callIdle: "idle", callLocating: "locating", callResolving: "resolving", callReady: "ready",
	callSending: "sending", callPausing: "pausing", callFinished: "finished",
}

// State returns what the parent must do.
func (c *Call) State() State {
	switch c.state {
	case callIdle:
		return Idle
	case callLocating, callResolving, callSending, callPausing:
		return Waiting
	case callReady:
		return Ready
	case callFinished:
		return Finished
	}
	return Idle
}

// Done reports that the call has finished.
func (c *Call) Done() bool { return c.state == callFinished }

// Region returns the region to which the request goes or went; nil before one was
// found. Its bounds are in PD's key space.
func (c *Call) Region() *sm.Region { return c.region }

// Header returns the header of the next attempt. While Ready the parent may set
// what does not belong to routing; it stays set for retries. Start clears it.
func (c *Call) Header() *ports.Header { return &c.header }

// Result returns how the call finished.
func (c *Call) Result() Result { return c.result }

// MayBeApplied reports whether an attempt since Start ended, or was given up, in a
// way that may have been applied. Later attempts do not change that; whether a
// success proves anything is for the parent to know.
func (c *Call) MayBeApplied() bool { return c.maybe }

// Sending reports whether an attempt is under way: submitted and not yet answered.
func (c *Call) Sending() bool { return c.state == callSending }

// Retried reports whether more than one attempt was submitted since Start.
func (c *Call) Retried() bool { return c.attempts > 1 }

// CloneInto implements [sm.Cloneable]. A lent reply is not cloned.
func (c *Call) CloneInto(dst *Call) {
	tries := append(dst.tries[:0], c.tries...)
	*dst = *c
	dst.tries, dst.result.Reply = tries, nil
	dst.header.ResolvedLocks = slices.Clone(c.header.ResolvedLocks)
	dst.header.CommittedLocks = slices.Clone(c.header.CommittedLocks)
}

// Fingerprint implements [sm.Machine].
func (c *Call) Fingerprint(h *sm.Hash) {
	h.Uint(uint64(c.spec.By))
	h.Bytes(c.spec.Key)
	h.Version(c.spec.Region)
	h.Instant(c.spec.Deadline)
	h.Uint(uint64(c.spec.Timeout))
	h.Bool(c.spec.Write)
	h.Uint(uint64(c.state))
	h.Gen(c.wait)
	h.Header(&c.header)
	h.Uint(uint64(c.result.Kind))
	c.result.Failure.Fingerprint(h)
	c.region.Fingerprint(h)
	h.Int(c.leading)
	h.Int(c.target)
	h.Uint(uint64(c.to.Store))
	h.Text(c.to.Address)
	h.Uint(uint64(c.failEpoch))
	c.learnt.Fingerprint(h)
	c.avoid.Fingerprint(h)
	h.Version(c.newer)
	h.Int(len(c.tries))
	for i := range c.tries {
		c.tries[i].fingerprint(h)
	}
	c.round.fingerprint(h)
	h.Uint(uint64(c.asks))
	h.Bool(c.rested)
	h.Instant(c.sentAt)
	h.Uint(uint64(c.attempts))
	h.Uint(uint64(c.reached))
	h.Bool(c.maybe)
	c.history.Fingerprint(h)
	h.Uint(uint64(c.fault))
	h.Cause(c.cause)
	c.backoff.Fingerprint(h)
}

func (t *try) fingerprint(h *sm.Hash) {
	h.Uint(uint64(t.attempts))
	h.Uint(uint64(t.spent))
	h.Bool(t.notLeader)
	h.Bool(t.failed)
	h.Bool(t.suspect)
	h.Bool(t.confirmed)
	h.Instant(t.owed)
}

func (r *round) fingerprint(h *sm.Hash) {
	h.Uint(uint64(r.count))
	h.Bool(r.answered)
	h.Uint(uint64(r.limit))
	h.Uint(uint64(r.busies))
	h.Uint(uint64(r.busyPeer))
}

// String implements [sm.Machine].
func (c *Call) String() string {
	s := "route.Call " + callStates[c.state]
	if c.region != nil {
		v := c.region.RegionVersion
		s += fmt.Sprintf(", region %d:%d.%d", v.ID, v.Epoch.Version, v.Epoch.ConfVer)
	}
	if c.attempts > 0 {
		s += fmt.Sprintf(", attempt %d at store %d", c.attempts, c.to.Store)
	}
	return s
}
