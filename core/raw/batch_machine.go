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
		dst.workers[i] = b.workers[i]
		b.workers[i].call.CloneInto(&dst.workers[i].call)
	}
}

// Fingerprint implements [sm.Machine].
func (b *Batch) Fingerprint(h *sm.Hash) {
	h.Int(int(b.verb))
	h.Int(int(b.state))
	h.Instant(b.deadline)
	h.Keys(b.keys)
	b.groups.Fingerprint(h)
	h.Int(b.from)
	h.Bool(b.grouped)
	hashSpans(h, b.stale)
	hashSpans(h, b.queue)
	h.Int(len(b.workers))
	for i := range b.workers {
		w := &b.workers[i]
		h.Bool(w.busy)
		h.Bool(w.sent)
		hashSpan(h, w.span)
		w.call.Fingerprint(h)
	}
	hashPairs(h, b.got)
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
	h.Uint(uint64(s.region.ID))
	h.Uint(s.region.Epoch.ConfVer)
	h.Uint(s.region.Epoch.Version)
}

func hashPairs(h *sm.Hash, pairs []ports.KV) {
	h.Int(len(pairs))
	for _, p := range pairs {
		h.Bytes(p.Key)
		h.Bytes(p.Value)
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
