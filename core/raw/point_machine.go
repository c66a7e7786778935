package raw

import "github.com/tikvx/tikvx/core/sm"

// CloneInto implements [sm.Cloneable].
func (p *Point) CloneInto(dst *Point) {
	call := dst.call
	p.call.CloneInto(&call)
	*dst = *p
	dst.call = call
	dst.value = append([]byte(nil), p.value...)
	if p.value == nil {
		dst.value = nil
	}
}

// Fingerprint implements [sm.Machine].
func (p *Point) Fingerprint(h *sm.Hash) {
	h.Int(int(p.verb))
	h.Int(int(p.state))
	h.Bool(p.sent)
	h.Instant(p.deadline)
	h.Bytes(p.key())
	p.call.Fingerprint(h)
	h.Int(int(p.outcome))
	h.Bool(p.found)
	h.Bool(p.swapped)
	h.Uint(p.seconds)
	h.Bytes(p.value)
	p.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (p *Point) String() string {
	return "raw.Point " + pointStates[p.state] + ": " + p.call.String()
}
