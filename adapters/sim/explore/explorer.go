package explore

import (
	"time"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/core/sm"
)

// Result is what a search has found.
type Result struct {
	// States is the number of distinct states. Ends is that of distinct ends: what clients have seen and stores keep when
	// no client has anything to do any more.
	States, Ends int
	// Transitions is the number of steps that were taken.
	Transitions uint64
	// Depth is the length of the longest path.
	Depth int
	// Exhausted: every behaviour was seen.
	Exhausted bool
	// Violation says what went wrong, empty if nothing did. Then the search was broken off.
	Violation string
	Elapsed   time.Duration
}

// rememberedClients bounds how many states of clients are remembered, with the steps between them: each is a few KB.
// Beyond, all are forgotten, and what is needed again is worked out again.
const rememberedClients = 1 << 18

// Explorer searches one configuration. Not safe for concurrent use.
type Explorer struct {
	config Config
	knobs  sm.Knobs
	stores *storeView
	// What was met before, by fingerprint, and what was worked out before.
	clients    map[uint64]*client
	lastClient uint32
	engines    map[uint64]*engine
	layouts    map[uint64]*layout
	requests   map[uint64]*request
	replies    map[uint64]*reply
	replyList  []*reply
	edges      map[edgeKey]*edge
	executions map[executionKey]*execution
	scratch    []byte

	seen   prints
	ends   prints
	result Result
	// lists holds the enabled steps of each state on the path.
	lists [][]step
}

// New returns an explorer of a configuration of at most three clients.
func New(config Config) *Explorer {
	x := &Explorer{config: config, knobs: sm.DefaultKnobs(), stores: newStoreView()}
	x.reset()
	return x
}

func (x *Explorer) reset() {
	x.clients, x.engines = map[uint64]*client{}, map[uint64]*engine{}
	x.layouts, x.requests, x.replies = map[uint64]*layout{}, map[uint64]*request{}, map[uint64]*reply{}
	x.edges, x.executions, x.replyList = map[edgeKey]*edge{}, map[executionKey]*execution{}, nil
	x.seen, x.ends, x.result = prints{}, prints{}, Result{}
}

// first is the state in which every search begins.
func (x *Explorer) first() state {
	s := state{engine: x.engine(&mvcc.Engine{}), layout: x.firstLayout()}
	for i := range x.config.Clients {
		s.clients[i].client = x.settle(&client{program: &x.config.Clients[i]}, false)
	}
	return s
}

// Run searches all that can happen, depth first.
func (x *Explorer) Run() Result {
	x.reset()
	began := time.Now()
	s := x.first()
	x.seen.add(s.fingerprint(x.config.plain))
	x.result.Exhausted = x.visit(&s, 1)
	x.result.States, x.result.Ends = x.seen.Len(), x.ends.Len()
	x.result.Elapsed = time.Since(began)
	return x.result
}

// visit searches from a state on; false breaks the search off.
func (x *Explorer) visit(s *state, depth int) bool {
	x.result.Depth = max(x.result.Depth, depth)
	if depth > len(x.lists) {
		x.lists = append(x.lists, nil)
	}
	list := x.enabled(s, x.lists[depth-1][:0])
	x.lists[depth-1] = list
	if wrong := x.arrived(s, list); wrong != "" {
		return x.broken(wrong)
	}
	for _, st := range list {
		x.result.Transitions++
		next := *s
		if wrong := x.apply(&next, st); wrong != "" {
			return x.broken(wrong)
		}
		if !x.seen.add(next.fingerprint(x.config.plain)) {
			continue
		}
		if x.config.Limit > 0 && x.seen.Len() > x.config.Limit {
			return false
		}
		if !x.visit(&next, depth+1) {
			return false
		}
	}
	return true
}

func (x *Explorer) broken(wrong string) bool {
	x.result.Violation = wrong
	return false
}

// arrived says what is wrong with a state that is seen for the first time, and in which the given steps can be taken.
func (x *Explorer) arrived(s *state, list []step) string {
	if wrong := s.inspect(); wrong != "" {
		return wrong
	}
	if s.resting() {
		x.ends.add(s.outcome())
		return x.end(s)
	}
	for i := range list {
		if list[i].kind != stepLate {
			return ""
		}
	}
	return s.stuck()
}
