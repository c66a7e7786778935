package read

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// situation is a machine in a state, reached by a script; what is awaited is the
// effect with the number awaits.
type situation struct {
	machine string
	script  string
	state   string
	awaits  int
}

const untilStatus = "\npresent #2 T150\nstatus #3 committed T50"

var situations = map[string]situation{
	"get":          {"get", "", "idle", 0},
	"get sent":     {"get", "start", "reading", 1},
	"get pausing":  {"get", "start\nelsewhere #1", "reading", 2},
	"get locating": {"get", "start\nelsewhere #1\ntimer #2", "reading", 3},
	"get dating":   {"get", "start\nget #1 k!T10", "resolving", 2},
	"get checking": {"get", "start\nget #1 k!T10\npresent #2 T150", "resolving", 3},
	"get again":    {"get", "start\nget #1 k!T10" + untilStatus, "reading", 5},
	"get cleaning": {"get", "start\nget #1 k!T10" + untilStatus + "\nget #5 v", "cleaning", 4},
	"get answered": {"get", "start\nget #1 v", "finished", 1},
	"newest overtaken": {
		"newest", "start\nget #1 k!T10\npresent #2 T150\nstatus #3 alive 3000\ntimer #4\nget #5 k!T140", "reading", 6,
	},
	"scan":           {"scan", "", "idle", 0},
	"scan sent":      {"scan", "start", "reading", 1},
	"scan on":        {"scan", "start\nscan #1", "reading", 2},
	"scan checking":  {"scan", "start\nscan #1 b=1 c!T10\npresent #2 T150", "resolving", 3},
	"scan cleaning":  {"scan", "start\nscan #1 b=1 c!T10" + untilStatus + "\nscan #5 c=2", "cleaning", 4},
	"scan answered":  {"scan", "start\nscan #1 b=1", "finished", 1},
	"batch":          {"batch", "", "idle", 0},
	"batch sent":     {"batch", "start", "working", 1},
	"batch grouping": {"batch", "start\nforgets #1", "working", 3},
	"batch dating":   {"batch", "start\nbatch #2\nbatch #1 a!T10", "working", 3},
	"batch waiting":  {"batch", "start\nbatch #1 a!T10\nbatch #2 z!T20", "working", 3},
	"batch again":    {"batch", "start\nbatch #2\nbatch #1 a!T10\npresent #3 T150\nstatus #4 rolledback", "working", 6},
	"batch cleaning": {
		"batch", "start\nbatch #2\nbatch #1 a!T10\npresent #3 T150\nstatus #4 rolledback\nbatch #6", "cleaning", 5,
	},
	"batch answered": {"batch", "start\nbatch #1\nbatch #2", "finished", 2},
	"ts":             {"timestamp", "", "idle", 0},
	"ts asked":       {"timestamp", "start", "fetching", 1},
	"ts paused":      {"timestamp", "start\nrefused #1 timeout", "fetching", 2},
	"ts answered":    {"timestamp", "start\npresent #1 T7", "finished", 1},
}

// moves are the events that change a situation's state or want something. Replies
// are those to another verb, which no read may take for its own, and tables tell that
// they are closed.
var moves = map[string]map[ports.EventKind]string{
	"get":          {ports.EventStart: "reading"},
	"get sent":     sent("reading", "finished"),
	"get pausing":  {ports.EventTimer: "reading", ports.EventCancel: "finished"},
	"get locating": {ports.EventTell: "finished", ports.EventCancel: "finished"},
	"get dating": {
		ports.EventTimestamp: "resolving", ports.EventRefused: "resolving", ports.EventCancel: "finished",
	},
	"get checking":     sent("resolving", "finished"),
	"get again":        sent("reading", "cleaning"),
	"get cleaning":     {ports.EventReply: "finished", ports.EventLost: "cleaning", ports.EventUnsent: "cleaning"},
	"newest overtaken": sent("reading", "finished"),
	"scan":             {ports.EventStart: "reading"},
	"scan sent":        sent("reading", "finished"),
	"scan on":          sent("reading", "finished"),
	"scan checking":    sent("resolving", "finished"),
	"scan cleaning":    {ports.EventReply: "finished", ports.EventLost: "cleaning", ports.EventUnsent: "cleaning"},
	"batch":            {ports.EventStart: "working"},
	"batch sent":       sent("working", "finished"),
	"batch grouping":   {ports.EventTell: "finished", ports.EventCancel: "finished"},
	"batch dating": {
		ports.EventTimestamp: "working", ports.EventRefused: "working", ports.EventCancel: "finished",
	},
	"batch waiting": {
		ports.EventTimestamp: "working", ports.EventRefused: "working", ports.EventCancel: "finished",
	},
	"batch again":    sent("working", "cleaning"),
	"batch cleaning": {ports.EventReply: "finished", ports.EventLost: "cleaning", ports.EventUnsent: "cleaning"},
	"ts":             {ports.EventStart: "fetching"},
	"ts asked": {
		ports.EventTimestamp: "finished", ports.EventRefused: "fetching", ports.EventCancel: "finished",
	},
	"ts paused": {ports.EventTimer: "fetching", ports.EventCancel: "finished"},
}

// sent is what a machine does whose request is out: a reply to another verb and a
// cancel end it, a loss does not.
func sent(lost, ended string) map[ports.EventKind]string {
	return map[ports.EventKind]string{
		ports.EventReply: ended, ports.EventLost: lost, ports.EventUnsent: lost, ports.EventCancel: ended,
	}
}

func (s situation) reach(t testing.TB) (root, *smtest.Runner) {
	var m root
	switch s.machine {
	case "get", "newest":
		at := ms(100)
		if s.machine == "newest" {
			at = ports.MaxTimestamp
		}
		g := new(Get)
		g.Init([]byte("k"), at, Options{RequestSource: "report"}, 20*second)
		m = g
	case "scan":
		g := new(ScanPage)
		g.Init(ports.KeyRange{Start: []byte("b"), End: []byte("z")}, ms(100), 5, false, false, Options{}, 20*second)
		m = g
	case "batch":
		g := new(BatchGet)
		g.Init([][]byte{[]byte("a"), []byte("b"), []byte("z")}, ms(100), Options{}, 20*second)
		m = g
	case "timestamp":
		g := new(Timestamp)
		g.Init(20 * second)
		m = g
	}
	r := newRunner(m)
	require.NotContains(t, r.Play(s.script), "script error")
	require.Equal(t, s.state, stateOf(m))
	return m, r
}

// stateOf is the second word of what a machine says of itself.
func stateOf(m root) string {
	return strings.FieldsFunc(m.String(), func(c rune) bool { return strings.ContainsRune(" :;", c) })[1]
}

// Every kind of event in every situation, from the effect that is awaited and from
// nowhere. What is not listed changes nothing and wants nothing.
func TestTransitions(t *testing.T) {
	for name, s := range situations {
		for kind := range ports.EventKind(ports.EventKinds) {
			for _, mine := range []bool{true, false} {
				m, r := s.reach(t)
				ev := ports.Event{Kind: kind, TS: ms(150), Reply: &ports.RawWriteReply{}}
				ev.Cause.Kind = ports.CauseTimeout
				if kind == ports.EventTell {
					ev.Cause.Kind = ports.CauseClosed
				}
				if awaited, ok := r.Sent(s.awaits); ok {
					ev.Tok = awaited.Tok
				}
				if !mine {
					ev.Tok.Gen += 50
				}
				free := kind == ports.EventStart || kind == ports.EventCancel // they need no token
				want, moved := moves[name][kind]
				if !moved || !mine && !free {
					want = s.state
				}
				before := fingerprint(m)
				r.Feed(ev)
				require.Equal(t, want, stateOf(m), "%s on %d, mine %v", name, kind, mine)
				require.Equal(t, want == "finished", m.Done())
				if !moved || !mine && !free {
					require.Empty(t, r.Effects, "%s on %d, mine %v", name, kind, mine)
					require.Equal(t, before, fingerprint(m), "%s on %d, mine %v", name, kind, mine)
				}
			}
		}
	}
}

func fingerprint(m sm.Machine) uint64 {
	h := sm.NewHash()
	m.Fingerprint(h)
	return h.Sum()
}

func TestContracts(t *testing.T) {
	for _, s := range situations {
		m, _ := s.reach(t)
		switch m := m.(type) {
		case *Get:
			smtest.Contract(t, m)
		case *ScanPage:
			smtest.Contract(t, m)
		case *BatchGet:
			smtest.Contract(t, m)
		case *Timestamp:
			smtest.Contract(t, m)
		}
	}
}
