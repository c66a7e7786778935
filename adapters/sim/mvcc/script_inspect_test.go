package mvcc

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tikvx/tikvx/ports"
)

// mutations reads the mutations of a prewrite or flush: "put a 1", with +exist or +absent for an assertion.
func (s *script) mutations() []ports.Mutation {
	var list []ports.Mutation
	for line := range strings.Lines(s.d.Input) {
		words := strings.Fields(line)
		m := ports.Mutation{Kind: kinds[words[0]], Key: []byte(words[1])}
		for _, word := range words[2:] {
			switch word {
			case "+exist":
				m.Assertion = ports.AssertExist
			case "+absent":
				m.Assertion = ports.AssertNotExist
			default:
				m.Value = []byte(word)
			}
		}
		list = append(list, m)
	}
	return list
}

// answers prints errors, "ok" when there is none.
func answers(errors []ports.KeyError) string {
	var lines []string
	for i := range errors {
		lines = append(lines, answer("", &errors[i]))
	}
	return cmp.Or(strings.Join(lines, "\n"), "ok")
}

func (s *script) flush() string {
	var reply ports.FlushReply
	s.e.Flush(&ports.FlushRequest{
		Mutations: s.mutations(), Primary: s.key("primary"), StartTS: s.ts("start"), MinCommitTS: s.ts("min"),
		Generation: uint64(s.number("generation")), TTL: uint64(s.number("ttl")), AssertionLevel: ports.AssertionsFast,
	}, &reply)
	return answers(reply.Errors)
}

func (s *script) flushed() string {
	var reply ports.BufferBatchGetReply
	s.e.BufferBatchGet(&ports.BufferBatchGetRequest{Keys: s.keys("keys"), StartTS: s.ts("start")}, &reply)
	var b strings.Builder
	for _, p := range reply.Pairs {
		fmt.Fprintf(&b, "%s=%s\n", p.Key, p.Value)
	}
	return cmp.Or(b.String(), "nothing")
}

// inspect prints what the store tells of a key, or of a transaction.
func (s *script) inspect() string {
	var b strings.Builder
	var info ports.MvccInfo
	if s.d.HasArg("key") {
		var reply ports.MvccGetByKeyReply
		s.e.MvccGetByKey(&ports.MvccGetByKeyRequest{Key: s.key("key")}, &reply)
		info = reply.Info
	} else {
		var reply ports.MvccGetByStartTSReply
		s.e.MvccGetByStartTS(&ports.MvccGetByStartTSRequest{StartTS: s.ts("start")}, s.extent(), &reply)
		info = reply.Info
		fmt.Fprintf(&b, "key %q\n", reply.Key)
	}
	if l := info.Lock; l != nil {
		fmt.Fprintf(&b, "lock %s %s primary %s value %q\n", number(l.StartTS), kindName(l.Kind), l.Primary, l.ShortValue)
	}
	for _, w := range info.Writes {
		fmt.Fprintf(&b, "%s←%s %s value %q", number(w.CommitTS), number(w.StartTS), kindName(w.Kind), w.ShortValue)
		if w.HasOverlappedRollback {
			fmt.Fprintf(&b, " +rollback fenced %t by %s", w.HasGCFence, number(w.GCFence))
		}
		b.WriteString("\n")
	}
	for _, v := range info.Values {
		fmt.Fprintf(&b, "value of %s: %d bytes\n", number(v.StartTS), len(v.Value))
	}
	return cmp.Or(b.String(), "nothing")
}
