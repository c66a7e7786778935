package conform

import (
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
)

// Simulated returns a new simulated cluster in which nothing goes wrong, and what
// ends it. raw says that it is used for raw data.
func Simulated(raw bool) (*Target, func(), error) {
	w, err := sim.New(sim.Config{RawKeys: raw})
	if err != nil {
		return nil, nil, err
	}
	client := w.Client("conform")
	codec := key.Codec{Mode: key.Txn}
	if raw {
		codec.Mode = key.Raw
	}
	wait := func(answer <-chan ports.Event) ports.Event {
		for {
			select {
			case ev := <-answer:
				return ev
			default:
			}
			if !w.Step() {
				return ports.Event{Kind: ports.EventLost, Cause: ports.Cause{Text: "the world stands still"}}
			}
		}
	}
	return &Target{
		Name: "sim", Network: client, Placement: client, Timers: client, Codec: codec, Wait: wait,
	}, w.Close, nil
}
