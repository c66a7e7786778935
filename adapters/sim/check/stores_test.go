package check_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// conversation is what a client does about a region with peers 11 to 13 on the stores 1 to 3, one thing each 10 ms.
type conversation struct {
	*check.Stores
	world  *sim.World
	client *sim.Client
	// region is as it is, version what the client knows of it.
	region  ports.Region
	version ports.RegionVersion
	sent    map[ports.Addr]*sim.Attempt
}

func converse(t *testing.T) *conversation {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	c := &conversation{world: w, client: w.Client("c"), sent: map[ports.Addr]*sim.Attempt{}}
	c.version = ports.RegionVersion{ID: 7, Epoch: ports.Epoch{Version: 1}}
	c.region.RegionVersion = c.version
	for i := range 3 {
		c.region.Peers = append(c.region.Peers, ports.Peer{ID: ports.PeerID(11 + i), Store: ports.StoreID(1 + i)})
	}
	c.Stores = check.NewStores(func(id ports.RegionID) (ports.Region, bool) { return c.region, id == 7 })
	return c
}

func (c *conversation) wait(d time.Duration) { c.world.Run(c.world.Now().Add(d), nil) }

// send lets a routed call ask a store, and wait for it as long as a second.
func (c *conversation) send(call ports.Addr, store ports.StoreID) {
	c.sendFor(call, store, time.Second)
}

func (c *conversation) sendFor(call ports.Addr, store ports.StoreID, patience time.Duration) {
	c.wait(10 * time.Millisecond)
	now := c.world.Now()
	c.sent[call] = &sim.Attempt{
		Client: c.client, To: endpoint(store), Request: &ports.GetRequest{}, Sent: now, Deadline: now.Add(patience),
		Header: &ports.Header{IsRetry: c.sent[call] != nil, Region: c.version, Peer: c.region.Peers[store-1]},
		Caller: sim.Caller{Addr: call},
	}
	c.Submitted(c.sent[call])
}

func endpoint(store ports.StoreID) ports.Endpoint { return ports.Endpoint{Store: store, Address: "a"} }

// answer lets a call be answered: with a fault, or served.
func (c *conversation) answer(call ports.Addr, kind ports.FaultKind) {
	c.wait(10 * time.Millisecond)
	reply := &ports.GetReply{}
	if kind != ports.FaultNone {
		reply.Fault = &ports.RegionFault{Kind: kind, Regions: []ports.Region{{RegionVersion: ports.RegionVersion{ID: 8}}}}
	}
	c.Answered(c.sent[call], reply)
}

func (c *conversation) lose(call ports.Addr, cause ports.CauseKind) {
	c.wait(10 * time.Millisecond)
	c.Unanswered(c.sent[call], cause)
}

// probe lets the client ask whether a store serves, and be told.
func (c *conversation) probe(store ports.StoreID, cause ports.CauseKind) {
	c.Probing(c.client, endpoint(store))
	c.wait(10 * time.Millisecond)
	c.Probed(c.client, endpoint(store), cause)
}

// meet lets the client be served by stores, so that it knows them to be well.
func (c *conversation) meet(stores ...ports.StoreID) {
	for _, s := range stores {
		c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion})
		c.send(1, s)
		c.answer(1, ports.FaultNone)
	}
}

// kill lets the client find out that store 1 is dead.
func (c *conversation) kill() {
	c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion})
	c.send(9, 1)
	c.lose(9, ports.CauseConnection)
	c.probe(1, ports.CauseConnection)
}

// deaths are sound ways to treat stores that are dead, or seem to be.
func deaths() map[string]func(*conversation) {
	return map[string]func(*conversation){
		"the dead store comes last, and not for long": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.send(2, 2)
			c.answer(2, ports.FaultNotLeader)
			c.send(2, 3)
			c.answer(2, ports.FaultNotLeader)
			c.send(2, 1)
		},
		"nobody answers, so that the dead store may be slow": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			for _, s := range []ports.StoreID{2, 3} {
				c.send(2, s)
				c.lose(2, ports.CauseTimeout)
			}
			c.sendFor(2, 1, time.Minute)
		},
		"PD does not know where the others are": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.searchInVain(2)
			c.searchInVain(3)
			c.send(2, 1)
		},
		"nothing is known of the others": func(c *conversation) {
			c.kill()
			c.sendFor(2, 1, time.Minute)
		},
		"a dead store that has answered since": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.probe(1, ports.CauseNone)
			c.sendFor(2, 1, time.Minute)
		},
		"a probe of an address that the store has left": func(c *conversation) {
			c.meet(2, 3)
			c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion})
			c.send(9, 1)
			c.lose(9, ports.CauseHung)
			c.Probing(c.client, endpoint(1))
			c.Probed(c.client, ports.Endpoint{Store: 1, Address: "b"}, ports.CauseConnection)
			c.sendFor(2, 1, time.Minute)
		},
		"a region that has changed": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.region.Epoch.Version++
			c.send(2, 1)
			c.version.ID++
			c.send(2, 1)
		},
		"a timeout that took its time, and a probe after a probe": func(c *conversation) {
			c.send(2, 1)
			c.wait(time.Second)
			c.lose(2, ports.CauseTimeout)
			c.probe(1, ports.CauseTimeout)
			c.wait(time.Minute)
			c.probe(1, ports.CauseTimeout)
		},
	}
}

// changes are sound ways to look for who leads.
func changes() map[string]func(*conversation) {
	return map[string]func(*conversation){
		"another peer, after whoever served was silent": func(c *conversation) {
			c.meet(2)
			c.send(2, 2)
			c.lose(2, ports.CauseTimeout)
			c.send(3, 3)
		},
		"another peer, after an answer about the region": func(c *conversation) {
			c.meet(2)
			c.send(2, 2)
			c.answer(2, ports.FaultEpochNotMatch)
			c.send(3, 3)
		},
		"another peer, after a question to PD": func(c *conversation) {
			c.meet(2)
			c.Asked(c.client, &ports.Query{Kind: ports.QueryRegions})
			c.send(2, 3)
			c.answer(2, ports.FaultNone)
			c.searchInVain(3)
			c.send(2, 1)
		},
		"another peer, while an older answer is on its way": func(c *conversation) {
			c.send(2, 2)
			c.send(3, 3)
			c.answer(3, ports.FaultNotLeader)
			c.answer(2, ports.FaultNone)
			c.send(4, 3)
		},
	}
}

// doubts are sound ways to look for who leads when others are no help.
func doubts() map[string]func(*conversation) {
	return map[string]func(*conversation){
		"a busy store, after the others were asked, or while it says how long": func(c *conversation) {
			c.meet(2, 3)
			c.send(2, 3)
			c.answer(2, ports.FaultNotLeader)
			for range 3 {
				c.send(2, 2)
				c.answer(2, ports.FaultServerIsBusy)
			}
			c.send(2, 2)
			c.answer(2, ports.FaultStaleCommand)
			for range 4 {
				c.send(2, 2)
				c.answer(2, ports.FaultServerIsBusy)
			}
			c.region.Epoch.Version++
			c.send(2, 2)
			c.region.Peers[0].Witness, c.region.Epoch.Version = true, c.version.Epoch.Version
			c.send(2, 2)
		},
		"questions to PD's followers, now and then, and to its leader": func(c *conversation) {
			c.send(2, 1)
			for i := range 10 {
				c.wait(80 * time.Millisecond)
				c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion, Key: []byte("k"), Fresh: i%4 == 0})
			}
		},
		"calls that paused, and do not know who has served meanwhile": func(c *conversation) {
			c.meet(2)
			for call := range ports.Addr(8) {
				c.send(call, 3)
			}
		},
		"a busy store, by one call after the other": func(c *conversation) {
			c.meet(3, 2)
			for range 4 {
				delete(c.sent, 2)
				c.send(2, 2)
				c.answer(2, ports.FaultServerIsBusy)
			}
		},
		"another store that answers at the address": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.send(2, 2)
			c.answer(2, ports.FaultStoreNotMatch)
			c.send(3, 3)
			c.answer(3, ports.FaultNotLeader)
			c.send(3, 1)
		},
	}
}

// searchInVain lets the client ask PD where a store is, and hear nothing.
func (c *conversation) searchInVain(store ports.StoreID) {
	c.world.RestartPD(ports.Forever)
	where := &ports.Query{Kind: ports.QueryStore, Store: store}
	c.Asked(c.client, where)
	c.client.Ask(where, c.world.Now().Add(time.Second), ports.Tok{}, deaf{})
	c.wait(10 * time.Millisecond)
}

// deaf is a sink that drops what comes.
type deaf struct{}

func (deaf) Post(ports.Event) {}

func TestStoresAccept(t *testing.T) {
	all := deaths()
	maps.Copy(all, changes())
	maps.Copy(all, doubts())
	for name, play := range all {
		t.Run(name, func(t *testing.T) {
			c := converse(t)
			play(c)
			c.lose(2, ports.CauseClosed)
			require.Empty(t, c.Wrong())
		})
	}
}

// mistakes are ways to do what nobody should, by what is said about them.
func mistakes() map[string]func(*conversation) {
	return map[string]func(*conversation){
		"asks store 1, which it knows to be dead, before store 2": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.send(2, 1)
		},
		"asks store 1, which it knows to be dead, before store 3": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			c.send(2, 2)
			c.answer(2, ports.FaultNotLeader)
			c.send(2, 1)
		},
		"waits 2s for store 1, which it knows to be dead, though store 2 answers": func(c *conversation) {
			c.meet(2, 3)
			c.kill()
			for range 2 {
				for _, s := range []ports.StoreID{2, 3} {
					c.send(2, s)
					c.answer(2, ports.FaultNotLeader)
				}
			}
			c.sendFor(2, 1, 2*time.Second)
		},
		"asks whether store 1 serves, though nothing has failed there": func(c *conversation) {
			c.send(2, 1)
			c.lose(2, ports.CauseTimeout)
			c.probe(1, ports.CauseNone)
		},
		"asks version {0 1} of region 7 for keys that it does not hold": func(c *conversation) {
			c.send(2, 1)
			c.answer(2, ports.FaultKeyNotInRegion)
		},
		"asks store 0 nowhere": func(c *conversation) {
			c.send(2, 1)
			c.sent[2].To = ports.Endpoint{}
			c.Submitted(c.sent[2])
		},
		"asks PD's followers 3 times for \"k\", after its leader": func(c *conversation) {
			c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion, Key: []byte("k"), Fresh: true})
			for range 4 {
				c.wait(10 * time.Millisecond)
				c.Asked(c.client, &ports.Query{Kind: ports.QueryRegion, Key: []byte("k")})
			}
		},
		"asks store 2, which was busy 2 times, before store 3": func(c *conversation) {
			c.meet(3, 2)
			for range 2 {
				c.send(2, 2)
				c.answer(2, ports.FaultServerIsBusy)
			}
			c.send(2, 2)
		},
		"asks store 3 for region 7, which store 2 has just served, again and again": func(c *conversation) {
			c.meet(2)
			for range 9 {
				c.send(2, 3)
				c.answer(2, ports.FaultNotLeader)
				c.send(2, 2)
				c.answer(2, ports.FaultNone)
			}
		},
	}
}

func TestStoresReject(t *testing.T) {
	for wrong, play := range mistakes() {
		t.Run(wrong, func(t *testing.T) {
			c := converse(t)
			play(c)
			require.Len(t, c.Wrong(), 1)
			require.Contains(t, c.Wrong()[0], wrong)
		})
	}
}
