package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// station is a client that sends single requests and keeps what comes back.
type station struct {
	t *testing.T
	w *World
	c *Client
	// events by generation of the token; leases are given back when the test has looked.
	events map[uint32][]ports.Event
	next   uint32
}

func newStation(t *testing.T, config Config) *station {
	w, err := New(config)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return &station{t: t, w: w, c: w.Client("c"), events: map[uint32][]ports.Event{}}
}

// Post implements [ports.Sink].
func (s *station) Post(ev ports.Event) { s.events[ev.Tok.Gen] = append(s.events[ev.Tok.Gen], ev) }

func (s *station) tok() ports.Tok {
	s.next++
	return ports.Tok{Gen: s.next}
}

// address returns where a region's peer on a store is reached, or, with store 0, its leader.
func (s *station) address(r *region, id ports.StoreID) (ports.Endpoint, ports.Header) {
	peer, _ := r.leader()
	if id != 0 {
		peer, _ = r.PeerOn(id)
	}
	return ports.Endpoint{Store: peer.Store, Address: s.w.store(peer.Store).address},
		ports.Header{Region: r.RegionVersion, Peer: peer}
}

// send submits a request to the leader of the first region.
func (s *station) send(req ports.Request) uint32 {
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	return s.sendTo(to, &hdr, req)
}

func (s *station) sendTo(to ports.Endpoint, hdr *ports.Header, req ports.Request) uint32 {
	tok := s.tok()
	s.c.Submit(to, hdr, req, s.w.now.Add(10*time.Second), tok, s)
	return tok.Gen
}

// await lets the world go on until a request is answered.
func (s *station) await(gen uint32) ports.Event {
	s.t.Helper()
	require.True(s.t, s.w.Run(s.w.now.Add(time.Minute), func() bool { return len(s.events[gen]) > 0 }), "no answer")
	return s.events[gen][0]
}

// fault awaits a region error.
func (s *station) fault(gen uint32) *ports.RegionFault {
	s.t.Helper()
	ev := s.await(gen)
	require.Equal(s.t, ports.EventReply, ev.Kind)
	require.NotNil(s.t, ev.Reply.Region())
	return ev.Reply.Region()
}

func put(key, value string) *ports.RawPutRequest {
	return &ports.RawPutRequest{Key: []byte(key), Value: []byte(value)}
}

// value returns what the engine holds for a raw key.
func (s *station) value(key string) string {
	var reply ports.RawGetReply
	s.w.engine.Raw(1).Get(&ports.RawGetRequest{Key: []byte(key)}, &reply)
	return string(reply.Value)
}

// rest lets everything happen that is on its way.
func (s *station) rest() { s.w.Run(s.w.now.Add(time.Minute), nil) }

// chosen is a chooser for tests: it answers what is set for a site, in turn, and 0 afterwards.
type chosen map[Site][]int

// Choose implements [Chooser].
func (c chosen) Choose(site Site, n int) int {
	list := c[site]
	if len(list) == 0 {
		return 0
	}
	c[site] = list[1:]
	return min(list[0], n-1)
}

// raw is a cluster for raw data whose regions are bounded by the keys.
func raw(chooser Chooser, faults FaultSet, bounds ...string) Config {
	c := Config{RawKeys: true, Chooser: chooser, Faults: faults}
	for _, b := range bounds {
		c.Splits = append(c.Splits, []byte(b))
	}
	return c
}
