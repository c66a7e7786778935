package conform

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// Target is a store under test, seen through the ports.
type Target struct {
	// Name is what on=… in scripts refers to.
	Name      string
	Network   ports.Network
	Placement ports.Placement
	// Timers is the clock of the ports.
	Timers ports.Timers
	// Wait lets things happen until an event has arrived.
	Wait func(answer <-chan ports.Event) ports.Event
	// Codec is how the target's regions keep the keys of the script.
	Codec key.Codec
}

// attempts bounds how often a request is sent again after a region error, and pause is
// the time in between: PD takes a while to know new regions and their leaders.
const (
	attempts = 100
	pause    = 20 * time.Millisecond
	patience = 10 * time.Second
)

// pending is a request that may not have been answered yet.
type pending struct {
	target *Target
	first  []byte
	how    sending
	req    ports.Request
	answer mailbox
	err    error
}

// send sends one request to the region that holds a key.
func (t *Target) send(first []byte, how sending, req ports.Request) *pending {
	p := &pending{target: t, first: first, how: how, req: req}
	p.submit()
	return p
}

func (p *pending) submit() {
	to, err := p.target.locate(p.first, &p.how.header)
	if p.err = err; err != nil {
		return
	}
	mistakes[p.how.mistake](&p.how.header)
	p.answer = make(mailbox, 1)
	t := p.target
	t.Network.Submit(to, &p.how.header, p.req, t.Timers.Now().Add(patience), ports.Tok{Gen: 1}, p.answer)
}

// receive waits for the region's answer; after a region error it asks again.
func (p *pending) receive() (ports.Reply, error) {
	var last error
	for range attempts {
		if p.err != nil {
			return nil, p.err
		}
		ev := p.target.Wait(p.answer)
		switch {
		case ev.Kind != ports.EventReply:
			return nil, fmt.Errorf("failed: %s", ev.Cause.Text)
		case ev.Reply.Region() == nil:
			return ev.Reply, nil
		case p.how.once:
			return nil, fmt.Errorf("region error: %s", regionError(ev.Reply.Region()))
		}
		f := ev.Reply.Region()
		last = errors.New(strings.TrimSuffix(fmt.Sprintf("region error %d: %s", f.Kind, f.Text), ": "))
		p.target.pause()
		p.submit()
	}
	return nil, last
}

func (t *Target) pause() {
	over := make(mailbox, 1)
	t.Timers.Arm(t.Timers.Now().Add(pause), ports.Tok{Gen: 1}, over)
	t.Wait(over)
}

// locate asks PD for the leader of the region that holds k and addresses header.
func (t *Target) locate(k []byte, header *ports.Header) (ports.Endpoint, error) {
	placed := t.ask(&ports.Query{Kind: ports.QueryRegion, Key: t.Codec.RegionKey(nil, k)})
	if len(placed.Regions) != 1 {
		return ports.Endpoint{}, fmt.Errorf("PD knows no region: %s", placed.Cause.Text)
	}
	region := placed.Regions[0]
	peer, ok := region.Peer(region.Leader)
	if !ok {
		return ports.Endpoint{}, errors.New("PD knows no leader")
	}
	header.Region, header.Peer = region.RegionVersion, peer
	stores := t.ask(&ports.Query{Kind: ports.QueryStore, Store: peer.Store})
	if len(stores.Stores) != 1 {
		return ports.Endpoint{}, fmt.Errorf("PD knows no store: %s", stores.Cause.Text)
	}
	return ports.Endpoint{Store: peer.Store, Address: stores.Stores[0].Address}, nil
}

func (t *Target) ask(q *ports.Query) ports.Event {
	answer := make(mailbox, 1)
	t.Placement.Ask(q, t.Timers.Now().Add(patience), ports.Tok{Gen: 1}, answer)
	return t.Wait(answer)
}

// mailbox is a sink for one event.
type mailbox chan ports.Event

// Post implements [ports.Sink].
func (m mailbox) Post(ev ports.Event) { m <- ev }
