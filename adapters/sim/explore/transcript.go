package explore

import (
	"fmt"
	"strings"
)

// node is a state of a search in breadth, and how it was reached.
type node struct {
	state  state
	parent int32
	step   step
}

// Shortest searches breadth first for a violation and returns the steps to it as a transcript, one that cannot be
// shorter. It returns "" when there is none, or when it is not found among the first limit states.
func (x *Explorer) Shortest(limit int) string {
	x.reset()
	first := x.first()
	x.seen.add(first.fingerprint(x.config.plain))
	nodes := []node{{state: first, parent: -1}}
	var list []step
	for at := 0; at < len(nodes) && len(nodes) <= limit; at++ {
		s := nodes[at].state
		list = x.enabled(&s, list[:0])
		if wrong := x.arrived(&s, list); wrong != "" {
			return x.transcript(nodes, at, wrong)
		}
		for _, st := range list {
			next := s
			wrong := x.apply(&next, st)
			if wrong == "" && !x.seen.add(next.fingerprint(x.config.plain)) {
				continue
			}
			nodes = append(nodes, node{next, int32(at), st})
			if wrong != "" {
				return x.transcript(nodes, len(nodes)-1, wrong)
			}
		}
	}
	return ""
}

// transcript writes down the path to a node.
func (x *Explorer) transcript(nodes []node, at int, wrong string) string {
	var path []int
	for ; nodes[at].parent >= 0; at = int(nodes[at].parent) {
		path = append(path, at)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", x.config.Name)
	for i := len(path) - 1; i >= 0; i-- {
		n := &nodes[path[i]]
		before := &nodes[n.parent].state
		b.WriteString(x.name(before, x.enabled(before, nil), n.step) + "\n")
	}
	return b.String() + "violation: " + wrong + "\n"
}

// name names a step among those that are enabled; what would have the same name is numbered.
func (x *Explorer) name(s *state, list []step, st step) string {
	text, same := x.describe(s, st), 0
	for _, other := range list {
		if other == st {
			break
		}
		if x.describe(s, other) == text {
			same++
		}
	}
	if same > 0 {
		return fmt.Sprintf("%s, number %d", text, same+1)
	}
	return text
}

// describe says what happens in a step.
func (x *Explorer) describe(s *state, st step) string {
	switch st.kind {
	case stepSplit:
		return "the region is split at " + x.config.SplitAt
	case stepTransfer:
		return fmt.Sprintf("region %d gets another leader", s.layout.regions[st.item].ID)
	case stepExpire:
		return "every lock expires"
	case stepWait:
		return "all wait until every lock has expired"
	default:
		return x.describeOwn(s, st)
	}
}

// describeOwn says what happens to a client in a step.
func (x *Explorer) describeOwn(s *state, st step) string {
	who := fmt.Sprintf("c%d", st.client+1)
	var it item
	if c := s.clients[st.client].client; int(st.item) < len(c.items) {
		it = c.items[st.item]
	}
	switch st.kind {
	case stepBegin:
		return who + " begins"
	case stepTick:
		return who + " gets a timestamp"
	case stepExecute, stepDuplicate, stepLate:
		how := ""
		if st.kind == stepDuplicate {
			how = ", to be delivered twice"
		} else if st.kind == stepLate {
			how = ", late"
		}
		return fmt.Sprintf("%s: %s%s → %s", who, it.request.text, how, x.execute(s.engine, it.request, s.layout).reply.text)
	case stepArrive:
		return fmt.Sprintf("%s hears: %s → %s", who, it.request.text, it.reply.text)
	case stepLose:
		if it.kind == requestItem {
			return fmt.Sprintf("%s gives up waiting: %s", who, it.request.text)
		}
		return fmt.Sprintf("%s does not hear: %s → %s", who, it.request.text, it.reply.text)
	case stepFire, stepPoll:
		if it.pause == beatPause {
			return who + " keeps its lock alive"
		}
		return who + " has paused"
	case stepCrash:
		return who + " crashes"
	case stepCancel:
		return who + "'s caller leaves"
	case stepDeadline:
		return who + "'s deadline passes"
	default:
		return "?"
	}
}

// Replay takes the steps of a transcript and returns the violation that they lead to, "" if there is none. A step
// that cannot be taken is an error.
func (x *Explorer) Replay(transcript string) (violation string, err error) {
	x.reset()
	s := x.first()
	for _, line := range strings.Split(transcript, "\n") {
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "violation: ") {
			continue
		}
		list := x.enabled(&s, nil)
		taken := false
		for _, st := range list {
			if taken = x.name(&s, list, st) == line; taken {
				if wrong := x.apply(&s, st); wrong != "" {
					return wrong, nil
				}
				break
			}
		}
		if !taken {
			return "", fmt.Errorf("explore: nothing in this state is %q", line)
		}
	}
	return x.arrived(&s, x.enabled(&s, nil)), nil
}
