package porttest

import (
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// Mailbox takes the events of a few effects until a test fetches them; its capacity is their number, since no adapter
// may be held up. Replies stay valid: their leases are kept.
type Mailbox chan ports.Event

// Post implements [ports.Sink].
func (m Mailbox) Post(ev ports.Event) { m <- ev }

// Next waits for an event.
func (m Mailbox) Next(t *testing.T) ports.Event {
	t.Helper()
	select {
	case ev := <-m:
		return ev
	case <-time.After(patience):
		t.Fatal("no answer")
		return ports.Event{}
	}
}
