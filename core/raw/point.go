package raw

import (
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Options are what every raw command of one client view shares.
type Options struct {
	// CF is the column family, "" for the default one.
	CF string
	// ForCAS makes writes take the latch of compare-and-swap, so that they are
	// linearizable with it (TiKV: RawPutRequest.for_cas).
	ForCAS   bool
	Priority ports.Priority
}

// Swap describes a compare-and-swap: Value is written, or the key deleted, if the
// current value is Previous, or the key is absent when PreviousAbsent.
type Swap struct {
	Previous       []byte
	PreviousAbsent bool
	Value          []byte
	TTL            uint64
	Delete         bool
}

func (o *Options) fingerprint(h *sm.Hash) {
	h.Text(o.CF)
	h.Bool(o.ForCAS)
	h.Uint(uint64(o.Priority))
}

// Point is one raw command on one key: get, TTL, put, delete or compare-and-swap.
//
//	idle ──Start──▶ routed ──reply──▶ finished
//	                  │ ▲
//	                  └─┘ retry (never a compare-and-swap that may be applied)
//
// Puts and deletes are idempotent and are retried when they were lost. A
// compare-and-swap is not: its second attempt would compare with its own first
// one, so after a loss it ends as Unknown.
type Point struct {
	verb     ports.Verb
	deadline ports.Instant
	options  Options
	state    pointState
	call     route.Call

	get    ports.RawGetRequest            `fp:"shared"`
	ttl    ports.RawGetKeyTTLRequest      `fp:"shared"`
	put    ports.RawPutRequest            `fp:"shared"`
	delete ports.RawDeleteRequest         `fp:"shared"`
	swap   ports.RawCompareAndSwapRequest `fp:"shared"`

	outcome Outcome
	found   bool
	swapped bool
	seconds uint64
	value   []byte
	failure sm.Failure
}

type pointState uint8

const (
	pointIdle pointState = iota
	pointRouted
	pointFinished
)

var pointStates = [...]string{"idle", "routed", "finished"}

// hopCall is the address of a single routed call below its parent.
const hopCall = 1

// InitGet prepares a read of one key.
func (p *Point) InitGet(key []byte, opt Options, deadline ports.Instant) {
	p.init(ports.VerbRawGet, opt, deadline)
	p.get = ports.RawGetRequest{Key: key, CF: opt.CF}
}

// InitTTL prepares a question for the remaining life of one key.
func (p *Point) InitTTL(key []byte, opt Options, deadline ports.Instant) {
	p.init(ports.VerbRawGetKeyTTL, opt, deadline)
	p.ttl = ports.RawGetKeyTTLRequest{Key: key, CF: opt.CF}
}

// InitPut prepares a write; ttl is in seconds, 0 meaning for ever.
func (p *Point) InitPut(key, value []byte, ttl uint64, opt Options, deadline ports.Instant) {
	p.init(ports.VerbRawPut, opt, deadline)
	p.put = ports.RawPutRequest{Key: key, Value: value, TTL: ttl, CF: opt.CF, ForCAS: opt.ForCAS}
}

// InitDelete prepares a deletion.
func (p *Point) InitDelete(key []byte, opt Options, deadline ports.Instant) {
	p.init(ports.VerbRawDelete, opt, deadline)
	p.delete = ports.RawDeleteRequest{Key: key, CF: opt.CF, ForCAS: opt.ForCAS}
}

// InitSwap prepares a compare-and-swap.
func (p *Point) InitSwap(key []byte, s Swap, opt Options, deadline ports.Instant) {
	p.init(ports.VerbRawCompareAndSwap, opt, deadline)
	p.swap = ports.RawCompareAndSwapRequest{
		Key: key, Value: s.Value, Previous: s.Previous, PreviousAbsent: s.PreviousAbsent,
		TTL: s.TTL, CF: opt.CF, Delete: s.Delete,
	}
}

func (p *Point) init(verb ports.Verb, opt Options, deadline ports.Instant) {
	*p = Point{verb: verb, options: opt, deadline: deadline}
}

// Value returns the value read, or what a compare-and-swap found in place of it;
// false when the key was absent. The caller owns it.
func (p *Point) Value() ([]byte, bool) { return p.value, p.found }

// TTL returns the seconds left, 0 for ever; false when the key was absent.
func (p *Point) TTL() (uint64, bool) { return p.seconds, p.found }

// Swapped reports whether a compare-and-swap wrote.
func (p *Point) Swapped() bool { return p.swapped }

// Outcome returns what became of a write.
func (p *Point) Outcome() Outcome { return p.outcome }

// Failure returns why the command failed; the zero failure if it did not.
func (p *Point) Failure() *sm.Failure { return &p.failure }

// Done implements [sm.Machine].
func (p *Point) Done() bool { return p.state == pointFinished }

// Step implements [sm.Machine].
func (p *Point) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("raw.Point", pointStates[p.state], ev.Kind)
	switch p.state {
	case pointIdle:
		if ev.Kind == ports.EventStart {
			p.start(env, ev.Now, out)
		}
	case pointRouted:
		p.onRouted(env, ev, out)
	case pointFinished:
	}
}

func (p *Point) start(env *sm.Env, now ports.Instant, out *sm.Effects) {
	p.state = pointRouted
	env.Enter(hopCall)
	p.call.Start(env, now, route.Spec{
		By: route.ByKey, Key: p.key(), Deadline: p.deadline,
		Timeout: env.Knobs.RequestTimeout, Write: p.writes(),
	}, out)
	env.Leave()
	p.advance(env, now, out)
}

func (p *Point) onRouted(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind != ports.EventCancel && env.Hop(ev) != hopCall {
		return
	}
	env.Enter(hopCall)
	p.call.Step(env, ev, out)
	env.Leave()
	p.advance(env, ev.Now, out)
}

// advance follows the call.
func (p *Point) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	if p.verb == ports.VerbRawCompareAndSwap && p.call.MayBeApplied() && p.call.State() != route.Finished {
		p.giveUp(env, now, out)
		return
	}
	switch p.call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		p.call.Header().Priority = p.options.Priority
		env.Enter(hopCall)
		p.call.Send(env, now, p.request(), out)
		env.Leave()
	case route.Finished:
		p.onResult(out)
	}
}

// giveUp ends a command that may be applied and must not be repeated.
func (p *Point) giveUp(env *sm.Env, now ports.Instant, out *sm.Effects) {
	env.Enter(hopCall)
	p.call.Step(env, &ports.Event{Kind: ports.EventCancel, Now: now}, out)
	env.Leave()
	p.failure, p.outcome = p.call.Result().Failure, Unknown
	p.failure.Code = sm.FailLost
	p.finish(out)
}

func (p *Point) onResult(out *sm.Effects) {
	maybe := p.call.MayBeApplied()
	switch r := p.call.Result(); r.Kind {
	case route.Replied:
		maybe = p.onReply(r.Reply) || maybe
	case route.Failed, route.Regroup:
		p.failure = r.Failure
	}
	if p.failure.Failed() && p.writes() {
		p.outcome = unfinished(maybe)
	}
	p.finish(out)
}

// onReply reads a reply. If that is a failure, it reports whether a write may be
// applied all the same.
func (p *Point) onReply(reply ports.Reply) (maybe bool) {
	if reply.Verb() != p.verb {
		p.failure = malformed()
		return true
	}
	text := ""
	switch r := reply.(type) {
	case *ports.RawGetReply:
		if text = r.Text; text == "" {
			p.keep(r.Value, !r.NotFound)
		}
	case *ports.RawGetKeyTTLReply:
		if text = r.Text; text == "" && !r.NotFound {
			p.seconds, p.found = r.TTL, true
		}
	case *ports.RawWriteReply:
		if text = r.Text; text == "" {
			p.outcome = Applied
		}
	case *ports.RawCompareAndSwapReply:
		if text = r.Text; text == "" {
			p.onSwap(r)
		}
	}
	if text != "" {
		p.failure, maybe = rejected(text)
	}
	return maybe
}

func (p *Point) onSwap(r *ports.RawCompareAndSwapReply) {
	p.keep(r.Previous, !r.PreviousAbsent)
	p.swapped = r.Succeeded
	if r.Succeeded {
		p.outcome = Applied
	}
}

// keep copies a lent value; a found empty value is not nil.
func (p *Point) keep(value []byte, found bool) {
	p.found = found
	if found {
		p.value = append(make([]byte, 0, len(value)), value...)
	}
}

func (p *Point) finish(out *sm.Effects) {
	p.state = pointFinished
	out.Answer()
}

func (p *Point) writes() bool {
	return p.verb == ports.VerbRawPut || p.verb == ports.VerbRawDelete || p.verb == ports.VerbRawCompareAndSwap
}

func (p *Point) key() []byte {
	switch p.verb {
	case ports.VerbRawGet:
		return p.get.Key
	case ports.VerbRawGetKeyTTL:
		return p.ttl.Key
	case ports.VerbRawPut:
		return p.put.Key
	case ports.VerbRawDelete:
		return p.delete.Key
	}
	return p.swap.Key
}

func (p *Point) request() ports.Request {
	switch p.verb {
	case ports.VerbRawGet:
		return &p.get
	case ports.VerbRawGetKeyTTL:
		return &p.ttl
	case ports.VerbRawPut:
		return &p.put
	case ports.VerbRawDelete:
		return &p.delete
	}
	return &p.swap
}
