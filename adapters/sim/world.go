package sim

import (
	"fmt"
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// The units of time. Choosers multiply them.
const (
	travelTime    = ports.Instant(50 * time.Microsecond)
	executeTime   = ports.Instant(20 * time.Microsecond)
	slowTime      = ports.Instant(200 * time.Millisecond)
	lateTime      = ports.Instant(time.Second)
	heartbeatTime = ports.Instant(2 * time.Millisecond)
	electionTime  = ports.Instant(500 * time.Millisecond)
	mergeTime     = ports.Instant(2 * time.Millisecond)
)

// World is a simulated cluster with everything in it. One goroutine owns it: nothing of it is safe for concurrent use,
// except through [Wall].
type World struct {
	config  Config
	chooser Chooser
	now     ports.Instant
	agenda  agenda
	events  uint64
	hash    digest
	counts  Counts
	// healed: no fault begins any more.
	healed bool
	// shared: others than the world's goroutine see replies, so that none is used twice, and events wait in the outbox.
	shared bool
	outbox []posting

	engine  mvcc.Engine
	stores  []*store
	regions regionSet
	pd      driver
	clients []*Client
	// severed counts pairs of stores that do not hear each other, cut regions whose leader has no majority.
	severed, cut int
	// full counts stores whose disk is not as it should be.
	full    int
	tasks   []*Task
	running *Task
	rules   []rule
	monitor Monitor
	// shown is what the monitor is shown.
	shown Attempt
	// doubts are the transactions whose decisive request has no certain answer.
	doubts map[ports.Timestamp]bool
	// abandoned are addresses at which a store once listened.
	abandoned        []string
	lastID, lastCall uint64
	// deadlocks is the detector; lastWait counts the requests that have waited for locks.
	deadlocks detection
	lastWait  uint64

	calls     []*call
	replies   []*replyBuffer
	questions []*question
}

// New makes a cluster: stores are up, regions have leaders, PD knows them.
func New(config Config) (*World, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	w := &World{config: config, chooser: config.Chooser, hash: digestStart, monitor: unwatched{}}
	w.doubts = map[ports.Timestamp]bool{}
	w.now = ports.Instant(time.Second)
	for i := range config.Stores {
		w.stores = append(w.stores, &store{
			id: ports.StoreID(i + 1), address: fmt.Sprintf("store-%d:20160", i+1), up: true, incarnation: 1,
		})
	}
	w.lastID = uint64(config.Stores)
	w.populate()
	w.learn()
	w.disturbLater()
	w.collectLater()
	w.bucketsLater()
	return w, nil
}

// Now returns the present instant; it starts above 0.
func (w *World) Now() ports.Instant { return w.now }

// Next returns the instant of the next event, [ports.Never] when there is none.
func (w *World) Next() ports.Instant {
	at, _ := w.agenda.next()
	return at
}

// Step lets the next event happen and reports whether there was one.
func (w *World) Step() bool {
	if w.agenda.empty() {
		return false
	}
	h, slot := w.agenda.pop()
	w.now = max(w.now, slot.at)
	w.events++
	switch {
	case h.call != nil:
		w.stepCall(h)
	case h.question != nil:
		w.stepQuestion(h)
	default:
		w.stepOther(h)
	}
	w.agenda.release(slot)
	return true
}

// stepCall lets the next thing happen to a call.
func (w *World) stepCall(h *happening) {
	c := h.call
	switch h.kind {
	case happenArrive, happenDuplicate:
		w.onArrive(h)
	case happenExecute:
		w.onExecute(h)
	case happenAnswer:
		w.onAnswer(c, h.reply)
	case happenDeadline:
		w.onGiveUp(c, ports.EventLost, ports.CauseTimeout)
	case happenSilence:
		w.onSilence(c)
	case happenGiveUp:
		w.onGiveUp(c, h.event, h.cause)
	default:
	}
	w.leave(c)
}

// stepOther lets anything else happen.
func (w *World) stepOther(h *happening) {
	switch h.kind {
	case happenTimer:
		w.note(noteTimer, uint64(h.client.id), uint64(h.tok.Addr), uint64(h.tok.Gen))
		if !h.client.crashed {
			w.post(h.sink, ports.Event{Kind: ports.EventTimer, Tok: h.tok, Now: w.now})
		}
	case happenRun:
		h.run()
	case happenInProcess:
		w.onInProcess(h)
	case happenTask:
		w.resume(h.task)
	case happenReset:
		w.count(FaultReset)
		w.reset(h.link, h.arrives, ports.CauseConnection)
	case happenHeartbeat:
		w.learn()
	case happenElection:
		w.onElection(h.region)
	case happenDisturb:
		w.disturb()
	case happenRestart, happenResume:
		w.endOutage(h)
	default:
	}
}

// post brings an event to its sink.
func (w *World) post(sink ports.Sink, ev ports.Event) {
	if w.shared {
		w.outbox = append(w.outbox, posting{sink, ev})
		return
	}
	sink.Post(ev)
}

// Run steps until done reports true, at most until the given instant, and returns what done said last. A nil done
// never is.
func (w *World) Run(until ports.Instant, done func() bool) bool {
	for {
		if done != nil && done() {
			return true
		}
		at, ok := w.agenda.next()
		if !ok || at > until {
			w.now = max(w.now, min(until, at))
			return false
		}
		w.Step()
	}
}

// After calls f at the given instant, as an event of its own.
func (w *World) After(at ports.Instant, f func()) {
	h := w.agenda.add(max(at, w.now))
	h.kind, h.run = happenRun, f
}

// Choose asks the world's chooser, for workloads that belong to the run.
func (w *World) Choose(site Site, n int) int { return w.choose(site, n) }

// choose is Choose where there may be nothing to choose from.
func (w *World) choose(site Site, n int) int {
	if n < 2 {
		return 0
	}
	value := w.chooser.Choose(site, n)
	if value < 0 || value >= n {
		panic(fmt.Sprintf("sim: chooser answered %d of %d at site %s", value, n, site))
	}
	return value
}

// choice asks a site of faults: 0 when faults are over, or not allowed.
func (w *World) choice(site Site, n int) int {
	if w.healed || w.config.Faults&siteFaults[site] == 0 {
		return 0
	}
	return w.choose(site, n)
}

// fault asks a site whether a fault happens now, and counts it.
func (w *World) fault(site Site, f Fault) bool {
	if w.choice(site, 2) == 0 {
		return false
	}
	w.count(f)
	return true
}

// travel returns the time that a message needs.
func (w *World) travel() ports.Instant {
	return travelTime * ports.Instant(1+w.chooser.Choose(SiteDelay, 16))
}

func (w *World) pdTravel() ports.Instant {
	return travelTime * ports.Instant(1+w.chooser.Choose(SiteOracleDelay, 16))
}

// Counts returns how often each fault has happened.
func (w *World) Counts() Counts { return w.counts }

// Hash returns the running hash over everything that happened. Two runs with equal hashes were the same run.
func (w *World) Hash() uint64 { return uint64(w.hash) }

// Events returns the number of events that happened.
func (w *World) Events() uint64 { return w.events }
