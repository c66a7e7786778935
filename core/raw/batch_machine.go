package raw

import (
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// CloneInto implements [sm.Cloneable].
func (b *Batch) CloneInto(dst *Batch) {
	groups := dst.groups
	b.groups.CloneInto(&groups)
	*dst = *b
	dst.groups = groups
	dst.stale = slices.Clone(b.stale)
	dst.queue = slices.Clone(b.queue)
	dst.outcomes = slices.Clone(b.outcomes)
	dst.got = clonePairs(b.got)
	dst.workers = make([]batchWorker, len(b.workers))
	for i := range b.workers {
		dst.workers[i].busy, dst.workers[i].span = b.workers[i].busy, b.workers[i].span
		b.workers[i].call.CloneInto(&dst.workers[i].call)
	}
}

// Fingerprint implements [sm.Machine].
func (b *Batch) Fingerprint(h *sm.Hash) {
	h.Int(int(b.verb))
	h.Instant(b.deadline)
	b.options.fingerprint(h)
	h.Keys(b.keys)
	hashPairs(h, b.pairs)
	h.Int(int(b.state))
	b.groups.Fingerprint(h)
	h.Int(b.from)
	h.Bool(b.grouped)
	hashSpans(h, b.stale)
	hashSpans(h, b.queue)
	h.Int(len(b.workers))
	for i := range b.workers {
		w := &b.workers[i]
		h.Bool(w.busy)
		hashSpan(h, w.span)
		w.call.Fingerprint(h)
	}
	hashPairs(h, b.got)
	h.Int(len(b.outcomes))
	for _, o := range b.outcomes {
		h.Int(int(o))
	}
	b.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (b *Batch) String() string {
	s := "raw.Batch " + batchStates[b.state]
	for i := range b.workers {
		if b.workers[i].busy {
			s += "; " + b.workers[i].call.String()
		}
	}
	return s
}

func hashSpans(h *sm.Hash, spans []span) {
	h.Int(len(spans))
	for _, s := range spans {
		hashSpan(h, s)
	}
}

func hashSpan(h *sm.Hash, s span) {
	h.Int(s.from)
	h.Int(s.to)
	h.Version(s.region)
}

func hashPairs(h *sm.Hash, pairs []ports.KV) {
	h.Int(len(pairs))
	for _, p := range pairs {
		h.Bytes(p.Key)
		h.Bytes(p.Value)
		h.Uint(p.TTL)
	}
}

func clonePairs(pairs []ports.KV) []ports.KV {
	if pairs == nil {
		return nil
	}
	clone := make([]ports.KV, len(pairs))
	for i, p := range pairs {
		clone[i] = ports.KV{Key: slices.Clone(p.Key), Value: slices.Clone(p.Value), TTL: p.TTL}
	}
	return clone
}
