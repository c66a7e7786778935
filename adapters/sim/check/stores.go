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
//   - a request goes to the peer that served the last one of its region, unless something has been heard since;
//   - a store that is busy again and again is asked after the others: perhaps it does not lead any more;
//   - PD's followers are not asked again for what its leader did not know well enough;
//   - a store is not asked before PD has said where it is, nor a region for keys that it does not hold.
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
	// maxStrays is how often a request may go elsewhere than to who has just served: calls that paused meanwhile may.
	maxStrays = 8
	// tooBusy is how often the first store that is asked may say that it is busy before another is asked.
	tooBusy = 2
	// referred is for how long after a question to PD's leader its followers may be asked the same less than
	// maxFollowers times.
	referred     = 200 * time.Millisecond
	maxFollowers = 3
	// bound is how long an attempt at a dead store may take when others answer.
	bound = time.Second
)

// acquaintance is what a client was told.
type acquaintance struct {
	client *sim.Client
	stores []repute
	// served are the peers that served regions last, doubts the instants at which anything else was heard of regions.
	served map[ports.RegionID]service
	doubts map[ports.RegionID]ports.Instant
	// strays counts the requests that went elsewhere than to whoever had just served, since a store was in trouble.
	strays map[ports.RegionID]int
	// fresh are the questions about regions that PD's leader was asked.
	fresh map[question]referral
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

// question is what PD was asked about a region.
type question struct {
	kind ports.QueryKind
	key  string
}

// referral is when PD's leader was asked, and how often its followers were since.
type referral struct {
	at        ports.Instant
	followers int
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
	// busies counts the answers of busy in a row, in one version of a region, that it is busy and knows no more.
	busies  int
	busy    ports.StoreID
	version ports.RegionVersion
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
		strays: map[ports.RegionID]int{}, fresh: map[question]referral{}, errands: map[sim.Caller]*errand{},
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
	if t.To.Address == "" {
		m.report(t.Client, "asks store %d nowhere", t.To.Store)
	}
	if e != nil && !t.Header.IsRetry {
		e.busies = 0 // another call, with the same address as one that has ended
	}
	if e != nil && e.busies >= tooBusy && len(e.asked) == 1 && e.asked[0] == t.To.Store {
		m.stubborn(a, e, t)
	}
	if s := a.store(t.To.Store); s.dead && t.Sent.Sub(s.since) > settled {
		m.desperate(a, e, t)
	}
	s, ok := a.served[t.Header.Region.ID]
	if e == nil && ok && s.version == t.Header.Region && s.peer != t.Header.Peer && t.Sent.Sub(s.at) > settled &&
		found(t, s.peer.Store) && !t.Header.ReplicaRead {
		if a.strays[t.Header.Region.ID]++; a.strays[t.Header.Region.ID] > maxStrays {
			m.report(t.Client, "asks store %d for region %d, which store %d has just served, again and again", t.To.Store,
				t.Header.Region.ID, s.peer.Store)
		}
	}
}

// found reports whether a client can go to a store: calls remember for a round that it could not be found.
func found(t *sim.Attempt, id ports.StoreID) bool {
	vain := t.Client.Vain(id)
	return vain == 0 || t.Sent.Sub(vain) > roundabout
}

// offers reports whether a client can ask a peer in place of the one that it asks.
func (s *repute) offers(p ports.Peer, t *sim.Attempt) bool {
	return p.Role == ports.RoleVoter && !p.Witness && s.well && t.Sent.Sub(s.since) > settled && found(t, p.Store)
}

// desperate holds an attempt at a dead store against what else could be done.
func (m *Stores) desperate(a *acquaintance, e *errand, t *sim.Attempt) {
	r, ok := m.region(t.Header.Region.ID)
	if !ok || r.RegionVersion != t.Header.Region {
		return
	}
	for _, p := range r.Peers {
		o := a.store(p.Store)
		if p.Store == t.To.Store || !o.offers(p, t) {
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

// stubborn holds an attempt at a store that is busy all the time against what else could be done.
func (m *Stores) stubborn(a *acquaintance, e *errand, t *sim.Attempt) {
	r, ok := m.region(t.Header.Region.ID)
	if !ok || r.RegionVersion != t.Header.Region {
		return
	}
	for _, p := range r.Peers {
		if p.Store != t.To.Store && a.store(p.Store).offers(p, t) {
			m.report(t.Client, "asks store %d, which was busy %d times, before store %d", t.To.Store, e.busies, p.Store)
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
		a.errand(t).answer(t, f)
		s.dead = false
		if f.Kind == ports.FaultKeyNotInRegion {
			// Stores compare versions first, and of one version there is one range.
			m.report(t.Client, "asks version %v of region %d for keys that it does not hold", region.Epoch, region.ID)
		}
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
	if q.Kind == ports.QueryStore || q.Kind == ports.QueryStores {
		return
	}
	a, now := m.of(c), c.Now()
	clear(a.served)
	clear(a.strays)
	about := question{q.Kind, string(q.Key)}
	if q.Fresh {
		a.fresh[about] = referral{at: now}
		return
	}
	r, ok := a.fresh[about]
	if !ok {
		return
	}
	if r.followers++; now.Sub(r.at) > referred {
		delete(a.fresh, about)
		return
	}
	if a.fresh[about] = r; r.followers == maxFollowers {
		m.report(c, "asks PD's followers %d times for %q, after its leader", r.followers, q.Key)
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

// forget drops what a store in trouble has served.
func (a *acquaintance) forget(id ports.StoreID) {
	clear(a.strays)
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

func (e *errand) answer(t *sim.Attempt, f *ports.RegionFault) {
	id := t.To.Store
	e.ask(id)
	if e.busy != id || e.version != t.Header.Region {
		e.busy, e.version, e.busies = id, t.Header.Region, 0
	}
	if f.Kind == ports.FaultServerIsBusy && !f.Deadline && f.Wait == 0 && f.Backoff == 0 {
		e.busies++
	} else {
		e.busies = 0
	}
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
