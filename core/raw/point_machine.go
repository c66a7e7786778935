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
	h.Instant(p.deadline)
	p.options.fingerprint(h)
	h.Int(int(p.state))
	p.hashRequests(h)
	p.call.Fingerprint(h)
	h.Int(int(p.outcome))
	h.Bool(p.found)
	h.Bool(p.swapped)
	h.Uint(p.seconds)
	h.Bytes(p.value)
	p.failure.Fingerprint(h)
}

// hashRequests writes what the Init methods were given.
func (p *Point) hashRequests(h *sm.Hash) {
	h.Bytes(p.get.Key)
	h.Text(p.get.CF)
	h.Bytes(p.ttl.Key)
	h.Text(p.ttl.CF)
	h.Bytes(p.put.Key)
	h.Bytes(p.put.Value)
	h.Uint(p.put.TTL)
	h.Text(p.put.CF)
	h.Bool(p.put.ForCAS)
	h.Bytes(p.delete.Key)
	h.Text(p.delete.CF)
	h.Bool(p.delete.ForCAS)
	h.Bytes(p.swap.Key)
	h.Bytes(p.swap.Value)
	h.Bytes(p.swap.Previous)
	h.Bool(p.swap.PreviousAbsent)
	h.Uint(p.swap.TTL)
	h.Text(p.swap.CF)
	h.Bool(p.swap.Delete)
}

// String implements [sm.Machine].
func (p *Point) String() string {
	return "raw.Point " + pointStates[p.state] + ": " + p.call.String()
}
