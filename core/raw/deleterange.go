package raw

import (
	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// DeleteRange deletes every raw key of a range, region by region in key order.
//
//	idle ──Start──▶ routed ──end of range──▶ finished
//	                  │ ▲
//	                  └─┘ next region
//
// It is not atomic: after a failure the keys before Rest are gone.
type DeleteRange struct {
	walk    walk
	options Options
	state   pointState
	request ports.RawDeleteRangeRequest `fp:"-"`

	// progressed: at least one region was emptied.
	progressed bool
	outcome    Outcome
	failure    sm.Failure
}

// Init prepares the deletion of [Start, End), which must not be empty.
func (d *DeleteRange) Init(rng ports.KeyRange, opt Options, deadline ports.Instant) {
	*d = DeleteRange{walk: walk{rest: rng, deadline: deadline}, options: opt}
}

// Outcome returns what became of the deletion: Unknown also when it was cut
// short after some regions had been emptied.
func (d *DeleteRange) Outcome() Outcome { return d.outcome }

// Rest returns the part of the range that was not confirmed as deleted.
func (d *DeleteRange) Rest() ports.KeyRange { return d.walk.rest }

// Failure returns why the range was not deleted; the zero failure if it was.
func (d *DeleteRange) Failure() *sm.Failure { return &d.failure }

// Done implements [sm.Machine].
func (d *DeleteRange) Done() bool { return d.state == pointFinished }

// Step implements [sm.Machine].
func (d *DeleteRange) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("raw.DeleteRange", pointStates[d.state], ev.Kind)
	switch d.state {
	case pointIdle:
		if ev.Kind == ports.EventStart {
			d.state = pointRouted
			d.walk.start(env, ev.Now, true, out)
			d.advance(env, ev.Now, out)
		}
	case pointRouted:
		d.onRouted(env, ev, out)
	case pointFinished:
	}
}

func (d *DeleteRange) onRouted(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if d.walk.step(env, ev, out) {
		d.advance(env, ev.Now, out)
	}
}

func (d *DeleteRange) advance(env *sm.Env, now ports.Instant, out *sm.Effects) {
	call := &d.walk.call
	switch call.State() {
	case route.Idle, route.Waiting:
	case route.Ready:
		if f, ok := d.walk.cut(env); !ok {
			d.fail(f, false, out)
			return
		}
		d.request = ports.RawDeleteRangeRequest{Range: d.walk.clip, CF: d.options.CF}
		call.Header().Priority = d.options.Priority
		env.Enter(hopCall)
		call.Send(env, now, &d.request, out)
		env.Leave()
	case route.Finished:
		d.onResult(env, now, out)
	}
}

func (d *DeleteRange) onResult(env *sm.Env, now ports.Instant, out *sm.Effects) {
	r := d.walk.call.Result()
	if r.Kind != route.Replied {
		d.fail(r.Failure, false, out)
		return
	}
	reply, ok := r.Reply.(*ports.RawWriteReply)
	switch {
	case !ok || reply.Of != ports.VerbRawDeleteRange:
		d.fail(malformed(), true, out)
	case reply.Text != "":
		f, maybe := rejected(reply.Text)
		d.fail(f, maybe, out)
	default:
		d.progressed = true
		if d.walk.pass() {
			d.walk.start(env, now, true, out)
			d.advance(env, now, out)
			return
		}
		d.outcome = Applied
		d.finish(out)
	}
}

// fail ends the deletion; maybe says that the last request may be applied.
func (d *DeleteRange) fail(f sm.Failure, maybe bool, out *sm.Effects) {
	d.failure = f
	d.outcome = unfinished(maybe || d.progressed || d.walk.call.MayBeApplied())
	d.finish(out)
}

func (d *DeleteRange) finish(out *sm.Effects) {
	d.state = pointFinished
	out.Answer()
}

// CloneInto implements [sm.Cloneable].
func (d *DeleteRange) CloneInto(dst *DeleteRange) {
	w := dst.walk
	d.walk.cloneInto(&w)
	*dst = *d
	dst.walk = w
}

// Fingerprint implements [sm.Machine].
func (d *DeleteRange) Fingerprint(h *sm.Hash) {
	d.walk.fingerprint(h)
	d.options.fingerprint(h)
	h.Int(int(d.state))
	h.Bool(d.progressed)
	h.Int(int(d.outcome))
	d.failure.Fingerprint(h)
}

// String implements [sm.Machine].
func (d *DeleteRange) String() string {
	return "raw.DeleteRange " + pointStates[d.state] + ": " + d.walk.call.String()
}
