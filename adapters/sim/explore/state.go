package explore

import (
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// maxClients bounds the clients of a configuration.
const maxClients = 3

// state is the whole world at one moment. It is a value: its components do not change.
type state struct {
	clients [maxClients]slot
	engine  *engine
	layout  *layout
	// ticks counts the timestamps that the oracle has given, leaps its leaps.
	ticks, leaps uint8
	// forced counts the steps that were taken because nothing else could happen.
	forced uint8
	spent  Budget
}

// slot is a client with what was said of its transaction.
type slot struct {
	client *client
	said   said
}

var wholeSpace = mvcc.Extent{}

const (
	// epoch is the oracle's first millisecond, leap what it leaps: more than any lock lives.
	epoch = 1_000_000
	leap  = 60_000
)

func (s *state) now() ports.Timestamp {
	return ports.ComposeTimestamp(epoch+leap*int64(s.leaps), int64(s.ticks))
}

// tick lets the oracle give a timestamp.
func (s *state) tick() uint64 {
	s.ticks++
	return uint64(s.now())
}

// fingerprint is equal for states that differ in nothing but the order of their clients; if ordered is set, that
// counts, too.
func (s *state) fingerprint(ordered bool) uint64 {
	spent := uint64(0)
	for _, b := range s.spent {
		spent = spent<<6 | uint64(b)
	}
	d := fold(s.people(ordered), s.layout.fingerprint)
	return fold(fold(d, spent), uint64(s.ticks)|uint64(s.leaps)<<8|uint64(s.forced)<<16)
}

// outcome is the fingerprint of what clients have seen and what is stored. How it came to that does not count.
func (s *state) outcome() uint64 { return s.people(false) }

// people is the fingerprint of the clients and of what is stored.
func (s *state) people(ordered bool) uint64 {
	var prints [maxClients]uint64
	n := 0
	for ; n < maxClients && s.clients[n].client != nil; n++ {
		p := fold(s.clients[n].client.fingerprint, uint64(s.clients[n].said))
		i := n
		for ; i > 0 && prints[i-1] > p && !ordered; i-- {
			prints[i] = prints[i-1]
		}
		prints[i] = p
	}
	d := s.engine.fingerprint
	for _, p := range prints[:n] {
		d = fold(d, p)
	}
	return d
}

// stepKind is what can happen.
type stepKind uint8

const (
	stepBegin stepKind = iota
	stepTick
	stepExecute
	stepDuplicate
	stepArrive
	stepFire
	stepLate // a late request is executed
	stepLose
	stepCrash
	stepCancel
	stepDeadline
	stepSplit
	stepTransfer
	stepExpire
	// stepWait: nothing else can happen, and a lock's life ends; stepPoll: nor that, and a pause ends.
	stepWait
	stepPoll
)

// step is something that happens: to an item of a client, or to the region whose index item is.
type step struct {
	kind         stepKind
	client, item uint8
}

// maxForced bounds the steps that are taken because nothing else can happen. A client that needs more waits for ever.
const maxForced = 16

// enabled appends all that can happen in a state to a list. A list that stays empty is the end.
func (x *Explorer) enabled(s *state, list []step) []step {
	from := len(list)
	progress := false
	for i := range s.clients {
		c := s.clients[i].client
		if c == nil {
			break
		}
		at := len(list)
		var alone bool
		list, alone = x.ownSteps(s, i, list)
		progress = progress || len(list) > at
		if alone && !x.config.plain {
			if own := x.faultsOf(s, i, list); !x.dependent(s, own[at:]) {
				return append(list[:from], own[at:]...)
			}
		}
	}
	if !progress {
		list = x.forcedSteps(s, list)
	}
	for i := range s.clients {
		if s.clients[i].client != nil {
			list = s.lateSteps(i, list)
			if progress {
				list = x.faultsOf(s, i, list)
			}
		}
	}
	if progress {
		list = x.faultsOfAll(s, list)
	}
	return list
}

// ownSteps appends what a client and its stores do without a fault. alone: that is one thing only, which concerns
// the client and nobody else.
func (x *Explorer) ownSteps(s *state, i int, list []step) (_ []step, alone bool) {
	c := s.clients[i].client
	n := uint8(i)
	if c.phase == waiting {
		return append(list, step{stepBegin, n, 0}), false
	}
	awaited := 0
	for j := range c.items {
		it := &c.items[j]
		st := step{client: n, item: uint8(j)}
		switch it.kind {
		case lateItem:
			continue
		case requestItem:
			st.kind = stepExecute
		case replyItem:
			st.kind = stepArrive
		case timerItem:
			if it.pause == beatPause && c.beats >= x.config.Beats {
				continue
			}
			if it.pause == pollPause && c.polls >= x.config.Polls {
				awaited++
				continue
			}
			st.kind = stepFire
		case oracleItem:
			st.kind = stepTick
		}
		awaited++
		list = append(list, st)
	}
	if awaited != 1 || len(list) == 0 {
		return list, false
	}
	last := list[len(list)-1]
	return list, last.client == n && (last.kind == stepArrive || last.kind == stepFire)
}

// dependent reports whether one of a client's steps makes it look at the regions while others can still change them.
func (x *Explorer) dependent(s *state, list []step) bool {
	if !x.left(s, Split) && !x.left(s, Transfer) {
		return false
	}
	for _, st := range list {
		var kind edgeKind
		switch st.kind {
		case stepArrive:
			kind = edgeArrive
		case stepFire:
			kind = edgeFire
		case stepLose:
			kind = edgeLose
		case stepCancel:
			kind = edgeCancel
		default:
			continue // no machine is stepped
		}
		if x.edge(s.clients[st.client].client, s.layout, kind, int(st.item), 0).asked {
			return true
		}
	}
	return false
}

// lateSteps appends the executions of requests for which nobody waits; of equal ones the first.
func (s *state) lateSteps(i int, list []step) []step {
	c := s.clients[i].client
next:
	for j := range c.items {
		if c.items[j].kind != lateItem {
			continue
		}
		for k := range j {
			if c.items[k].kind == lateItem && c.items[k].request == c.items[j].request {
				continue next
			}
		}
		list = append(list, step{stepLate, uint8(i), uint8(j)})
	}
	return list
}

func (x *Explorer) left(s *state, f Fault) bool { return s.spent[f] < x.config.Budget[f] }

// faultsOf appends the faults that concern one client.
func (x *Explorer) faultsOf(s *state, i int, list []step) []step {
	c := s.clients[i].client
	if c.phase != running {
		return list
	}
	n := uint8(i)
	for j := range c.items {
		kind := c.items[j].kind
		if kind == requestItem && x.left(s, Duplicate) {
			list = append(list, step{stepDuplicate, n, uint8(j)})
		}
		if (kind == requestItem || kind == replyItem) && x.left(s, Lose) {
			list = append(list, step{stepLose, n, uint8(j)})
		}
	}
	if x.left(s, Crash) {
		list = append(list, step{stepCrash, n, 0})
	}
	if x.left(s, Cancel) && !c.left {
		list = append(list, step{stepCancel, n, 0})
	}
	if x.left(s, Late) && !c.late {
		list = append(list, step{stepDeadline, n, 0})
	}
	return list
}

// faultsOfAll appends the faults that concern the cluster.
func (x *Explorer) faultsOfAll(s *state, list []step) []step {
	if x.left(s, Split) && x.split(s.layout, x.config.SplitAt) != nil {
		list = append(list, step{kind: stepSplit})
	}
	if x.left(s, Transfer) {
		for r := range s.layout.regions {
			list = append(list, step{kind: stepTransfer, item: uint8(r)})
		}
	}
	if x.left(s, Expire) {
		list = append(list, step{kind: stepExpire})
	}
	return list
}

// forcedSteps appends what happens when nothing else can: while a client waits for a lock, its life ends; after that,
// pauses end.
func (x *Explorer) forcedSteps(s *state, list []step) []step {
	from := len(list)
	if s.forced == maxForced {
		return list
	}
	for i := range s.clients {
		c := s.clients[i].client
		if c == nil {
			break
		}
		for j := range c.items {
			if c.items[j].kind == timerItem && c.items[j].pause == pollPause {
				list = append(list, step{stepPoll, uint8(i), uint8(j)})
			}
		}
	}
	if len(list) > from && s.engine.mortal(s.now()) {
		list = append(list[:from], step{kind: stepWait})
	}
	return list
}

// apply lets something happen and says what is wrong with it.
func (x *Explorer) apply(s *state, st step) string {
	var c *client
	if st.kind < stepSplit || st.kind == stepPoll {
		c = s.clients[st.client].client
	}
	item := int(st.item)
	switch st.kind {
	case stepBegin:
		return x.move(s, st, edgeBegin, s.tick())
	case stepTick:
		return x.move(s, st, edgeTick, s.tick())
	case stepArrive:
		return x.move(s, st, edgeArrive, 0)
	case stepFire:
		return x.move(s, st, edgeFire, 0)
	case stepPoll:
		s.forced++
		return x.move(s, st, edgeFire, 0)
	case stepExecute:
		return x.serve(s, st, c.items[item].request, edgeExecuted)
	case stepDuplicate:
		s.spent[Duplicate]++
		return x.serve(s, st, c.items[item].request, edgeDuplicated)
	case stepLate:
		return x.serve(s, st, c.items[item].request, edgeSpent)
	case stepLose:
		s.spent[Lose]++
		return x.move(s, st, edgeLose, 0)
	case stepCrash:
		s.spent[Crash]++
		return x.move(s, st, edgeCrash, 0)
	case stepCancel:
		s.spent[Cancel]++
		return x.move(s, st, edgeCancel, 0)
	case stepDeadline:
		s.spent[Late]++
		return x.move(s, st, edgeLate, 0)
	case stepSplit:
		s.spent[Split]++
		s.layout = x.split(s.layout, x.config.SplitAt)
	case stepTransfer:
		s.spent[Transfer]++
		s.layout = x.transfer(s.layout, item)
	case stepExpire:
		s.spent[Expire]++
		s.leaps++
	case stepWait:
		s.forced++
		s.leaps++
	}
	return ""
}

// move lets a client take a step.
func (x *Explorer) move(s *state, st step, kind edgeKind, arg uint64) string {
	e := x.edge(s.clients[st.client].client, s.layout, kind, int(st.item), arg)
	s.clients[st.client].client = e.to
	if e.wrong != "" {
		return fmt.Sprintf("c%d: %s", st.client+1, e.wrong)
	}
	if len(e.learnt) > 0 {
		return s.believe(e.learnt)
	}
	return ""
}

// serve lets a store execute a request.
func (x *Explorer) serve(s *state, st step, r *request, kind edgeKind) string {
	done := x.execute(s.engine, r, s.layout)
	if done.wrong != "" {
		return done.wrong
	}
	s.engine = done.to
	if done.said != 0 {
		s.note(done.start, done.said)
	}
	if done.refused && kind == edgeDuplicated {
		kind = edgeExecuted // what was refused is not delivered again
	}
	return x.move(s, st, kind, uint64(done.reply.id))
}

// note keeps what a store has said of a transaction.
func (s *state) note(start ports.Timestamp, what said) {
	for i := range s.clients {
		if c := s.clients[i].client; c != nil && c.start == start {
			s.clients[i].said |= what
		}
	}
}

// stuck says who waits in a state in which nothing can happen.
func (s *state) stuck() string {
	for i := range s.clients {
		if c := s.clients[i].client; c != nil && c.phase == running {
			return fmt.Sprintf("c%d waits for ever: %s", i+1, c.machine)
		}
	}
	return ""
}

// resting reports whether no client has anything to do any more.
func (s *state) resting() bool {
	for i := range s.clients {
		if c := s.clients[i].client; c != nil && c.phase < finished {
			return false
		}
	}
	return true
}
