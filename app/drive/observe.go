package drive

import (
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// flight is a request or a query that is under way, as an observer will hear of it.
type flight struct {
	gen    uint32
	query  bool
	verb   ports.Verb
	store  ports.StoreID
	region ports.RegionID
	at     ports.Instant
}

// flights are kept only when somebody observes.
type flights struct{ list []flight }

func (f *flights) sent(e *sm.Effect, now ports.Instant) {
	f.list = append(f.list, flight{
		gen: e.Tok.Gen, verb: e.Request.Verb(), store: e.To.Store, region: e.Header.Region.ID, at: now,
	})
}

func (f *flights) queried(e *sm.Effect, now ports.Instant) {
	f.list = append(f.list, flight{gen: e.Tok.Gen, query: true, at: now})
}

// landed reports what an event answers. A second answer finds no flight.
func (d *Driver) landed(f *flights, ev *ports.Event) {
	i := slices.IndexFunc(f.list, func(l flight) bool { return l.gen == ev.Tok.Gen })
	if i < 0 {
		return
	}
	l := f.list[i]
	f.list[i] = f.list[len(f.list)-1]
	f.list = f.list[:len(f.list)-1]
	if !l.query {
		a := l.attempt(ev.Now)
		a.Cause = ev.Cause.Kind
		if ev.Kind == ports.EventReply {
			if fault := ev.Reply.Region(); fault != nil {
				a.Fault = fault.Kind
			}
		}
		d.cfg.Observer.OnAttempt(a)
		return
	}
	if len(ev.Regions) > 0 {
		d.cfg.Observer.OnRegionLoad(len(ev.Regions), ev.Now.Sub(l.at))
	}
}

// abandoned reports the requests that an operation left behind when it ended: for
// whoever watches a store they are no different from those that timed out.
func (d *Driver) abandoned(f *flights, now ports.Instant) {
	for _, l := range f.list {
		if !l.query {
			a := l.attempt(now)
			a.Cause = ports.CauseTimeout
			d.cfg.Observer.OnAttempt(a)
		}
	}
	f.list = f.list[:0]
}

func (l *flight) attempt(now ports.Instant) ports.Attempt {
	return ports.Attempt{Verb: l.verb, Store: l.store, Region: l.region, Elapsed: now.Sub(l.at)}
}
