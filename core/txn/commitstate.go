package txn

import "github.com/tikvx/tikvx/core/sm"

// CloneInto implements [sm.Cloneable].
func (c *Commit) CloneInto(dst *Commit) {
	prewrite, primary, sweep, heartbeat := dst.prewrite, dst.primary, dst.sweep, dst.heartbeat
	c.prewrite.CloneInto(&prewrite)
	c.primary.CloneInto(&primary)
	c.sweep.CloneInto(&sweep)
	c.heartbeat.CloneInto(&heartbeat)
	*dst = *c
	dst.prewrite, dst.primary, dst.sweep, dst.heartbeat = prewrite, primary, sweep, heartbeat
}

// Fingerprint implements [sm.Machine].
func (c *Commit) Fingerprint(h *sm.Hash) {
	c.terms.fingerprint(h)
	c.writes.fingerprint(h)
	h.Uint(uint64(c.state))
	h.Bool(c.answered)
	c.outcome.fingerprint(h)
	c.trouble.Fingerprint(h)
	h.TS(c.least)
	h.Gen(c.wait)
	c.pauses.Fingerprint(h)
	c.prewrite.Fingerprint(h)
	c.fetch.Fingerprint(h)
	c.primary.Fingerprint(h)
	c.sweep.Fingerprint(h)
	c.heartbeat.Fingerprint(h)
}

// String implements [sm.Machine].
func (c *Commit) String() string {
	s := "txn.Commit " + commitStates[c.state]
	switch c.state {
	case commitPrewriting:
		s += "; " + c.prewrite.String()
	case commitFetching:
		s += "; " + c.fetch.String()
	case commitDeciding:
		s += "; " + c.primary.String()
	case commitSweeping, commitRollingBack:
		s += "; " + c.sweep.String()
	case commitIdle, commitLagging, commitFinished:
	}
	if !c.heartbeat.Done() {
		s += "; " + c.heartbeat.String()
	}
	return s
}
