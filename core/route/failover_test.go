package route

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestFailover loses the store of all leaders and elects others after a while.
// Wanted is the full rate within a second of the election, whichever way the store
// was lost, whatever the followers believe and whether or not PD says anything;
// and until then no more than a few requests a second from each worker.
func TestFailover(t *testing.T) {
	const workers = 8
	for _, lost := range []string{"killed", "hung", "hung and back"} {
		for _, pd := range []string{"knows late", "silent"} {
			for _, hints := range []bool{false, true} {
				for seed := range uint64(20) {
					c := newCluster(seed, workers)
					c.hints, c.pdSilent = hints, pd == "silent"
					name := fmt.Sprintf("%s, PD %s, followers name the dead leader: %v, seed %d", lost, pd, hints, seed)
					c.run(time.Second)
					before := c.served
					require.Greater(t, before, 500, name)
					c.stores[1] = lost
					c.run(12 * time.Second)
					require.Less(t, c.sends, 2*before+workers*12*10, "%s: requests while nobody leads", name)
					if lost == "hung and back" {
						c.stores[1] = ""
					}
					c.elect(2)
					c.run(time.Second)
					c.served = 0
					c.run(time.Second)
					require.InDelta(t, before, c.served, float64(before)/20, "%s: rate one second after the election", name)
				}
			}
		}
	}
}

// TestFailoverTable shows that what one call has found out spares others the search.
func TestFailoverTable(t *testing.T) {
	c := newCluster(1, 1)
	c.run(10 * time.Millisecond)
	c.stores[1] = "killed"
	c.elect(3)
	c.run(2 * time.Second)
	require.Equal(t, sm.Unreachable, c.storeTable.View().Store(1).Liveness)
	r := c.regionTable.View().Find([]byte("k"), c.now)
	require.Equal(t, ports.StoreID(3), r.Peers[r.Leading].Store)
	sends, served := c.sends, c.served
	c.run(time.Second)
	require.InDelta(t, c.served-served, c.sends-sends, 1, "each request reaches the leader")
}

// cluster is a small world for calls and both tables: one region on three stores,
// messages that take a millisecond, workers that get a key again and again.
type cluster struct {
	now    ports.Instant
	seq    int
	events []happening

	regionTable RegionTable
	storeTable  StoreTable
	regionEnv   sm.Env
	storeEnv    sm.Env
	workers     []*worker

	leader   ports.StoreID
	pdLeader ports.StoreID
	// stores says how a store was lost, "" while it is well.
	stores          map[ports.StoreID]string
	hints, pdSilent bool

	sends, served int
}

// worker is one operation: it starts anew when it is finished.
type worker struct {
	id  uint64
	env sm.Env
	parent
}

// happening is an event for a worker or, with one of the numbers below, a table.
type happening struct {
	at  ports.Instant
	seq int
	op  uint64
	ev  ports.Event
}

const (
	toRegions = 1000 + iota
	toStores
	toPD
)

const wire = time.Millisecond

func newCluster(seed uint64, workers int) *cluster {
	knobs := sm.DefaultKnobs()
	c := &cluster{leader: 1, pdLeader: 1, stores: map[ports.StoreID]string{}}
	c.regionEnv = sm.Env{Knobs: &knobs, Rand: sm.NewRand(seed)}
	c.storeEnv = sm.Env{Knobs: &knobs, Rand: sm.NewRand(seed + 1)}
	for i := range workers {
		w := &worker{id: uint64(i), env: sm.Env{Knobs: &knobs, Rand: sm.NewRand(seed + 2 + uint64(i))}}
		rawKeys(&w.env)
		w.get.Key = []byte("k")
		c.workers = append(c.workers, w)
		c.post(0, w.id, ports.Event{Kind: ports.EventStart})
	}
	return c
}

// elect makes a store lead; PD hears of it a while later.
func (c *cluster) elect(id ports.StoreID) {
	c.leader = id
	c.post(200*time.Millisecond, toPD, ports.Event{})
}

func (c *cluster) post(in time.Duration, op uint64, ev ports.Event) {
	c.seq++
	h := happening{at: c.now.Add(in), seq: c.seq, op: op, ev: ev}
	i, _ := slices.BinarySearchFunc(c.events, h, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq))
	})
	c.events = slices.Insert(c.events, i, h)
}

func (c *cluster) run(d time.Duration) {
	until := c.now.Add(d)
	for len(c.events) > 0 && c.events[0].at <= until {
		h := c.events[0]
		c.events = c.events[1:]
		c.now = h.at
		h.ev.Now = c.now
		c.step(h.op, &h.ev)
	}
	c.now = until
}

func (c *cluster) step(op uint64, ev *ports.Event) {
	var out sm.Effects
	switch op {
	case toPD:
		c.pdLeader = c.leader
	case toRegions:
		c.regionEnv.Stores = c.storeTable.View()
		c.regionTable.Step(&c.regionEnv, ev, &out)
	case toStores:
		c.storeTable.Step(&c.storeEnv, ev, &out)
	default:
		w := c.workers[op]
		w.env.Regions, w.env.Stores = c.regionTable.View(), c.storeTable.View()
		if ev.Kind == ports.EventStart {
			w.answered = false
			w.spec = Spec{Key: w.get.Key, Deadline: ev.Now.Add(40 * time.Second), Timeout: 30 * time.Second}
		}
		w.Step(&w.env, ev, &out)
	}
	for i := range out.List {
		c.perform(op, &out.List[i])
	}
}

func (c *cluster) perform(op uint64, e *sm.Effect) {
	switch e.Kind {
	case sm.EffectSend:
		c.sends++
		c.send(op, e)
	case sm.EffectArm:
		c.post(e.At.Sub(c.now), op, ports.Event{Kind: ports.EventTimer, Tok: e.Tok})
	case sm.EffectQuery:
		c.query(op, e)
	case sm.EffectProbe:
		switch c.stores[e.To.Store] {
		case "":
			c.post(2*wire, op, ports.Event{Kind: ports.EventProbed, Tok: e.Tok})
		case "killed":
			c.post(wire, op, failed(ports.EventProbed, e.Tok, ports.CauseConnection))
		default:
			c.post(e.At.Sub(c.now), op, failed(ports.EventProbed, e.Tok, ports.CauseTimeout))
		}
	case sm.EffectAsk:
		ask := *e.Ask
		ask.Waiter = ports.Waiter{Op: op, Tok: e.Tok}
		table := uint64(toRegions)
		if ask.Kind == ports.AskStore {
			table = toStores
		}
		c.post(0, table, ports.Event{Kind: ports.EventAsk, Ask: &ask})
	case sm.EffectLearn:
		c.post(0, toRegions, ports.Event{Kind: ports.EventLearn, Fact: e.Fact})
		c.post(0, toStores, ports.Event{Kind: ports.EventLearn, Fact: e.Fact})
	case sm.EffectTell:
		c.post(0, e.Waiter.Op, ports.Event{Kind: ports.EventTell, Tok: e.Waiter.Tok, Cause: e.Cause})
	case sm.EffectAnswer:
		if c.workers[op].call.Result().Kind == Replied {
			c.served++
		}
		c.post(wire, op, ports.Event{Kind: ports.EventStart})
	case sm.EffectTimestamp, sm.EffectForget:
	}
}

func failed(kind ports.EventKind, tok ports.Tok, cause ports.CauseKind) ports.Event {
	return ports.Event{Kind: kind, Tok: tok, Cause: ports.Cause{Kind: cause}}
}

// send answers as the store would, or as the network must for one that does not.
func (c *cluster) send(op uint64, e *sm.Effect) {
	switch c.stores[e.To.Store] {
	case "":
		reply := &ports.GetReply{}
		if e.To.Store != c.leader {
			reply.Fault = &ports.RegionFault{Kind: ports.FaultNotLeader}
			if c.hints || c.stores[c.leader] == "" {
				reply.Fault.Leader = c.region().Peers[c.leader-1]
			}
		}
		c.post(2*wire, op, ports.Event{Kind: ports.EventReply, Tok: e.Tok, Reply: reply})
	case "killed":
		c.post(wire, op, failed(ports.EventUnsent, e.Tok, ports.CauseConnection))
	default:
		at, cause := c.now.Add(2*ports.SilenceLimit), ports.CauseHung
		if e.At < at {
			at, cause = e.At, ports.CauseTimeout
		}
		c.post(at.Sub(c.now), op, failed(ports.EventLost, e.Tok, cause))
	}
}

func (c *cluster) query(op uint64, e *sm.Effect) {
	ev := ports.Event{Kind: ports.EventPlaced, Tok: e.Tok}
	switch {
	case e.Query.Kind == ports.QueryStore:
		ev.Stores = []ports.Store{storeMeta(e.Query.Store)}
	case c.pdSilent && c.now > 0:
		c.post(e.At.Sub(c.now), op, failed(ports.EventRefused, e.Tok, ports.CauseTimeout))
		return
	default:
		r := c.region()
		r.Leader = r.Peers[c.pdLeader-1].ID
		ev.Regions = []ports.Region{r}
	}
	c.post(2*wire, op, ev)
}

func (c *cluster) region() ports.Region {
	return ports.Region{
		RegionVersion: ports.RegionVersion{ID: 2, Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
		Peers:         []ports.Peer{{ID: 21, Store: 1}, {ID: 22, Store: 2}, {ID: 23, Store: 3}},
	}
}
