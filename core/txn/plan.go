package txn

import (
	"math"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// span is keys[from:to] of a plan; once it is queued they lie in one region.
type span struct {
	from, to int
	region   ports.RegionVersion
	// share is the number of keys that the transaction has in the region. After a
	// region has changed it is not known any more and MaxUint64, so that nobody
	// takes the transaction for a small one.
	share uint64
	// resent: some of the keys may have reached a store before.
	resent bool
}

func (s *span) holds(key int) bool { return s.from <= key && key < s.to }

// plan splits keys by region and hands them out in batches. It is the part of a
// machine that its workers draw from: spans wait in stale to be grouped, then in
// queue for a worker.
type plan struct {
	planned
	groups       route.Groups
	stale, queue []span
}

// planned is what a plan is about: all but memory that the next one uses again.
type planned struct {
	keys [][]byte `fp:"shared"`
	// mutations belong to keys when values count for the size of a batch.
	mutations []ports.Mutation `fp:"shared"`
	deadline  ports.Instant
	// grouping is the span that groups works on, while busy.
	grouping span
	busy     bool
	failure  sm.Failure
}

// reset forgets an earlier plan but for its memory.
func (p *plan) reset() {
	p.planned = planned{}
	p.groups.Forget()
	p.stale, p.queue = p.stale[:0], p.queue[:0]
}

// forget lets go of memory that only large transactions need.
func (p *plan) forget() {
	if cap(p.stale) > keepSpans {
		p.stale = nil
	}
	if cap(p.queue) > keepSpans { // one for each group, and more
		p.queue, p.groups = nil, route.Groups{}
	}
}

// start plans for keys; the plan is new or reset.
func (p *plan) start(keys [][]byte, mutations []ports.Mutation, deadline ports.Instant) {
	p.keys, p.mutations, p.deadline = keys, mutations, deadline
	p.stale = append(p.stale, span{to: len(keys)})
}

// empty reports that no key waits for a worker, or will.
func (p *plan) empty() bool { return !p.busy && len(p.stale)+len(p.queue) == 0 }

// again sends a span back to be grouped by something newer than its region.
func (p *plan) again(s span) {
	s.share = math.MaxUint64
	p.stale = append(p.stale, s)
}

// step brings the grouping child its event.
func (p *plan) step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if p.busy {
		env.Enter(hopGroups)
		p.groups.Step(env, ev, out)
		env.Leave()
	}
}

// group moves spans from stale to the queue until an answer is awaited, nothing is
// left, or the plan has failed.
func (p *plan) group(env *sm.Env, now ports.Instant, out *sm.Effects) {
	for !p.failure.Failed() {
		if !p.busy {
			n := len(p.stale) - 1
			if n < 0 {
				return
			}
			s := p.stale[n]
			p.busy, p.grouping, p.stale = true, s, p.stale[:n]
			env.Enter(hopGroups)
			p.groups.Start(env, now, p.keys[s.from:s.to], s.region, p.deadline, out)
			env.Leave()
		}
		if !p.groups.Done() {
			return
		}
		p.busy = false
		if f := p.groups.Failure(); f.Failed() {
			p.failure = *f
			return
		}
		p.enqueue()
	}
}

// enqueue queues the groups such that they are taken in key order, from the end.
func (p *plan) enqueue() {
	list, s := p.groups.List(), p.grouping
	for i := len(list) - 1; i >= 0; i-- {
		share := max(s.share, uint64(list[i].To-list[i].From))
		p.queue = append(p.queue, span{
			from: s.from + list[i].From, to: s.from + list[i].To, region: list[i].Region, share: share, resent: s.resent,
		})
	}
}

// lead makes the span that holds the key with the given index the next to be taken.
// It returns false when the key is not queued.
func (p *plan) lead(key int) bool {
	last := len(p.queue) - 1
	for i := last; i >= 0; i-- {
		if p.queue[i].holds(key) {
			p.queue[i], p.queue[last] = p.queue[last], p.queue[i]
			return true
		}
	}
	return false
}

// take removes a batch from the queue, which must not be empty. A batch is closed
// as soon as it has limit bytes.
func (p *plan) take(limit int) span {
	last := len(p.queue) - 1
	s := &p.queue[last]
	head, bytes := *s, 0
	for head.to = head.from; head.to < s.to && (head.to == head.from || bytes < limit); head.to++ {
		bytes += len(p.keys[head.to])
		if p.mutations != nil {
			bytes += len(p.mutations[head.to].Value)
		}
	}
	s.from = head.to
	if s.from == s.to {
		p.queue = p.queue[:last]
	}
	return head
}

func (p *plan) cloneInto(dst *plan) {
	groups := dst.groups
	p.groups.CloneInto(&groups)
	stale, queue := append(dst.stale[:0], p.stale...), append(dst.queue[:0], p.queue...)
	*dst = *p
	dst.groups, dst.stale, dst.queue = groups, stale, queue
}

func (p *plan) fingerprint(h *sm.Hash) {
	h.Keys(p.keys)
	hashMutations(h, p.mutations)
	h.Instant(p.deadline)
	p.groups.Fingerprint(h)
	p.grouping.fingerprint(h)
	h.Bool(p.busy)
	hashSpans(h, p.stale)
	hashSpans(h, p.queue)
	p.failure.Fingerprint(h)
}

func (s *span) fingerprint(h *sm.Hash) {
	h.Int(s.from)
	h.Int(s.to)
	h.Version(s.region)
	h.Uint(s.share)
	h.Bool(s.resent)
}

func hashSpans(h *sm.Hash, spans []span) {
	h.Int(len(spans))
	for i := range spans {
		spans[i].fingerprint(h)
	}
}
