package explore

import (
	"fmt"
	"math"

	"github.com/tikvx/tikvx/core/txn"
	"github.com/tikvx/tikvx/ports"
)

// The invariants. Those about the stored data alone are looked at once for each engine, those about one request once
// for each execution, the rest in each state. All of them are stable: what is violated once stays so, whatever
// happens in between, so that a reduction cannot step over a violation.

// inspect says what no data may be: two committed writers of a key whose lives overlap, and one transaction that is
// committed twice.
func (e *engine) inspect() string {
	for i := range e.versions {
		for j := range e.versions {
			v, w := &e.versions[i], &e.versions[j]
			switch {
			case i == j:
			case v.start == w.start && v.commit != w.commit:
				return fmt.Sprintf("%s is committed at %s and at %s", when(v.start), when(v.commit), when(w.commit))
			case v.start == w.start && v.key == w.key:
				return fmt.Sprintf("%s is committed twice on %s", when(v.start), v.key)
			case v.key == w.key && v.commit < w.commit && w.start < v.commit:
				return fmt.Sprintf("%s and %s overlap, and both wrote %s", when(v.start), when(w.start), v.key)
			}
		}
	}
	return ""
}

// compare says what no request may do to the data: take a version away, commit below what a lock demands, leave a
// lock of a transaction beside its version.
func compare(before, after *engine) string {
	if before == after {
		return ""
	}
	for i := range before.versions {
		if v := &before.versions[i]; after.committed(v.key, v.start) != v.commit {
			return fmt.Sprintf("the commit of %s on %s is gone", when(v.start), v.key)
		}
	}
	for i := range before.locks {
		l := &before.locks[i]
		if ts := after.committed(l.key, l.start); ts != 0 && ts < l.least {
			return fmt.Sprintf("%s is committed below its least timestamp", when(l.start))
		}
	}
	for i := range after.locks {
		if l := &after.locks[i]; after.committed(l.key, l.start) != 0 {
			return fmt.Sprintf("%s is committed on %s, and locks it again", when(l.start), l.key)
		}
	}
	return ""
}

// verdict returns what a reply says of the fate of a transaction.
func verdict(req ports.Request, body ports.Reply) (ports.Timestamp, said) {
	switch q := req.(type) {
	case *ports.CommitRequest:
		if r, ok := body.(*ports.CommitReply); ok && r.Err == nil {
			return q.StartTS, saidCommitted
		}
	case *ports.BatchRollbackRequest:
		if r, ok := body.(*ports.BatchRollbackReply); ok && r.Err == nil {
			return q.StartTS, saidRolledBack
		}
	case *ports.CheckTxnStatusRequest:
		switch r, ok := body.(*ports.CheckTxnStatusReply); {
		case !ok || r.Err != nil:
		case r.CommitTS != 0:
			return q.LockTS, saidCommitted
		case r.Lock == nil && r.Action != ports.ActionLockNotExistDoNothing:
			return q.LockTS, saidRolledBack
		}
	}
	return 0, 0
}

// inspect says what is wrong with a state.
func (s *state) inspect() string {
	if s.engine.wrong != "" {
		return s.engine.wrong
	}
	for i := range s.clients {
		slot := &s.clients[i]
		if slot.client == nil {
			break
		}
		if keys := slot.client.program.written(); slot.client.start != 0 && keys != nil {
			if wrong := slot.inspect(s.engine, keys); wrong != "" {
				return fmt.Sprintf("%s (c%d): %s", when(slot.client.start), i+1, wrong)
			}
		}
	}
	return ""
}

// inspect says what is wrong with a transaction that writes keys, the first of which is the primary.
func (s *slot) inspect(e *engine, keys []string) string {
	c := s.client
	primary := e.committed(keys[0], c.start)
	for _, k := range keys[1:] {
		switch on := e.committed(k, c.start); {
		case on != 0 && primary == 0:
			return "a secondary is committed, the primary is not"
		case on == 0 && primary != 0 && !e.locked(k, c.start):
			return "the primary is committed, a secondary is lost"
		}
	}
	switch {
	case s.said&saidRolledBack != 0 && primary != 0:
		return "a store has said that it is rolled back, and it is committed"
	case s.said&saidCommitted != 0 && primary == 0:
		return "a store has said that it is committed, and it is not"
	case !c.answered:
	case c.outcome == txn.Committed && primary != c.commitTS:
		return "its caller was told that it is committed, and it is not, or at another timestamp"
	case c.outcome == txn.Aborted && primary != 0:
		return "its caller was told that it is aborted, and it is committed"
	case c.outcome == txn.Unknown && !c.doubted:
		return "its caller was told that its outcome is unknown, although no answer was lost"
	}
	return ""
}

// believe says what is wrong with fates that a client has learnt.
func (s *state) believe(facts []ports.Fact) string {
	for i := range facts {
		f := &facts[i]
		for j := range s.clients {
			c := s.clients[j].client
			if c == nil || c.start != f.StartTS || c.program.written() == nil {
				continue
			}
			if got := s.engine.committed(c.program.written()[0], c.start); got != f.CommitTS {
				return fmt.Sprintf("%s (c%d): somebody believes that it was committed at %s, it was at %s", when(c.start), j+1,
					when(f.CommitTS), when(got))
			}
		}
	}
	return ""
}

// end says what is wrong with a state in which every client has finished or crashed: once all locks that are left
// are resolved, transactions are there as a whole or not at all, and reads have seen what was committed before them.
func (x *Explorer) end(s *state) string {
	e := x.settled(s.engine)
	if e.wrong != "" {
		return e.wrong
	}
	for i := range s.clients {
		c := s.clients[i].client
		if c == nil {
			break
		}
		if keys := c.program.written(); keys != nil && c.start != 0 {
			for _, k := range keys[1:] {
				if e.committed(k, c.start) != e.committed(keys[0], c.start) {
					return fmt.Sprintf("%s (c%d) is committed in part", when(c.start), i+1)
				}
			}
		}
		for _, o := range c.reads {
			if value, found := e.visible(o.key, c.start); found != o.found || value != o.value {
				return fmt.Sprintf("%s (c%d) read %q of %s, which was %q", when(c.start), i+1, o.value, o.key, value)
			}
		}
	}
	return ""
}

// settled returns the data with every lock resolved as its primary says.
func (x *Explorer) settled(e *engine) *engine {
	if e.settled != nil {
		return e.settled
	}
	data := e.data.Clone()
	for _, l := range e.locks {
		status := &ports.CheckTxnStatusReply{}
		data.CheckTxnStatus(&ports.CheckTxnStatusRequest{
			Primary: []byte(l.primary), LockTS: l.start, CurrentTS: ports.Timestamp(math.MaxInt64 - 1), RollbackIfNotExist: true,
		}, status)
		data.ResolveLock(&ports.ResolveLockRequest{
			StartTS: l.start, CommitTS: status.CommitTS, Keys: [][]byte{[]byte(l.key)},
		}, wholeSpace, &ports.ResolveLockReply{})
	}
	e.settled = x.engine(data)
	return e.settled
}
