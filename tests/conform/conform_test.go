package conform_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/tests/conform"
)

func TestTxnScriptsOnTheSimulator(t *testing.T) {
	counts := conform.Run(t, "testdata/txn", "sim", simulated(t, false))
	require.NotZero(t, counts.Commands)
	t.Logf("conform: sim commands=%d explained=%d", counts.Commands, counts.Explained)
}

// What today's client does not send; real stores play a part of it.
func TestStoreScriptsOnTheSimulator(t *testing.T) {
	counts := conform.Run(t, "testdata/store", "sim", simulated(t, false))
	require.NotZero(t, counts.Commands)
}

func TestRawScriptsOnTheSimulator(t *testing.T) {
	counts := conform.Run(t, "testdata/raw", "sim", simulated(t, true))
	require.NotZero(t, counts.Commands)
	t.Logf("conform: sim commands=%d explained=%d", counts.Commands, counts.Explained)
}

func simulated(t *testing.T, raw bool) *conform.Target {
	w, err := sim.New(sim.Config{RawKeys: raw})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	client := w.Client("conform")
	codec := key.Codec{Mode: key.Txn}
	if raw {
		codec.Mode = key.Raw
	}
	return &conform.Target{
		Name: "sim", Network: client, Placement: client, Now: client.Now, Codec: codec,
		Wait: func(answer <-chan ports.Event) ports.Event {
			for w.Step() {
				select {
				case ev := <-answer:
					return ev
				default:
				}
			}
			return ports.Event{Kind: ports.EventLost, Cause: ports.Cause{Text: "the world stands still"}}
		},
	}
}
