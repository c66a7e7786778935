package conform

import (
	"errors"
	"fmt"
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
	// Now is the clock of the ports.
	Now func() ports.Instant
	// Wait lets things happen until an event has arrived.
	Wait func(answer <-chan ports.Event) ports.Event
	// Codec is how the target's regions keep the keys of the script.
	Codec key.Codec
}

// Sender sends one request to the region that holds a key and returns the region's
// answer.
type Sender interface {
	Do(k []byte, header ports.Header, req ports.Request) (ports.Reply, error)
}

// attempts bounds how often a request is sent again after a region error; a new
// cluster takes a while to know its leaders.
const (
	attempts = 20
	patience = 10 * time.Second
)

// Do implements [Sender].
func (t *Target) Do(k []byte, header ports.Header, req ports.Request) (ports.Reply, error) {
	var last error
	for range attempts {
		to, err := t.locate(k, &header)
		if err != nil {
			return nil, err
		}
		answer := make(mailbox, 1)
		t.Network.Submit(to, &header, req, t.Now().Add(patience), ports.Tok{Gen: 1}, answer)
		ev := t.Wait(answer)
		switch {
		case ev.Kind != ports.EventReply:
			return nil, fmt.Errorf("no reply: %s", ev.Cause.Text)
		case ev.Reply.Region() == nil:
			return ev.Reply, nil
		}
		last = fmt.Errorf("region error %d: %s", ev.Reply.Region().Kind, ev.Reply.Region().Text)
	}
	return nil, last
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
	t.Placement.Ask(q, t.Now().Add(patience), ports.Tok{Gen: 1}, answer)
	return t.Wait(answer)
}

// mailbox is a sink for one event.
type mailbox chan ports.Event

// Post implements [ports.Sink].
func (m mailbox) Post(ev ports.Event) { m <- ev }
