package conform_test

import (
	"context"
	"testing"
	"time"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/conform"
)

// These tests start real servers: they belong to `make cluster`.

const scripts = "../../conform/testdata/"

// unistorePlays are a folder and scripts of what today's client does not send. Two of the scripts are the simulator's
// alone: unistore takes the timestamps of async commit from PD and has no CheckSecondaryLocks in BatchCommands, and its
// ScanLock looks at a whole region.
var unistorePlays = []string{"txn", "store/read", "store/prewrite", "store/onepc", "store/pessimistic"}

func TestTxnScriptsOnUnistore(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binaries, err := rig.Build(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := rig.StartUnistore(ctx, binaries, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ticks := clock.New()
	defer ticks.Close()
	placement, err := pd.Open(ctx, pd.Config{Endpoints: []string{cluster.PD.Address}, Clock: ticks})
	if err != nil {
		t.Fatal(err)
	}
	defer placement.Close()
	network := grpc.New(grpc.Config{ClusterID: placement.ClusterID(), Clock: ticks})
	defer network.Close()
	target := &conform.Target{
		Name: "unistore", Network: network, Placement: placement, Now: ticks.Now, Wait: receive,
	}
	for _, played := range unistorePlays {
		counts := conform.Run(t, scripts+played, "unistore", target)
		if counts.Commands == 0 {
			t.Fatalf("no command of %s ran", played)
		}
		t.Logf("conform: unistore scripts=%s commands=%d explained=%d", played, counts.Commands, counts.Explained)
	}
}

func TestRawScriptsOnTheMockOfClientGo(t *testing.T) {
	place := startMock(t)
	ticks := clock.New()
	defer ticks.Close()
	network := grpc.New(grpc.Config{Clock: ticks})
	defer network.Close()
	counts := conform.Run(t, scripts+"raw", "mock", &conform.Target{
		Name: "mock", Network: network, Placement: place, Now: ticks.Now, Wait: receive, Codec: key.Codec{Mode: key.Raw},
	})
	if counts.Commands == 0 {
		t.Fatal("no script ran")
	}
	t.Logf("conform: mock commands=%d explained=%d", counts.Commands, counts.Explained)
}

func receive(answer <-chan ports.Event) ports.Event { return <-answer }
