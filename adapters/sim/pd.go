package sim

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// driver is the placement driver with its oracle.
type driver struct {
	// last is the greatest timestamp that was allocated (PD: pkg/tso).
	last ports.Timestamp
	// known is what PD knew of the regions, newest last; stores likewise.
	known  []knowledge
	silent bool
	// refusing: PD restarts and has no leader.
	refusing bool
	// lagging is all that PD's followers know, nil when they are up to date.
	lagging *knowledge
	// outage counts outages, so that the end of an earlier one does not end a later one.
	outage uint64
	// reporting: a heartbeat is on its way.
	reporting bool
	// states are the GC states of keyspaces, global the barriers of all of them.
	states []*gcState
	global barriers
	// compacting: stores are about to drop garbage.
	compacting bool
	// buckets are those that were reported, by region.
	buckets map[ports.RegionID]*ports.Buckets
	// operators are what is being done to regions.
	operators []operator
}

type knowledge struct {
	regions []ports.Region
	stores  []ports.Store
}

// remembered bounds how old an answer can be.
const remembered = 5

// question is something that PD is asked, or a probe, until it is answered.
type question struct {
	query ports.Query
	// placement: query is what PD is asked. admin, when set, is. probe: a store is.
	placement, probe bool
	// to is the store that is probed.
	to       ports.Endpoint
	admin    *ports.AdminRequest
	deadline ports.Instant
	client   *Client
	// place is its index in the client's list, -1 once it is answered; uses counts what still points to it.
	place, uses int
	tok         ports.Tok
	sink        ports.Sink
	// What is answered.
	regions []ports.Region
	buckets []*ports.Buckets
	stores  []ports.Store
	ts      ports.Timestamp
	answer  *ports.AdminReply
}

// heartbeat lets PD hear of changes some time later (raftstore: store/worker/pd.rs).
func (w *World) heartbeat() {
	if w.pd.reporting {
		return
	}
	w.pd.reporting = true
	w.agenda.add(w.now + heartbeatTime*ports.Instant(1+w.choose(SiteDelay, 16))).kind = happenHeartbeat
}

// learn lets PD know everything as it is.
func (w *World) learn() {
	w.pd.reporting = false
	k := knowledge{stores: w.registered(), regions: w.Regions()}
	if len(w.pd.known) == remembered {
		w.pd.known = slices.Delete(w.pd.known, 0, 1)
	}
	w.pd.known = append(w.pd.known, k)
	w.pd.keepBuckets(k.regions)
}

// maxAhead is how far timestamps can run ahead of the clock, in milliseconds: a new leader of PD goes on behind what
// the last one had reserved (PD: tso-save-interval, 3 s).
const maxAhead = 3000

// allocate returns the next timestamp: its physical part follows the clock and never goes back.
func (w *World) allocate() ports.Timestamp {
	physical := w.config.Epoch + int64(w.now)/1e6
	ahead := max(0, w.pd.last.Physical()-physical)
	if ahead < maxAhead && w.fault(SiteOracleGap, FaultOracleGap) {
		physical += min(maxAhead, ahead+int64(1+w.choose(SiteOutage, 8))*100)
	}
	w.pd.last = max(w.pd.last+1, ports.ComposeTimestamp(physical, 0))
	return w.pd.last
}

// Reserve allocates n consecutive timestamps at once, as PD does for a batch, and returns the last. All of them have
// one physical part.
func (w *World) Reserve(n int) ports.Timestamp {
	if n < 1 || n >= 1<<ports.LogicalBits {
		return 0
	}
	for {
		w.allocate()
		w.pd.last += ports.Timestamp(n - 1)
		if w.pd.last.Logical() >= int64(n-1) {
			return w.pd.last
		}
	}
}

// ask begins a question of a client; without a sign of PD it is refused at its deadline.
func (w *World) ask(q *question, kind happeningKind) {
	switch {
	case q.client.closed:
		w.refuse(q, w.now, ports.CauseClosed)
		return
	case q.deadline <= w.now:
		w.refuse(q, w.now, ports.CauseTimeout)
		return
	}
	q.client.pdThere = max(q.client.pdThere, w.now+w.pdTravel())
	w.planQuestion(q, q.client.pdThere, kind)
}

func (w *World) planQuestion(q *question, at ports.Instant, kind happeningKind) *happening {
	q.uses++
	h := w.agenda.add(max(at, w.now))
	h.kind, h.question = kind, q
	return h
}

// refuse lets a question end without an answer, unless it has one by then.
func (w *World) refuse(q *question, at ports.Instant, cause ports.CauseKind) {
	if at == ports.Never {
		return
	}
	w.planQuestion(q, at, happenTold).cause = cause
}

// tell sends an answer; one that comes too late is a refusal at the deadline.
func (w *World) tell(q *question, at ports.Instant) {
	if at > q.deadline {
		w.refuse(q, q.deadline, ports.CauseTimeout)
		return
	}
	w.planQuestion(q, at, happenTold)
}

// reachable reports whether PD takes a question, and otherwise sees to its refusal.
func (w *World) reachable(q *question) bool {
	switch {
	case w.pd.silent:
		w.refuse(q, q.deadline, ports.CauseTimeout)
		return false
	case w.pd.refusing:
		w.refuse(q, min(q.deadline, w.now+w.pdTravel()), ports.CauseConnection)
		return false
	}
	return true
}

func (w *World) onTimestampAsked(q *question) {
	if !w.reachable(q) {
		return
	}
	q.ts = w.allocate()
	delay := w.pdTravel()
	if w.fault(SiteOracleSlow, FaultOracleSlow) {
		delay += slowTime / 4 * ports.Instant(1+w.choose(SiteOutage, 8))
	}
	// Timestamps come back in the order in which they were asked for.
	at := max(q.client.pdBack, w.now+delay)
	q.client.pdBack = at
	w.tell(q, at)
}

func (w *World) onAsked(q *question) {
	if !w.reachable(q) {
		return
	}
	if q.admin != nil {
		w.onAdministered(q)
		return
	}
	k := &w.pd.known[len(w.pd.known)-1]
	switch age := w.choice(SiteStalePD, min(len(w.pd.known), remembered)); {
	case q.query.Fresh:
	case w.pd.lagging != nil:
		k = w.pd.lagging
	case age > 0:
		k = &w.pd.known[len(w.pd.known)-1-age]
		w.count(FaultStalePD)
	}
	switch q.query.Kind {
	case ports.QueryRegion, ports.QueryRegionByEnd, ports.QueryRegions:
		w.findRegions(q, k.regions)
	case ports.QueryStore:
		i := slices.IndexFunc(k.stores, func(s ports.Store) bool { return s.ID == q.query.Store })
		if i < 0 {
			w.refuse(q, w.now+w.pdTravel(), ports.CauseNotFound)
			return
		}
		q.stores = k.stores[i : i+1 : i+1]
	case ports.QueryStores:
		q.stores = living(k.stores)
	}
	w.blank(q)
	if q.query.Buckets {
		q.buckets = w.pd.bucketsOf(q.regions, k == &w.pd.known[len(w.pd.known)-1])
	}
	w.tell(q, w.now+w.pdTravel())
}

// findRegions answers a question about regions. PD leaves out what it has not heard of: there may be gaps.
func (w *World) findRegions(q *question, known []ports.Region) {
	holds := func(key []byte, upper bool) int {
		return slices.IndexFunc(known, func(r ports.Region) bool {
			if !upper {
				return r.Range.Contains(key)
			}
			if len(key) == 0 {
				return len(r.Range.End) == 0
			}
			return bytes.Compare(r.Range.Start, key) < 0 &&
				(len(r.Range.End) == 0 || bytes.Compare(key, r.Range.End) <= 0)
		})
	}
	switch q.query.Kind {
	case ports.QueryRegion, ports.QueryRegionByEnd:
		if i := holds(q.query.Key, q.query.Kind == ports.QueryRegionByEnd); i >= 0 {
			q.regions = known[i : i+1 : i+1]
		}
	default:
		if i := holds(q.query.Key, false); i >= 0 {
			n := i
			for n < len(known) && n-i < q.query.Limit &&
				(len(q.query.End) == 0 || bytes.Compare(known[n].Range.Start, q.query.End) < 0) {
				n++
			}
			q.regions = known[i:n:n]
		}
	}
	if len(q.regions) > 0 && w.fault(SiteGapPD, FaultGapPD) {
		hole := w.choose(SiteOutage, len(q.regions))
		q.regions = slices.Delete(slices.Clone(q.regions), hole, hole+1)
	}
}

// onTold brings an answer to its client, a refusal if it has a cause.
func (w *World) onTold(q *question, cause ports.CauseKind) {
	ev := ports.Event{Tok: q.tok, Now: w.now, Cause: causeOf(cause)}
	who := uint64(q.client.id)
	switch {
	case q.probe:
		ev.Kind = ports.EventProbed
		if !q.client.crashed {
			w.monitor.Probed(q.client, q.to, cause)
		}
		w.note(noteProbed, who, uint64(cause), 0)
	case cause != ports.CauseNone:
		ev.Kind = ports.EventRefused
		w.note(noteRefused, who, uint64(cause), 0)
	case q.ts != 0:
		ev.Kind, ev.TS = ports.EventTimestamp, q.ts
		w.note(noteTimestamp, who, 0, uint64(q.ts))
	default:
		ev.Kind, ev.Regions, ev.Stores, ev.Admin = ports.EventPlaced, q.regions, q.stores, q.answer
		ev.Buckets = q.buckets
		w.note(notePlaced, who, uint64(len(q.regions)), uint64(len(q.stores)))
	}
	if q.placement && q.query.Kind == ports.QueryStore && (len(ev.Stores) == 0 || ev.Stores[0].Address == "") {
		q.client.vain[q.query.Store] = w.now
	}
	asked := q.client.asked
	last := len(asked) - 1
	asked[q.place] = asked[last]
	asked[q.place].place = q.place
	asked[last] = nil
	q.client.asked = asked[:last]
	q.place = -1
	q.uses--
	if !q.client.crashed {
		w.post(q.sink, ev)
	}
}

// stepQuestion lets the next thing happen to a question.
func (w *World) stepQuestion(h *happening) {
	q := h.question
	if q.place >= 0 {
		switch h.kind {
		case happenTimestampAsked:
			w.onTimestampAsked(q)
		case happenAsked:
			w.onAsked(q)
		default:
			w.onTold(q, h.cause)
		}
	}
	q.uses--
	if q.uses == 0 {
		*q = question{}
		w.questions = append(w.questions, q)
	}
}

// newQuestion returns an empty question.
func (w *World) newQuestion() *question {
	if n := len(w.questions); n > 0 {
		q := w.questions[n-1]
		w.questions = w.questions[:n-1]
		return q
	}
	return &question{}
}
