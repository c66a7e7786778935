package raw

import (
	"bytes"
	"math"
	"slices"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// ScanPage reads the next pairs of a raw range, region by region, until it has
// as many as were asked for or the range ends.
//
//	idle ──Start──▶ routed ──page full, or end of range──▶ finished
//	                  │ ▲
//	                  └─┘ next region
type ScanPage struct {
	walk     walk
	options  Options
	limit    int
	keysOnly bool
	state    pointState
	request  ports.RawScanRequest `fp:"-"`

	pairs   []ports.KV
	more    bool
	failure sm.Failure
}

// Init prepares a page of at most limit pairs (at least 1) of [Start, End),
// descending when reverse is set.
func (s *ScanPage) Init(rng ports.KeyRange, limit int, reverse, keysOnly bool, opt Options, deadline ports.Instant) {
	*s = ScanPage{
		walk: walk{rest: rng, reverse: reverse, deadline: deadline}, options: opt,
		limit: limit, keysOnly: keysOnly,
	}
}

// Pairs returns the pairs in the order of the scan, none after a failure. The
// caller owns them.
func (s *ScanPage) Pairs() []ports.KV { return s.pairs }

// Next returns what is left of the range after this page, false when nothing is,
// and after a failure.
func (s *ScanPage) Next() (ports.KeyRange, bool) { return s.walk.rest, s.more }

// Failure returns why the page could not be read; the zero failure if it could.
func (s *ScanPage) Failure() *sm.Failure { return &s.failure }

// Done implements [sm.Machine].
func (s *ScanPage) Done() bool { return s.state == pointFinished }

// Step implements [sm.Machine].
func (s *ScanPage) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("raw.ScanPage", pointStates[s.state], ev.Kind)
	switch s.state {
	case pointIdle:
		if ev.Kind == ports.EventStart {
			s.state = pointRouted
			s.walk.start(env, ev.Now, false, out)
			s.advance(env, ev.Now, out)
		}
	case pointRouted:
		s.onRouted(env, ev, out)
	case pointFinished:
	}
}

func (s *ScanPage) onRouted(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if s.walk.step(env, ev, out) {
		s.advance(env, ev.Now, out)
	}
}

func (s *ScanPage) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	call := &s.walk.call
	switch call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		if f, ok := s.walk.cut(env); !ok {
			s.finish(f, out)
			return
		}
		s.request = ports.RawScanRequest{
			Range: s.walk.clip, Limit: uint32(min(s.limit-len(s.pairs), math.MaxUint32)), KeyOnly: s.keysOnly,
			Reverse: s.walk.reverse, CF: s.options.CF,
		}
		call.Header().Priority = s.options.Priority
		env.Enter(hopCall)
		call.Send(env, now, &s.request, out)
		env.Leave()
	case route.Finished:
		s.onResult(env, now, out)
	}
}

func (s *ScanPage) onResult(env *sm.Env, now ports.Instant, out *sm.Effects) {
	switch r := s.walk.call.Result(); r.Kind {
	case route.Replied:
		if reply, ok := r.Reply.(*ports.RawScanReply); ok {
			s.onReply(env, now, reply, out)
			return
		}
		s.finish(malformed(), out)
	case route.Regroup, route.Failed:
		s.finish(r.Failure, out)
	}
}

func (s *ScanPage) onReply(env *sm.Env, now ports.Instant, reply *ports.RawScanReply, out *sm.Effects) {
	if f := s.take(reply.Pairs); f.Failed() {
		s.finish(f, out)
		return
	}
	if len(s.pairs) == s.limit {
		s.rewind()
		s.finish(sm.Failure{}, out)
		return
	}
	if !s.walk.pass() {
		s.finish(sm.Failure{}, out)
		return
	}
	s.walk.start(env, now, false, out)
	s.advance(env, now, out)
}

// take copies the pairs of a reply. A key where none was asked for, or out of order,
// would make the next page begin anywhere.
func (s *ScanPage) take(pairs []ports.Pair) sm.Failure {
	for i := range pairs {
		p := &pairs[i]
		switch {
		case p.Err != nil:
			return failedKey(p.Err)
		case len(s.pairs) == s.limit || !s.walk.clip.Contains(p.Key) || !s.follows(p.Key):
			return malformed()
		}
		s.pairs = append(s.pairs, ports.KV{Key: slices.Clone(p.Key), Value: append([]byte{}, p.Value...)})
	}
	return sm.Failure{}
}

// follows reports whether a key comes after the last one in the order of the scan.
func (s *ScanPage) follows(k []byte) bool {
	if len(s.pairs) == 0 {
		return true
	}
	c := bytes.Compare(s.pairs[len(s.pairs)-1].Key, k)
	if s.walk.reverse {
		c = -c
	}
	return c < 0
}

// rewind leaves as the rest what lies behind the last pair of a full page.
func (s *ScanPage) rewind() {
	last := s.pairs[len(s.pairs)-1].Key
	if s.walk.reverse {
		s.walk.rest.End = slices.Clone(last)
		// An empty end means "no upper bound", so nothing lies below the empty key.
		s.more = len(last) > 0 && !s.walk.rest.Empty()
		return
	}
	s.walk.rest.Start = key.Next(last)
	s.more = !s.walk.rest.Empty()
}

func (s *ScanPage) finish(f sm.Failure, out *sm.Effects) {
	if s.failure = f; f.Failed() {
		s.pairs = nil
	}
	s.state = pointFinished
	out.Answer()
}

// CloneInto implements [sm.Cloneable].
func (s *ScanPage) CloneInto(dst *ScanPage) {
	w := dst.walk
	s.walk.cloneInto(&w)
	*dst = *s
	dst.walk = w
	dst.pairs = clonePairs(s.pairs)
}

// Fingerprint implements [sm.Machine].
func (s *ScanPage) Fingerprint(h *sm.Hash) {
	s.walk.fingerprint(h)
	s.options.fingerprint(h)
	h.Int(s.limit)
	h.Bool(s.keysOnly)
	h.Int(int(s.state))
	hashPairs(h, s.pairs)
	h.Bool(s.more)
	s.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (s *ScanPage) String() string {
	return "raw.ScanPage " + pointStates[s.state] + ": " + s.walk.call.String()
}
