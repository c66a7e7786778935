package sim

import "github.com/tikvx/tikvx/ports"

// happening is one thing that will happen. Only the fields that its kind needs are set.
type happening struct {
	kind happeningKind
	// duplicate: nobody waits for what comes of it. arrives: what is on its way survives the reset. moves: the store
	// restarts on another address.
	duplicate, arrives, moves bool
	// stalled: a leader without a majority could not do it at first.
	stalled bool
	fault   Fault
	event   ports.EventKind
	cause   ports.CauseKind
	// incarnation is that of the store, or of what else can be overtaken; term is that of the region if the store led it
	// when a request arrived.
	incarnation, term uint64
	arrived           ports.Instant
	tok               ports.Tok
	sink              ports.Sink
	client            *Client
	call              *call
	link              *link
	store             *store
	region            *region
	reply             *replyBuffer
	question          *question
	task              *Task
	run               func()
}

type happeningKind uint8

const (
	happenTimer happeningKind = iota
	happenRun
	happenTask
	// A request arrives at a store, is executed, is answered.
	happenArrive
	happenDuplicate
	happenExecute
	happenAnswer
	// A call that has no answer by its deadline, or by the silence limit of a hung store, is given up.
	happenDeadline
	happenSilence
	happenGiveUp
	happenReset
	// Questions to PD arrive, and are answered, as are probes.
	happenTimestampAsked
	happenAsked
	happenTold
	happenHeartbeat
	happenElection
	happenDisturb
	happenRestart
	happenResume
	// Something happens in a store's process.
	happenInProcess
	numHappenings
)

// agenda is a wheel for what happens soon, as most does, and a 4-ary heap for the rest: timers, and what was due
// already. What happens lies beside them, so that little is moved. Happenings stay where they are until they have
// happened.
type agenda struct {
	wheel    wheel
	slots    []slot
	items    []*happening
	free     []uint32
	sequence uint64
}

type slot struct {
	at ports.Instant
	// order keeps things of one instant in the order in which they were added.
	order uint64
	item  uint32
}

func (s *slot) before(o *slot) bool { return s.at < o.at || s.at == o.at && s.order < o.order }

// add returns the place of a new happening, to be filled in before the next call.
func (a *agenda) add(at ports.Instant) *happening {
	var item uint32
	if n := len(a.free); n > 0 {
		item = a.free[n-1]
		a.free = a.free[:n-1]
	} else {
		item = uint32(len(a.items))
		a.items = append(a.items, &happening{})
	}
	a.sequence++
	if s := (slot{at: at, order: a.sequence, item: item}); !a.wheel.add(s) {
		a.slots = append(a.slots, s)
		a.up(len(a.slots) - 1)
	}
	return a.items[item]
}

func (a *agenda) empty() bool {
	return len(a.slots) == 0 && a.wheel.taken == [len(a.wheel.taken)]uint64{}
}

// first returns the first slot, nil when there is none, and whether it is on the wheel.
func (a *agenda) first() (s *slot, near bool) {
	s = a.wheel.first()
	if len(a.slots) > 0 && (s == nil || a.slots[0].before(s)) {
		return &a.slots[0], false
	}
	return s, s != nil
}

// next returns the instant of the first happening.
func (a *agenda) next() (ports.Instant, bool) {
	if s, _ := a.first(); s != nil {
		return s.at, true
	}
	return ports.Never, false
}

// pop removes the first happening, which there must be; it is given back with release once it has happened.
func (a *agenda) pop() (*happening, slot) {
	s, near := a.first()
	first := *s
	if near {
		a.wheel.pop(first.at)
	} else {
		last := len(a.slots) - 1
		a.slots[0] = a.slots[last]
		a.slots = a.slots[:last]
		if last > 0 {
			a.down(0)
		}
	}
	a.wheel.turn(first.at)
	return a.items[first.item], first
}

func (a *agenda) release(s slot) {
	*a.items[s.item] = happening{}
	a.free = append(a.free, s.item)
}

func (a *agenda) up(i int) {
	moved := a.slots[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !moved.before(&a.slots[parent]) {
			break
		}
		a.slots[i] = a.slots[parent]
		i = parent
	}
	a.slots[i] = moved
}

func (a *agenda) down(i int) {
	moved := a.slots[i]
	for {
		first := 4*i + 1
		if first >= len(a.slots) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(a.slots)); c++ {
			if a.slots[c].before(&a.slots[least]) {
				least = c
			}
		}
		if !a.slots[least].before(&moved) {
			break
		}
		a.slots[i] = a.slots[least]
		i = least
	}
	a.slots[i] = moved
}
