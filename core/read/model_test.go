package read

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// txn finds a transaction by its start.
func (c *toy) txn(start ports.Timestamp) *toyTxn {
	for _, l := range c.locks {
		if l.txn.start == start {
			return l.txn
		}
	}
	return nil
}

// check answers what became of a transaction: nothing yet, as long as it is alive.
func (c *toy) check(r *ports.CheckTxnStatusRequest) ports.Reply {
	x := c.txn(r.LockTS)
	switch {
	case x == nil:
		// All its locks are gone, so that nobody needs to know.
		return &ports.CheckTxnStatusReply{Action: ports.ActionLockNotExistRollback}
	case x.alive > 0:
		x.alive--
		reply := &ports.CheckTxnStatusReply{TTL: 3000, Lock: &ports.Lock{TTL: 3000}}
		if !x.visible() && r.CallerStartTS == snapshotTS && rapid.Bool().Draw(c.t, "pushed") {
			reply.Action = ports.ActionMinCommitTSPushed
		}
		return reply
	case x.commit == 0:
		return &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback}
	}
	return &ports.CheckTxnStatusReply{CommitTS: x.commit}
}

// remove ends locks as their transaction ended.
func (c *toy) remove(region *ports.Region, r *ports.ResolveLockRequest) {
	for key, l := range c.locks {
		if l.txn.start != r.StartTS || !region.Range.Contains(c.env.Codec.RegionKey(nil, []byte(key))) {
			continue
		}
		named := slices.ContainsFunc(r.Keys, func(k []byte) bool { return string(k) == key })
		if len(r.Keys) > 0 && !named {
			continue
		}
		require.Equal(c.t, l.txn.commit, r.CommitTS)
		switch {
		case !l.txn.visible():
		case l.value == "":
			delete(c.base, key)
		default:
			c.base[key] = l.value
		}
		delete(c.locks, key)
	}
}

// inspect holds every request to the rules of reading.
func (c *toy) inspect(h *ports.Header, req ports.Request) {
	for _, start := range h.ResolvedLocks {
		if x := c.txn(start); x != nil {
			require.False(c.t, x.visible(), "a lock that the snapshot sees is passed over")
		}
	}
	for _, start := range h.CommittedLocks {
		if x := c.txn(start); x != nil {
			require.True(c.t, x.visible(), "a lock that the snapshot does not see is read through")
		}
	}
	r, ok := req.(*ports.BatchGetRequest)
	if !ok {
		return
	}
	require.LessOrEqual(c.t, len(r.Keys), c.env.Knobs.BatchGetKeys)
	require.True(c.t, slices.IsSortedFunc(r.Keys, slices.Compare[[]byte]))
	for _, k := range r.Keys {
		require.False(c.t, c.read[string(k)], "%q is read again", k)
	}
}

// delivered notes what a batch get has now been told.
func (c *toy) delivered(req ports.Request, ev *ports.Event) {
	reply, ok := ev.Reply.(*ports.BatchGetReply)
	if !ok || reply.Fault != nil || reply.Err != nil {
		return
	}
	for _, k := range req.(*ports.BatchGetRequest).Keys {
		c.read[string(k)] = true
	}
	for i := range reply.Pairs {
		if err := reply.Pairs[i].Err; err != nil {
			c.read[string(err.Lock.Key)] = false
		}
	}
}

func cloneRequest(req ports.Request) ports.Request {
	switch r := req.(type) {
	case *ports.GetRequest:
		c := *r
		c.Key = slices.Clone(r.Key)
		return &c
	case *ports.BatchGetRequest:
		return &ports.BatchGetRequest{Keys: cloneKeys(r.Keys), TS: r.TS}
	case *ports.ScanRequest:
		c := *r
		c.Range = ports.KeyRange{Start: slices.Clone(r.Range.Start), End: slices.Clone(r.Range.End)}
		return &c
	case *ports.CheckTxnStatusRequest:
		c := *r
		c.Primary = slices.Clone(r.Primary)
		return &c
	case *ports.ResolveLockRequest:
		c := *r
		c.Keys = cloneKeys(r.Keys)
		return &c
	}
	return req
}

func cloneKeys(keys [][]byte) [][]byte {
	c := slices.Clone(keys)
	for i := range c {
		c[i] = slices.Clone(c[i])
	}
	return c
}

// answer makes the reply to a request that carries a region error.
func answer(req ports.Request, fault *ports.RegionFault) ports.Event {
	h := ports.ReplyHeader{Fault: fault}
	ev := ports.Event{Kind: ports.EventReply}
	switch req.(type) {
	case *ports.GetRequest:
		ev.Reply = &ports.GetReply{ReplyHeader: h}
	case *ports.BatchGetRequest:
		ev.Reply = &ports.BatchGetReply{ReplyHeader: h}
	case *ports.ScanRequest:
		ev.Reply = &ports.ScanReply{ReplyHeader: h}
	case *ports.CheckTxnStatusRequest:
		ev.Reply = &ports.CheckTxnStatusReply{ReplyHeader: h}
	default:
		ev.Reply = &ports.ResolveLockReply{ReplyHeader: h}
	}
	return ev
}

// farOff is a deadline that no run comes near.
const farOff = ports.Instant(1) << 60

// play runs a machine until it has answered, now and then in a copy.
func play[T any, P sm.Cloneable[T]](c *toy, m P) P {
	c.answers = 0
	c.feed(m, ports.Event{Kind: ports.EventStart})
	for turns := 0; c.answers == 0; turns++ {
		require.Less(c.t, turns, 3000, "no end: %s", m)
		c.turn(m)
		if rapid.IntRange(0, 9).Draw(c.t, "clone") == 0 {
			clone := new(T)
			m.CloneInto(clone)
			m = clone
		}
	}
	return m
}

// drain runs a machine that has answered until it is done.
func drain(c *toy, m sm.Machine) {
	for turns := 0; !m.Done(); turns++ {
		require.Less(c.t, turns, 3000, "no end: %s", m)
		c.turn(m)
	}
	require.Equal(c.t, 1, c.answers)
	c.waiting, c.old = nil, nil
}

func TestGetAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newToy(t)
		truth, name := c.truth(), c.name("get")
		m := new(Get)
		m.Init([]byte(name), snapshotTS, Options{}, farOff)
		m = play(c, m)
		for range 2 {
			require.False(t, m.Failure().Failed(), "%+v", m.Failure())
			value, found := m.Value()
			want, exists := truth[name]
			require.Equal(t, exists, found)
			require.Equal(t, want, string(value))
			drain(c, m)
		}
		require.Equal(t, truth, c.truth())
	})
}

func TestBatchGetAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newToy(t)
		truth := c.truth()
		var keys [][]byte
		for range rapid.IntRange(0, 20).Draw(t, "number") {
			keys = append(keys, []byte(c.name("get")))
		}
		slices.SortFunc(keys, slices.Compare[[]byte])
		keys = slices.CompactFunc(keys, slices.Equal[[]byte])
		var want []ports.KV
		for _, k := range keys {
			if v, ok := truth[string(k)]; ok {
				want = append(want, ports.KV{Key: k, Value: []byte(v)})
			}
		}
		m := new(BatchGet)
		m.Init(keys, snapshotTS, Options{}, farOff)
		m = play(c, m)
		for range 2 {
			require.False(t, m.Failure().Failed(), "%+v", m.Failure())
			require.Equal(t, len(want), len(m.Pairs()))
			for i, p := range m.Pairs() {
				require.Equal(t, want[i], p)
			}
			drain(c, m)
		}
		require.Equal(t, truth, c.truth())
	})
}

func TestScanAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newToy(t)
		truth := c.truth()
		rng := ports.KeyRange{}
		if rapid.Bool().Draw(t, "from") {
			rng.Start = []byte(c.name("start"))
		}
		if rapid.Bool().Draw(t, "until") {
			rng.End = []byte(c.name("end"))
		}
		reverse, keysOnly := rapid.Bool().Draw(t, "reverse"), rapid.Bool().Draw(t, "keys only")
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		var got []ports.KV
		for more, left := true, rng; more; {
			m := new(ScanPage)
			m.Init(left, snapshotTS, limit, reverse, keysOnly, Options{}, farOff)
			m = play(c, m)
			require.False(t, m.Failure().Failed(), "%+v", m.Failure())
			got = append(got, m.Pairs()...)
			require.LessOrEqual(t, len(m.Pairs()), min(limit, c.env.Knobs.ScanPage))
			left, more = m.Next()
			require.True(t, !more || len(m.Pairs()) > 0)
			drain(c, m)
		}
		var want []ports.KV
		for _, k := range c.keys(rng, reverse) {
			v, ok := truth[k]
			if !ok {
				continue
			}
			kv := ports.KV{Key: []byte(k)}
			if !keysOnly {
				kv.Value = []byte(v)
			}
			want = append(want, kv)
		}
		require.Equal(t, want, got)
	})
}
