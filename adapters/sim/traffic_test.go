package sim_test

import (
	"fmt"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// traffic is a crude client that keeps a number of transactions going: timestamp, one prewrite for each key, timestamp,
// one commit for each key. It gives up whatever does not work and begins the next. It shows what the world does with
// requests, not what a good client makes of it.
type traffic struct {
	world  *sim.World
	client *sim.Client
	slots  []slot
	left   int
	// committed counts the transactions that went well, answered and submitted all requests.
	committed, answered, submitted int
	timeout                        ports.Instant
}

// slot is one transaction that is under way.
type slot struct {
	traffic       *traffic
	id            int
	keys          [2][]byte
	start, commit ports.Timestamp
	state, open   int
	failed        bool
	prewrite      ports.PrewriteRequest
	mutation      [1]ports.Mutation
	commits       ports.CommitRequest
	rollback      ports.BatchRollbackRequest
	commitKeys    [1][]byte
}

func newTraffic(w *sim.World, concurrency, transactions int) *traffic {
	t := &traffic{world: w, client: w.Client("traffic"), left: transactions, timeout: 1e9}
	t.slots = make([]slot, concurrency)
	for i := range t.slots {
		t.slots[i].traffic, t.slots[i].id = t, i
		t.begin(&t.slots[i])
	}
	return t
}

func (t *traffic) begin(s *slot) {
	if t.left == 0 {
		s.state = idle
		return
	}
	t.left--
	if t.left%16 == 0 {
		t.client.Ask(&ports.Query{Kind: ports.QueryRegions, Limit: 8}, t.world.Now()+t.timeout, ports.Tok{}, ignored{})
	}
	// Keys are a slot's own, except for every eighth transaction.
	owner := s.id
	if t.world.Choose(sim.SiteWorkload, 8) == 1 {
		owner = t.world.Choose(sim.SiteWorkload, len(t.slots))
	}
	for i := range s.keys {
		n := owner + len(t.slots)*t.world.Choose(sim.SiteWorkload, 500/len(t.slots))
		s.keys[i] = fmt.Appendf(s.keys[i][:0], "key-%04d", 2*n+i)
	}
	s.failed = false
	s.state, s.open = asksStart, 1
	t.client.Timestamp(t.world.Now()+t.timeout, ports.Tok{}, s)
}

// ignored is a sink for what nobody waits for.
type ignored struct{}

// Post implements [ports.Sink].
func (ignored) Post(ports.Event) {}

const (
	idle = iota
	asksStart
	prewrites
	asksCommit
	commits
	rollsBack
	pauses
)

// Post implements [ports.Sink].
func (s *slot) Post(ev ports.Event) {
	t := s.traffic
	s.open--
	s.failed = s.failed || !fine(&ev)
	if ev.Lease != nil {
		ev.Lease.Release()
	}
	switch s.state {
	case asksStart:
		if !s.failed {
			s.start = ev.TS
			s.state = prewrites
			s.send()
			return
		}
		s.failed, s.open = false, 1
		t.client.Arm(t.world.Now()+1e8, ports.Tok{}, s)
		s.state = pauses
		return
	case pauses:
	case prewrites, commits:
		t.answered++
		if s.open > 0 {
			return
		}
		if !s.failed && s.state == prewrites {
			s.state, s.open = asksCommit, 1
			t.client.Timestamp(t.world.Now()+t.timeout, ports.Tok{}, s)
			return
		}
		if s.failed {
			s.state = rollsBack
			s.send()
			return
		}
		t.committed++
	case rollsBack:
		t.answered++
		if s.open > 0 {
			return
		}
	case asksCommit:
		if !s.failed {
			s.commit = ev.TS
			s.state = commits
			s.send()
			return
		}
		s.state = rollsBack
		s.send()
		return
	}
	t.begin(s)
}

// fine reports whether an answer is what the client hoped for.
func fine(ev *ports.Event) bool {
	switch ev.Kind {
	case ports.EventTimestamp:
		return true
	case ports.EventReply:
		if ev.Reply.Region() != nil {
			return false
		}
		switch r := ev.Reply.(type) {
		case *ports.PrewriteReply:
			return len(r.Errors) == 0
		case *ports.CommitReply:
			return r.Err == nil
		}
	default:
	}
	return false
}

// send submits the requests of the state, one for each key.
func (s *slot) send() {
	t := s.traffic
	s.open = len(s.keys)
	for i, key := range s.keys {
		to, hdr := t.route(key)
		deadline := t.world.Now() + t.timeout
		t.submitted++
		if s.state == prewrites {
			s.mutation[0] = ports.Mutation{Kind: ports.KindPut, Key: key, Value: s.keys[0]}
			s.prewrite = ports.PrewriteRequest{
				Mutations: s.mutation[:], Primary: s.keys[0], StartTS: s.start, TTL: 3000, TxnSize: 2,
			}
			t.client.Submit(to, &hdr, &s.prewrite, deadline, ports.Tok{Gen: uint32(i)}, s)
			continue
		}
		s.commitKeys[0] = key
		if s.state == rollsBack {
			s.rollback = ports.BatchRollbackRequest{Keys: s.commitKeys[:], StartTS: s.start}
			t.client.Submit(to, &hdr, &s.rollback, deadline, ports.Tok{Gen: uint32(i)}, s)
			continue
		}
		s.commits = ports.CommitRequest{
			Keys: s.commitKeys[:], Primary: s.keys[0], StartTS: s.start, CommitTS: s.commit, IsPrimary: i == 0,
		}
		t.client.Submit(to, &hdr, &s.commits, deadline, ports.Tok{Gen: uint32(i)}, s)
	}
}

// route finds a key's region by looking behind the scenes, a little out of date.
func (t *traffic) route(key []byte) (ports.Endpoint, ports.Header) {
	r := t.world.RegionOf(key)
	leader, ok := r.Peer(r.Leader)
	if !ok {
		leader = r.Peers[0]
	}
	return ports.Endpoint{Store: leader.Store, Address: t.world.AddressOf(leader.Store)},
		ports.Header{Region: r.RegionVersion, Peer: leader}
}
