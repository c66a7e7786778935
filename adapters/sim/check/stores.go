package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// Stores watches what clients make of stores that fail and regions that change their leaders, and holds it against
// what a failover may cost:
//
//   - a store that its client knows to be dead is asked after every other peer, and binds nobody for long when
//     another peer has answered;
//   - a store is probed because something has failed there, or an earlier probe has;
//   - a request goes to the peer that served the last one of its region, unless something has been heard since.
//
// What a client knows is what it was answered: nothing here depends on what is true.
type Stores struct {
	// region returns a region as it is; false when there is none.
	region  func(ports.RegionID) (ports.Region, bool)
	clients []*acquaintance // few
	wrong   []string
}

const (
	// settled is how long a client may need to make use of what it was told.
	settled = time.Millisecond
	// hurry is the time that an attempt must have had before its timeout says anything about the store.
	hurry = time.Second
	// roundabout is how long a call may go round a store of which PD did not say where it is.
	roundabout = 5 * time.Second
	// bound is how long an attempt at a dead store may take when others answer.
	bound = time.Second
)

// acquaintance is what a client was told.
type acquaintance struct {
	client *sim.Client
	stores []repute
	// searched is when it asked PD for a store last.
	searched ports.Instant
	// served are the peers that served regions last, doubts the instants at which anything else was heard of regions.
	served map[ports.RegionID]service
	doubts map[ports.RegionID]ports.Instant
	// errands are the routed calls that were not served at once.
	errands map[sim.Caller]*errand
}

// repute is what a client was told of a store.
type repute struct {
	// well: what was heard last was an answer, dead: a failed probe; since then.
	well, dead bool
	since      ports.Instant
	// failed is the instant of the last failure that says something about the store, trouble that of anything but an
	// answer.
	failed, trouble ports.Instant
	// probed is the address that is being probed, empty if none is, and asked since when; suspected: the last probe
	// failed.
	probed    string
	asked     ports.Instant
	suspected bool
}

// service is who served a region, and when.
type service struct {
	version ports.RegionVersion
	peer    ports.Peer
	at      ports.Instant
}

// errand is a routed call with the stores that it has asked; answered are those of them whose last word was one.
type errand struct {
	asked, answered []ports.StoreID
	lost            bool
}

// NewStores returns a monitor. region returns a region as it is now.
func NewStores(region func(ports.RegionID) (ports.Region, bool)) *Stores {
	return &Stores{region: region}
}

// Wrong returns what was wrong, at most a few dozen things.
func (m *Stores) Wrong() []string { return m.wrong }

func (m *Stores) report(c *sim.Client, format string, args ...any) {
	if len(m.wrong) < 32 {
		m.wrong = append(m.wrong, fmt.Sprintf("%s at %v: ", c.Name(), time.Duration(c.Now()))+fmt.Sprintf(format, args...))
	}
}

func (m *Stores) of(c *sim.Client) *acquaintance {
	for _, a := range m.clients {
		if a.client == c {
			return a
		}
	}
	a := &acquaintance{
		client: c,
		served: map[ports.RegionID]service{}, doubts: map[ports.RegionID]ports.Instant{},
		errands: map[sim.Caller]*errand{},
	}
	m.clients = append(m.clients, a)
	return a
}

// store returns what is known of a store. The pointer is good until the next call.
func (a *acquaintance) store(id ports.StoreID) *repute {
	for len(a.stores) <= int(id) {
		a.stores = append(a.stores, repute{})
	}
	return &a.stores[id]
}

// Submitted holds a new attempt against what its client knows.
func (m *Stores) Submitted(t *sim.Attempt) {
	a := m.of(t.Client)
	e := a.errands[t.Caller]
	if s := a.store(t.To.Store); s.dead && t.Sent.Sub(s.since) > settled {
		m.desperate(a, e, t)
	}
	s, ok := a.served[t.Header.Region.ID]
	if e == nil && ok && s.version == t.Header.Region && s.peer != t.Header.Peer && t.Sent.Sub(s.at) > settled &&
		(a.searched == 0 || t.Sent.Sub(a.searched) > roundabout) &&
		!t.Header.ReplicaRead {
		m.report(t.Client, "asks store %d for region %d, which store %d has just served", t.To.Store,
			t.Header.Region.ID, s.peer.Store)
	}
}

// desperate holds an attempt at a dead store against what else could be done.
func (m *Stores) desperate(a *acquaintance, e *errand, t *sim.Attempt) {
	r, ok := m.region(t.Header.Region.ID)
	if !ok || r.RegionVersion != t.Header.Region {
		return
	}
	for _, p := range r.Peers {
		o := a.store(p.Store)
		if p.Store == t.To.Store || p.Role != ports.RoleVoter || p.Witness || !o.well || t.Sent.Sub(o.since) <= settled {
			continue
		}
		switch {
		case e == nil || !slices.Contains(e.asked, p.Store):
			m.report(t.Client, "asks store %d, which it knows to be dead, before store %d", t.To.Store, p.Store)
			return
		case slices.Contains(e.answered, p.Store) && !e.lost && t.Deadline.Sub(t.Sent) > bound:
			m.report(t.Client, "waits %v for store %d, which it knows to be dead, though store %d answers",
				t.Deadline.Sub(t.Sent), t.To.Store, p.Store)
			return
		}
	}
}

// Answered takes a reply.
func (m *Stores) Answered(t *sim.Attempt, reply ports.Reply) {
	a, now, region := m.of(t.Client), t.Client.Now(), t.Header.Region
	s := a.store(t.To.Store)
	if f := reply.Region(); f != nil {
		a.doubt(region.ID, now)
		for i := range f.Regions {
			a.doubt(f.Regions[i].ID, now)
		}
		a.errand(t).answer(t.To.Store)
		s.dead = false
		if f.Kind == ports.FaultStoreNotMatch {
			*s = repute{trouble: now, since: now}
		}
		return
	}
	if len(a.errands) > 0 {
		delete(a.errands, t.Caller)
	}
	if !s.well {
		*s = repute{well: true, since: now, trouble: s.trouble, failed: s.failed}
	}
	if d := a.doubts[region.ID]; d >= t.Sent || s.trouble >= t.Sent || t.Client.Locating() {
		delete(a.served, region.ID)
		return
	}
	a.served[region.ID] = service{region, t.Header.Peer, now}
}

// Unanswered takes the news that there is no reply.
func (m *Stores) Unanswered(t *sim.Attempt, cause ports.CauseKind) {
	a, now := m.of(t.Client), t.Client.Now()
	s := a.store(t.To.Store)
	s.well, s.trouble = false, now
	switch cause {
	case ports.CauseTimeout:
		if now.Sub(t.Sent) >= hurry {
			s.failed = now
		}
	case ports.CauseConnection, ports.CauseHung, ports.CauseNone, ports.CauseNotFound:
		s.failed = now
	case ports.CauseClosed, ports.CauseRejected, ports.CauseMalformed:
	}
	a.forget(t.To.Store)
	a.doubt(t.Header.Region.ID, now)
	e := a.errand(t)
	e.lost = true
	e.ask(t.To.Store)
}

// Asked takes a question to PD: what it answers may be older than what is known.
func (m *Stores) Asked(c *sim.Client, q *ports.Query) {
	switch q.Kind {
	case ports.QueryRegion, ports.QueryRegionByEnd, ports.QueryRegions:
		clear(m.of(c).served)
	case ports.QueryStore, ports.QueryStores:
		m.of(c).searched = c.Now()
	}
}

// Probing holds a probe against what has failed.
func (m *Stores) Probing(c *sim.Client, to ports.Endpoint) {
	a, now := m.of(c), c.Now()
	s := a.store(to.Store)
	if s.probed == "" && !s.suspected && (s.failed == 0 || now.Sub(s.failed) > settled) {
		m.report(c, "asks whether store %d serves, though nothing has failed there", to.Store)
	}
	s.probed, s.asked, s.trouble, s.well = to.Address, now, now, false
	a.forget(to.Store)
}

// Probed takes the answer to a probe, unless it is out of date.
func (m *Stores) Probed(c *sim.Client, to ports.Endpoint, cause ports.CauseKind) {
	a, now := m.of(c), c.Now()
	s := a.store(to.Store)
	if s.probed != to.Address || cause == ports.CauseClosed {
		return
	}
	s.probed, s.suspected, s.trouble, s.since = "", cause != ports.CauseNone, now, now
	s.well, s.dead = !s.suspected, s.suspected
	a.forget(to.Store)
}

// forget drops what a store has served.
func (a *acquaintance) forget(id ports.StoreID) {
	for region, s := range a.served {
		if s.peer.Store == id {
			delete(a.served, region)
		}
	}
}

// doubt notes that a region may not be what it was.
func (a *acquaintance) doubt(id ports.RegionID, now ports.Instant) {
	a.doubts[id] = now
	delete(a.served, id)
}

// errand returns the routed call of an attempt that was not served.
func (a *acquaintance) errand(t *sim.Attempt) *errand {
	e := a.errands[t.Caller]
	if e == nil {
		e = &errand{}
		a.errands[t.Caller] = e
	}
	return e
}

func (e *errand) answer(id ports.StoreID) {
	e.ask(id)
	if !slices.Contains(e.answered, id) {
		e.answered = append(e.answered, id)
	}
}

// ask notes a store that was asked, and has not answered.
func (e *errand) ask(id ports.StoreID) {
	if !slices.Contains(e.asked, id) {
		e.asked = append(e.asked, id)
	}
	e.answered = slices.DeleteFunc(e.answered, func(o ports.StoreID) bool { return o == id })
}
