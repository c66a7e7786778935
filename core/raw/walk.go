package raw

import (
	"bytes"

	"github.com/tikvx/tikvx/core/route"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// walk carries one request after another through the regions of a range, in
// either direction. It is the part that a scan and a range deletion share: it
// knows where the next request goes and how far the region reaches.
type walk struct {
	rest     ports.KeyRange `fp:"shared"`
	reverse  bool
	deadline ports.Instant
	call     route.Call
	// clip is the part of rest that lies in the region of the present request.
	clip ports.KeyRange `fp:"shared"`
}

// start routes to the region in which the rest of the range begins.
func (w *walk) start(env *sm.Env, now ports.Instant, write bool, out *sm.Effects) {
	spec := route.Spec{By: route.ByKey, Key: w.rest.Start, Deadline: w.deadline,
		Timeout: env.Knobs.RequestTimeout, Write: write}
	if w.reverse {
		spec.By, spec.Key = route.ByEnd, w.rest.End
	}
	env.Enter(hopCall)
	w.call.Start(env, now, spec, out)
	env.Leave()
}

// step gives the call an event and reports whether it was the call's.
func (w *walk) step(env *sm.Env, ev *ports.Event, out *sm.Effects) bool {
	if ev.Kind != ports.EventCancel && env.Hop(ev) != hopCall {
		return false
	}
	env.Enter(hopCall)
	w.call.Step(env, ev, out)
	env.Leave()
	return true
}

// cut clips the rest of the range to the region to which the call is about to go.
// It fails when the region's bounds are no keys of this client's.
func (w *walk) cut(env *sm.Env) (sm.Failure, bool) {
	region := w.call.Region().Range
	start, err := env.Codec.UserBound(nil, region.Start)
	end, err2 := env.Codec.UserBound(nil, region.End)
	if err != nil || err2 != nil {
		return sm.Failure{Code: sm.FailProtocol, Text: "region bound is not a key of this client"}, false
	}
	w.clip = w.rest
	if bytes.Compare(start, w.clip.Start) > 0 {
		w.clip.Start = start
	}
	if len(end) > 0 && (len(w.clip.End) == 0 || bytes.Compare(end, w.clip.End) < 0) {
		w.clip.End = end
	}
	return sm.Failure{}, true
}

// pass takes the clipped part off the rest and reports whether something is left.
func (w *walk) pass() bool {
	if w.reverse {
		w.rest.End = w.clip.Start
		return bytes.Compare(w.rest.Start, w.rest.End) < 0
	}
	w.rest.Start = w.clip.End
	return len(w.clip.End) > 0 && !w.rest.Empty()
}

func (w *walk) cloneInto(dst *walk) {
	call := dst.call
	w.call.CloneInto(&call)
	*dst = *w
	dst.call = call
}

func (w *walk) fingerprint(h *sm.Hash) {
	h.Range(w.rest)
	h.Bool(w.reverse)
	h.Instant(w.deadline)
	h.Range(w.clip)
	w.call.Fingerprint(h)
}
