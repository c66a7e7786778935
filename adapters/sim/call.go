package sim

import (
	"bytes"
	"slices"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// call is one request from its submission to its answer, and on until nothing of it is on its way any more.
//
//	submitted ──dial──▶ travelling ──▶ at the store ──▶ executed ──▶ answer travels ──▶ answered
//	    │                   │               │                             │                ▲
//	    └─ Unsent ──────────┴── Lost: by deadline, reset, crash, hang ────┴────────────────┘
type call struct {
	id     uint64
	client *Client
	link   *link
	// place is the call's index in the link's list, -1 once it is answered.
	place    int
	to       ports.Endpoint
	began    ports.Instant
	hdr      ports.Header
	req      ports.Request
	copy     requestCopy
	deadline ports.Instant
	tok      ports.Tok
	sink     ports.Sink
	// incarnation is that of the store to which the request was sent.
	incarnation uint64
	// sent: bytes were handed to the wire.
	sent bool
	// underway: the request itself, not a duplicate, is yet to be executed. Duplicates come after it, because only the
	// first execution is answered.
	underway bool
	// decided: duplicates have no effect any more.
	decided bool
	// limited: the deadline is on the agenda, or the silence limit of a hung store.
	limited, silenced bool
	// uses counts what still points here: the list, and things on the agenda.
	uses int
}

func (c *call) answered() bool { return c.place < 0 }

// link is the connection of a client to an address. Requests and replies keep their order on it, but a store may
// execute in another order.
type link struct {
	client  *Client
	address string
	open    bool
	calls   []*call
	// there and back are the instants at which the last message in each direction arrives.
	there, back ports.Instant
	// blocked is until when nothing gets through between the two machines.
	blocked ports.Instant
}

func (w *World) newCall() *call {
	if n := len(w.calls); n > 0 {
		c := w.calls[n-1]
		w.calls = w.calls[:n-1]
		return c
	}
	return &call{}
}

// leave ends one use of a call, which ends with the last one.
func (w *World) leave(c *call) {
	c.uses--
	if c.uses == 0 && !w.shared {
		c.client, c.link, c.sink = nil, nil, nil
		w.calls = append(w.calls, c)
	}
}

// plan adds a step of a call to the agenda.
func (w *World) plan(c *call, at ports.Instant, kind happeningKind) *happening {
	c.uses++
	h := w.agenda.add(at)
	h.kind, h.call = kind, c
	return h
}

// submit begins a call.
func (w *World) submit(
	client *Client, to ports.Endpoint, hdr *ports.Header, req ports.Request, deadline ports.Instant, tok ports.Tok,
	sink ports.Sink,
) {
	c := w.newCall()
	w.lastCall++
	c.id, c.client, c.to, c.deadline, c.tok, c.sink = w.lastCall, client, to, deadline, tok, sink
	c.req = c.copy.set(req)
	c.hdr = c.copy.header(hdr)
	c.link = client.link(to.Address)
	c.place = len(c.link.calls)
	c.link.calls = append(c.link.calls, c)
	c.uses, c.incarnation, c.sent, c.limited, c.silenced = 1, 0, false, false, false
	c.underway, c.decided = false, false
	w.callNote(noteSubmit, c, uint64(req.Verb()))
	c.began = w.now
	w.monitor.Submitted(w.attempt(c))
	switch {
	case client.closed:
		w.giveUp(c, w.now, ports.EventUnsent, ports.CauseClosed)
	case deadline <= w.now:
		w.giveUp(c, w.now, ports.EventUnsent, ports.CauseTimeout)
	case !c.link.open && !w.dial(c):
	default:
		w.send(c)
	}
}

// dial opens the connection for a call, or says that it stays unsent.
func (w *World) dial(c *call) bool {
	s := w.listener(c.to.Address)
	switch {
	case s == nil || w.fault(SiteDial, FaultDial):
		w.giveUp(c, w.now+w.travel(), ports.EventUnsent, ports.CauseConnection)
		return false
	case s.hung || w.now < c.link.blocked:
		// The kernel accepts, the process does not answer.
		w.giveUp(c, min(c.deadline, w.now.Add(2*ports.SilenceLimit)), ports.EventUnsent, ports.CauseHung)
		return false
	}
	c.link.open = true
	c.link.there = max(c.link.there, w.now+2*w.travel())
	return true
}

// send puts a request on its way.
func (w *World) send(c *call) {
	l := c.link
	c.sent = true
	if broken := w.choice(SiteReset, 3); broken > 0 {
		// What is on its way arrives all the same, or is lost with the connection.
		h := w.agenda.add(w.now + w.travel())
		h.kind, h.link, h.arrives = happenReset, l, broken == 2
	}
	delay := w.travel()
	if w.fault(SiteSlow, FaultSlow) {
		delay += slowTime + slowTime/4*ports.Instant(w.choose(SiteOutage, 8))
	}
	w.duplicate(c, w.now+delay)
	if w.scripted(c, actLoseRequest) || w.fault(SiteRequestLost, FaultRequestLost) {
		w.limit(c)
		return
	}
	at := max(l.there, w.now+delay)
	l.there = at
	if w.now < l.blocked {
		w.silence(c)
	}
	if at > c.deadline {
		w.limit(c)
	}
	w.plan(c, at, happenArrive)
	c.underway = true
	if s := w.listener(c.to.Address); s != nil {
		c.incarnation = s.incarnation
		if s.hung {
			w.silence(c)
		}
	}
}

// duplicate lets a request arrive once more: soon, or long after its client has given up.
func (w *World) duplicate(c *call, at ports.Instant) {
	copies := w.choice(SiteDuplicate, 3)
	switch allowed := w.config.Faults; {
	case copies == 1 && allowed.Has(FaultDuplicate):
		at += w.travel() * ports.Instant(1+w.choose(SiteOutage, 8))
		w.plan(c, at, happenDuplicate).fault = FaultDuplicate
	case copies == 2 && allowed.Has(FaultLateDuplicate):
		at += lateTime << w.choose(SiteOutage, 7)
		w.plan(c, at, happenDuplicate).fault = FaultLateDuplicate
	}
}

// limit puts the deadline of a call on the agenda, once it is known that its answer may come too late.
func (w *World) limit(c *call) {
	if !c.limited && c.deadline != ports.Never {
		c.limited = true
		w.plan(c, c.deadline, happenDeadline)
	}
}

// silence lets the client give up a store that has said nothing for too long (ports.SilenceLimit).
func (w *World) silence(c *call) {
	if !c.silenced {
		c.silenced = true
		w.plan(c, w.now.Add(2*ports.SilenceLimit), happenSilence)
	}
}

// giveUp answers a call without a reply at an instant.
func (w *World) giveUp(c *call, at ports.Instant, event ports.EventKind, cause ports.CauseKind) {
	h := w.plan(c, at, happenGiveUp)
	h.event, h.cause = event, cause
}

// onGiveUp posts that a call has no answer, unless it has one by now.
func (w *World) onGiveUp(c *call, event ports.EventKind, cause ports.CauseKind) {
	if c.answered() {
		return
	}
	if event == ports.EventUnsent {
		w.callNote(noteUnsent, c, uint64(cause))
	} else {
		w.callNote(noteLost, c, uint64(cause))
		w.doubt(c)
	}
	sink, tok := c.sink, c.tok
	dead := c.client.crashed
	if !dead {
		w.monitor.Unanswered(w.attempt(c), cause)
	}
	w.settle(c)
	if !dead {
		w.post(sink, ports.Event{Kind: event, Tok: tok, Now: w.now, Cause: causeOf(cause)})
	}
}

// settle takes an answered call off its link.
func (w *World) settle(c *call) {
	calls := c.link.calls
	last := len(calls) - 1
	calls[c.place] = calls[last]
	calls[c.place].place = c.place
	calls[last] = nil
	c.link.calls = calls[:last]
	c.place = -1
	w.leave(c)
}

// doubt remembers that a request which can decide a commit has no certain answer.
func (w *World) doubt(c *call) {
	if r, ok := c.req.(*ports.CommitRequest); ok && decides(r) {
		w.doubts[r.StartTS] = true
	}
}

// decides reports whether a request commits the primary.
func decides(r *ports.CommitRequest) bool {
	return r.IsPrimary || slices.ContainsFunc(r.Keys, func(k []byte) bool { return bytes.Equal(k, r.Primary) })
}

// onArrive hands a request to its store.
func (w *World) onArrive(arrival *happening) {
	c, duplicate := arrival.call, arrival.kind == happenDuplicate
	s := w.listener(c.to.Address)
	if s == nil || !duplicate && s.incarnation != c.incarnation {
		c.underway = c.underway && duplicate
		return // lost with its connection, whose end answers the call
	}
	if s.hung {
		c.uses++
		s.backlog = append(s.backlog, *arrival)
		if !c.answered() {
			w.limit(c)
			w.silence(c)
		}
		return
	}
	w.callNote(noteArrive, c, uint64(s.id))
	h := w.plan(c, w.now+executeTime*ports.Instant(1+w.choose(SiteExecute, 8)), happenExecute)
	h.store, h.incarnation, h.arrived, h.duplicate, h.fault = s, s.incarnation, w.now, duplicate, arrival.fault
	if r := w.regions.byID[c.hdr.Region.ID]; r != nil {
		if leader, ok := r.leader(); ok && leader.Store == s.id {
			h.term = r.term
		}
	}
}

// onExecute lets a store do what a request asks for.
func (w *World) onExecute(h *happening) {
	c, s := h.call, h.store
	if !s.up || s.incarnation != h.incarnation {
		c.underway = c.underway && h.duplicate
		return // lost with the process, before it took effect
	}
	if s.hung {
		c.uses++
		s.backlog = append(s.backlog, *h)
		if !c.answered() {
			w.limit(c)
			w.silence(c)
		}
		return
	}
	if h.duplicate && c.underway {
		later := *h
		*w.plan(c, max(w.now, c.link.there)+8*executeTime, happenExecute) = later
		return
	}
	if h.duplicate && c.decided || c.hdr.ReplicaRead && w.waits(h) || w.cut > 0 && w.stalls(h) {
		return
	}
	if until := s.memory.latched(c); until != 0 {
		later := *h
		*w.plan(c, max(w.now, until)+executeTime, happenExecute) = later
		return
	}
	c.underway = c.underway && h.duplicate
	b := w.newReply()
	parked := w.serve(h, b)
	if h.duplicate {
		w.count(h.fault)
	}
	if parked {
		w.drop(b)
		return
	}
	w.conclude(c, b, h.duplicate)
}

// conclude answers what was executed, unless nobody waits for it.
func (w *World) conclude(c *call, b *replyBuffer, duplicate bool) {
	if duplicate {
		w.drop(b)
		return
	}
	// No duplicate may take effect after a region error, which proves that its request is not applied. And a transport
	// does not deliver twice what it has answered: TiKV's transactional commands bear that all the same, raw writes have
	// no such protection.
	f := b.reply.Region()
	refused := f != nil && !f.MayBeApplied()
	answered := w.answer(c, b)
	c.decided = refused || answered && f == nil && c.req.Verb().Raw()
}

// serve executes a request, or finds out why not, and reports whether it waits, for a lock or to be applied: there is
// no reply then.
func (w *World) serve(h *happening, b *replyBuffer) (parked bool) {
	c, s := h.call, h.store
	header := b.header(c.req.Verb())
	f := &b.fault
	if !h.duplicate {
		s.release(c)
	}
	switch {
	case !s.applying && (w.scripted(c, actBusy) || w.fault(SiteBusy, FaultBusy)):
		*f = ports.RegionFault{Kind: ports.FaultServerIsBusy}
		f.Wait = time.Duration(w.choose(SiteOutage, 4)) * 5 * time.Millisecond
	case s.overloaded && !s.applying:
		*f = ports.RegionFault{Kind: ports.FaultServerIsBusy}
	case c.hdr.MaxExecution > 0 && w.now.Sub(h.arrived) > c.hdr.MaxExecution:
		// src/storage/errors.rs: an exceeded deadline is answered as ServerIsBusy.
		*f = ports.RegionFault{Kind: ports.FaultServerIsBusy, Deadline: true, Text: "deadline is exceeded"}
	case w.deposed(h):
		w.stale(h, f, !h.stalled && w.choose(SiteCandidate, 2) == 1)
	case !writes(c.req.Verb()) && w.ahead(s, &c.hdr, c.req, f):
	case s.memory.meets(&c.hdr, c.req, b):
		w.executedOn(s, c, b)
		return false
	case !w.admit(s, &c.hdr, c.req, f):
	case writes(c.req.Verb()) && w.ahead(s, &c.hdr, c.req, f):
	case len(c.copy.memory) > w.config.RaftEntryMaxSize && writes(c.req.Verb()):
		*f = ports.RegionFault{Kind: ports.FaultRaftEntryTooLarge} // store/peer.rs: propose_normal
	default:
		if stale := w.choice(SiteStale, 5); stale > 0 && writes(c.req.Verb()) {
			w.loseTrack(h, f, stale)
			break
		}
		if w.hold(h) {
			return true
		}
		w.perform(s, &c.hdr, c.req, b)
		if s.waits.takeMet() {
			w.park(h, b.reply.(*ports.PessimisticLockReply).Errors[0].Lock.Key)
			w.executed(c, s)
			return true
		}
		w.executedOn(s, c, b)
		return false
	}
	header.Fault = f
	w.seal(b)
	if f.MayBeApplied() {
		w.doubt(c)
	}
	return false
}

// executedOn ends the execution of a request that has a reply of its own.
func (w *World) executedOn(s *store, c *call, b *replyBuffer) {
	w.callNote(noteExecute, c, uint64(s.id))
	w.monitor.Executed(&c.hdr, c.req, b.reply)
	w.seal(b)
	w.wake(s, true)
	w.executed(c, s)
}

// seal seals a reply; where replies are not used again, nobody changes what they have borrowed either.
func (w *World) seal(b *replyBuffer) {
	if !w.shared {
		b.seal()
	}
}

// deposed reports whether the store has lost the leadership under which it has accepted a write.
func (w *World) deposed(h *happening) bool {
	r := w.regions.byID[h.call.hdr.Region.ID]
	return (h.stalled || writes(h.call.req.Verb())) && r != nil && h.term != 0 && h.term != r.term
}

// loseTrack answers a write of which its store has lost track: with StaleCommand, or, as kvproto has it
// (errorpb.UndeterminedResult), by saying so. No store of tikv/tikv does the latter yet: when a write's callback is
// dropped it knows as little, and ends (src/storage/txn/scheduler.rs: is_undetermined_error).
func (w *World) loseTrack(h *happening, f *ports.RegionFault, choice int) {
	w.stale(h, f, choice%2 == 0)
	class := FaultStaleCommand
	if allowed := w.config.Faults; choice > 2 && allowed.Has(FaultUndetermined) || !allowed.Has(FaultStaleCommand) {
		class, f.Kind = FaultUndetermined, ports.FaultUndeterminedResult
	}
	w.count(class)
}

// stale answers StaleCommand to a proposal that its proposer tracks no more; it may be applied all the same
// (raftstore: store/peer.rs: proposals of an earlier term are cleared).
func (w *World) stale(h *happening, f *ports.RegionFault, applied bool) {
	c := h.call
	*f = ports.RegionFault{Kind: ports.FaultStaleCommand}
	if !applied {
		return
	}
	unseen := w.newReply()
	unseen.header(c.req.Verb())
	hdr := c.hdr
	if r := w.regions.byID[hdr.Region.ID]; r.Leader != 0 && r.Epoch.Version == hdr.Region.Epoch.Version {
		w.perform(h.store, &hdr, c.req, unseen)
		h.store.waits.takeMet() // what has met a lock was never proposed
		w.callNote(noteExecute, c, uint64(h.store.id))
		w.monitor.Executed(&hdr, c.req, unseen.reply)
		w.wake(h.store, false)
	}
	w.drop(unseen)
}

// answer sends a reply on its way back, and reports whether it will arrive.
func (w *World) answer(c *call, b *replyBuffer) bool {
	if c.answered() {
		w.drop(b)
		return false
	}
	if w.scripted(c, actLoseReply) || w.fault(SiteReplyLost, FaultReplyLost) {
		w.drop(b)
		w.limit(c)
		return false
	}
	at := max(c.link.back, w.now+w.travel())
	c.link.back = at
	if at > c.deadline {
		w.limit(c)
	}
	w.plan(c, at, happenAnswer).reply = b
	return at <= c.deadline
}

// onAnswer posts a reply, unless the call was answered in another way.
func (w *World) onAnswer(c *call, b *replyBuffer) {
	if c.answered() {
		w.drop(b)
		return
	}
	if c.client.crashed {
		w.settle(c)
		w.drop(b)
		return
	}
	w.replyNote(c, b)
	w.monitor.Answered(w.attempt(c), b.reply)
	sink, tok := c.sink, c.tok
	w.settle(c)
	ev := ports.Event{Kind: ports.EventReply, Tok: tok, Now: w.now, Reply: b.reply}
	if !w.shared {
		ev.Lease = b
	}
	w.post(sink, ev)
}

// onSilence gives a hung store up: everything in flight there is Lost.
func (w *World) onSilence(c *call) {
	if s := w.listener(c.to.Address); !c.answered() && (s != nil && s.hung || w.now < c.link.blocked) {
		w.reset(c.link, true, ports.CauseHung)
	}
}

// reset breaks a connection: everything in flight on it is Lost, and what waits for it Unsent. When arrives is false,
// what has not reached the store does not.
func (w *World) reset(l *link, arrives bool, cause ports.CauseKind) {
	l.open = false
	for _, c := range l.calls {
		if !arrives {
			c.incarnation = 0
		}
		if c.sent {
			w.giveUp(c, w.now, ports.EventLost, cause)
		} else {
			w.giveUp(c, w.now, ports.EventUnsent, cause)
		}
	}
}

// causeTexts say why there is no answer.
var causeTexts = [...]string{
	ports.CauseNone: "", ports.CauseTimeout: "no answer in time", ports.CauseConnection: "connection refused or broken",
	ports.CauseClosed: "closed", ports.CauseMalformed: "malformed", ports.CauseRejected: "rejected",
	ports.CauseNotFound: "unknown to PD", ports.CauseHung: "no sign of life",
}

func causeOf(kind ports.CauseKind) ports.Cause {
	return ports.Cause{Kind: kind, Text: causeTexts[kind]}
}
