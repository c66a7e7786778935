package read

import (
	"bytes"
	"slices"
	"sort"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// snapshotTS is the timestamp at which everything is read from the toy.
var snapshotTS = ms(1000)

// toy is a cluster for children: one map, a list of locks, regions that are split
// when chance says so, and faults until their number is used up. Its regions live
// in PD's key space, and their bounds may cut keys.
type toy struct {
	t   *rapid.T
	env sm.Env
	now ports.Instant
	// base is what was committed up to the snapshot, locks what hides parts of it.
	base  map[string]string
	locks map[string]*toyLock
	// regions are the truth; env.Regions is what the client believes.
	regions []ports.Region
	faults  int
	waiting []toyEffect
	old     []ports.Event
	answers int
	// read are the keys that a batch get has been answered for.
	read map[string]bool
}

// toyTxn is a transaction that left locks. Its fate is fixed: a commit timestamp, 0
// for a rollback; but for some answers it is still said to be alive.
type toyTxn struct {
	start, commit ports.Timestamp
	primary       string
	alive         int
}

// visible reports whether the snapshot sees what the transaction wrote.
func (x *toyTxn) visible() bool { return x.commit != 0 && x.commit <= snapshotTS }

type toyLock struct {
	txn   *toyTxn
	value string // empty: a deletion
	// memory: the lock is in memory only, and spoils whole responses.
	memory bool
}

// toyEffect is an effect that has not been answered. Requests are borrowed until
// they are submitted, so it holds copies.
type toyEffect struct {
	kind   sm.EffectKind
	tok    ports.Tok
	at     ports.Instant
	header ports.Header
	req    ports.Request
}

func newToy(t *rapid.T) *toy {
	c := &toy{t: t, base: map[string]string{}, locks: map[string]*toyLock{}, read: map[string]bool{}}
	knobs := sm.DefaultKnobs()
	knobs.Workers, knobs.BatchGetKeys = rapid.IntRange(1, 4).Draw(t, "workers"), rapid.IntRange(1, 5).Draw(t, "keys")
	knobs.ScanPage = rapid.IntRange(1, 6).Draw(t, "page")
	knobs.ResolveLiteKeys = 2
	c.env = sm.Env{Knobs: &knobs, Rand: sm.NewRand(1), Stores: smtest.Up(1), Txns: smtest.Txns{}}
	c.regions = []ports.Region{{
		RegionVersion: ports.RegionVersion{ID: 1, Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
		Peers:         []ports.Peer{{ID: 1, Store: 1}}, Leader: 1,
	}}
	c.fill()
	for range rapid.IntRange(0, 5).Draw(t, "splits") {
		c.split()
	}
	c.look()
	c.faults = rapid.IntRange(0, 12).Draw(t, "faults")
	return c
}

// name makes one of a hundred keys, some of which are prefixes of others.
func (c *toy) name(label string) string {
	return rapid.StringOfN(rapid.SampledFrom([]rune("abcd")), 1, 3, -1).Draw(c.t, label)
}

func (c *toy) fill() {
	for range rapid.IntRange(0, 25).Draw(c.t, "values") {
		c.base[c.name("key")] = c.name("value")
	}
	for i := range rapid.IntRange(0, 4).Draw(c.t, "txns") {
		x := &toyTxn{start: ms(int64(100 + i)), alive: rapid.IntRange(0, 3).Draw(c.t, "alive")}
		switch rapid.IntRange(0, 2).Draw(c.t, "fate") {
		case 1:
			x.commit = ms(int64(200 + i))
		case 2:
			x.commit = ms(int64(2000 + i))
		}
		for range rapid.IntRange(1, 5).Draw(c.t, "locks") {
			key := c.name("locked")
			if c.locks[key] != nil {
				continue
			}
			if x.primary == "" {
				x.primary = key
			}
			l := &toyLock{txn: x, memory: rapid.IntRange(0, 4).Draw(c.t, "memory") == 0}
			if rapid.Bool().Draw(c.t, "put") {
				l.value = c.name("new value")
			}
			c.locks[key] = l
		}
	}
}

// truth is what the snapshot holds.
func (c *toy) truth() map[string]string {
	all := map[string]string{}
	for k, v := range c.base {
		all[k] = v
	}
	for k, l := range c.locks {
		switch {
		case !l.txn.visible():
		case l.value == "":
			delete(all, k)
		default:
			all[k] = l.value
		}
	}
	return all
}

// split cuts a region at a key's place, or somewhere inside a key.
func (c *toy) split() {
	bound := c.env.Codec.RegionKey(nil, []byte(c.name("split")))
	if rapid.IntRange(0, 3).Draw(c.t, "crooked") == 0 {
		bound = bound[:rapid.IntRange(1, len(bound)).Draw(c.t, "cut")]
	}
	i := slices.IndexFunc(c.regions, func(r ports.Region) bool { return r.Range.Contains(bound) })
	if bytes.Equal(c.regions[i].Range.Start, bound) {
		return
	}
	left := c.regions[i]
	left.Epoch.Version++
	right := left
	right.ID = ports.RegionID(len(c.regions) + 1)
	right.Peers = []ports.Peer{{ID: ports.PeerID(right.ID), Store: 1}}
	right.Leader = right.Peers[0].ID
	left.Range.End, right.Range.Start = bound, bound
	c.regions[i] = left
	c.regions = slices.Insert(c.regions, i+1, right)
}

// look lets the client see the regions as they are.
func (c *toy) look() {
	var view smtest.Regions
	for _, r := range c.regions {
		view = append(view, &sm.Region{Region: r, Expiry: ports.Never})
	}
	c.env.Regions = view
}

// feed steps the machine by one event and takes its effects.
func (c *toy) feed(m sm.Machine, ev ports.Event) {
	ev.Now = c.now
	var out sm.Effects
	m.Step(&c.env, &ev, &out)
	for i := range out.List {
		e := &out.List[i]
		switch e.Kind {
		case sm.EffectSend:
			c.inspect(e.Header, e.Request)
			c.waiting = append(c.waiting, toyEffect{e.Kind, e.Tok, e.At, *e.Header, cloneRequest(e.Request)})
		case sm.EffectTimestamp, sm.EffectArm, sm.EffectQuery, sm.EffectProbe, sm.EffectAsk:
			c.waiting = append(c.waiting, toyEffect{kind: e.Kind, tok: e.Tok, at: e.At})
		case sm.EffectAnswer:
			c.answers++
		case sm.EffectLearn:
			if e.Fact.Kind == ports.FactTxn && rapid.Bool().Draw(c.t, "remember") {
				c.env.Txns.(smtest.Txns)[e.Fact.StartTS] = sm.TxnStatus{CommitTS: e.Fact.CommitTS}
			}
		case sm.EffectTell, sm.EffectForget:
		}
	}
}

// turn lets one thing happen: an answer, a split, or an answer that came before.
func (c *toy) turn(m sm.Machine) {
	switch rapid.IntRange(0, 9).Draw(c.t, "turn") {
	case 0:
		if len(c.regions) < 12 {
			c.split()
		}
	case 1:
		if len(c.old) > 0 {
			c.feed(m, rapid.SampledFrom(c.old).Draw(c.t, "old"))
		}
	}
	require.NotEmpty(c.t, c.waiting, "nothing can wake %s", m)
	i := rapid.IntRange(0, len(c.waiting)-1).Draw(c.t, "effect")
	e := c.waiting[i]
	c.waiting = slices.Delete(c.waiting, i, i+1)
	ev := c.perform(&e)
	ev.Tok = e.tok
	c.delivered(e.req, &ev)
	c.old = append(c.old, ev)
	c.feed(m, ev)
}

func (c *toy) perform(e *toyEffect) ports.Event {
	switch e.kind {
	case sm.EffectTimestamp:
		return ports.Event{Kind: ports.EventTimestamp, TS: ms(1500)}
	case sm.EffectArm:
		c.now = max(c.now, e.at)
		return ports.Event{Kind: ports.EventTimer}
	case sm.EffectAsk:
		c.look()
		return ports.Event{Kind: ports.EventTell}
	case sm.EffectSend:
		return c.serve(e)
	case sm.EffectQuery, sm.EffectProbe, sm.EffectLearn, sm.EffectTell, sm.EffectForget, sm.EffectAnswer:
	}
	c.t.Fatalf("effect %d is none of a read", e.kind)
	return ports.Event{}
}

// serve is the store, and the way to it and back.
func (c *toy) serve(e *toyEffect) ports.Event {
	cause := ports.Cause{Kind: ports.CauseConnection}
	trouble := 0
	if c.faults > 0 {
		trouble = rapid.IntRange(0, 6).Draw(c.t, "trouble")
	}
	if trouble > 0 && trouble < 5 {
		c.faults--
	}
	switch trouble {
	case 1:
		return ports.Event{Kind: ports.EventUnsent, Cause: cause}
	case 2:
		return ports.Event{Kind: ports.EventLost, Cause: cause}
	case 3:
		c.execute(e)
		return ports.Event{Kind: ports.EventLost, Cause: cause}
	case 4:
		kind := rapid.SampledFrom([]ports.FaultKind{
			ports.FaultRegionNotFound, ports.FaultServerIsBusy, ports.FaultReadIndexNotReady, ports.FaultStaleCommand,
		}).Draw(c.t, "fault")
		return answer(e.req, &ports.RegionFault{Kind: kind})
	}
	return c.execute(e)
}

// execute checks the region as TiKV does, and then does what is asked.
func (c *toy) execute(e *toyEffect) ports.Event {
	i := slices.IndexFunc(c.regions, func(r ports.Region) bool { return r.ID == e.header.Region.ID })
	region := c.regions[i]
	if region.Epoch != e.header.Region.Epoch {
		fault := &ports.RegionFault{Kind: ports.FaultEpochNotMatch}
		if rapid.Bool().Draw(c.t, "regions told") {
			fault.Regions = c.regions
		}
		return answer(e.req, fault)
	}
	var reply ports.Reply
	switch r := e.req.(type) {
	case *ports.GetRequest:
		c.within(&region, r.Key)
		reply = c.get(&e.header, r)
	case *ports.BatchGetRequest:
		c.within(&region, r.Keys...)
		reply = c.batchGet(&e.header, r)
	case *ports.ScanRequest:
		c.within(&region, r.Range.Start)
		require.False(c.t, r.Range.Empty())
		reply = c.scan(&e.header, r)
	case *ports.CheckTxnStatusRequest:
		c.within(&region, r.Primary)
		reply = c.check(r)
	case *ports.ResolveLockRequest:
		c.within(&region, r.Keys...)
		c.remove(&region, r)
		reply = &ports.ResolveLockReply{}
	default:
		c.t.Fatalf("request %T is none of a read", e.req)
	}
	return ports.Event{Kind: ports.EventReply, Reply: reply}
}

func (c *toy) within(r *ports.Region, keys ...[]byte) {
	for _, k := range keys {
		require.True(c.t, r.Range.Contains(c.env.Codec.RegionKey(nil, k)), "%q is not in the region", k)
	}
}

// value is what a read finds under a key, or the lock that is in its way.
func (c *toy) value(h *ports.Header, key string) (string, *ports.KeyError) {
	l := c.locks[key]
	switch {
	case l == nil || slices.Contains(h.ResolvedLocks, l.txn.start):
		return c.base[key], nil
	case slices.Contains(h.CommittedLocks, l.txn.start) && !l.memory:
		return l.value, nil
	}
	return "", &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{
		Key: []byte(key), Primary: []byte(l.txn.primary), StartTS: l.txn.start, TTL: 3000, TxnSize: 3,
	}}
}

func (c *toy) get(h *ports.Header, r *ports.GetRequest) ports.Reply {
	v, err := c.value(h, string(r.Key))
	return &ports.GetReply{Value: []byte(v), NotFound: v == "" && err == nil, Err: err}
}

func (c *toy) batchGet(h *ports.Header, r *ports.BatchGetRequest) ports.Reply {
	reply := &ports.BatchGetReply{}
	for _, k := range r.Keys {
		v, err := c.value(h, string(k))
		if err != nil && c.locks[string(k)].memory {
			return &ports.BatchGetReply{Pairs: reply.Pairs, Err: err}
		}
		reply.Pairs = appendPair(reply.Pairs, string(k), v, err)
	}
	return reply
}

func (c *toy) scan(h *ports.Header, r *ports.ScanRequest) ports.Reply {
	reply := &ports.ScanReply{}
	for _, k := range c.keys(r.Range, r.Reverse) {
		if len(reply.Pairs) == int(r.Limit) {
			break
		}
		v, err := c.value(h, k)
		if err != nil && c.locks[k].memory {
			return &ports.ScanReply{Pairs: reply.Pairs, Err: err}
		}
		reply.Pairs = appendPair(reply.Pairs, k, v, err)
	}
	return reply
}

func appendPair(pairs []ports.Pair, key, value string, err *ports.KeyError) []ports.Pair {
	switch {
	case err != nil:
		return append(pairs, ports.Pair{Err: err})
	case value == "":
		return pairs
	}
	return append(pairs, ports.Pair{Key: []byte(key), Value: []byte(value)})
}

// keys lists the keys of a range that have a value or a lock.
func (c *toy) keys(rng ports.KeyRange, reverse bool) []string {
	var keys []string
	for k := range c.base {
		keys = append(keys, k)
	}
	for k := range c.locks {
		if _, ok := c.base[k]; !ok {
			keys = append(keys, k)
		}
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return !rng.Contains([]byte(k)) })
	sort.Strings(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}
