package conform_test

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/tests/cluster/rig"
)

// place is what the mock says of itself; it is all the placement there is.
type place struct {
	Address string         `json:"address"`
	Store   ports.StoreID  `json:"store"`
	Region  ports.RegionID `json:"region"`
	Peer    ports.PeerID   `json:"peer"`
	ConfVer uint64         `json:"conf_ver"`
	Version uint64         `json:"version"`
}

// startMock builds and starts client-go's mock; it dies with the test.
func startMock(t *testing.T) *place {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, "out", "client-go-mock")
	if err := rig.BuildProgram(t.Context(), filepath.Join(root, "tests", "peer"), binary, "./mock"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		t.Fatal("the mock said nothing")
	}
	p := &place{}
	if err := json.Unmarshal(lines.Bytes(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Ask implements [ports.Placement].
func (p *place) Ask(q *ports.Query, _ ports.Instant, tok ports.Tok, sink ports.Sink) {
	ev := ports.Event{Kind: ports.EventPlaced, Tok: tok}
	if q.Kind == ports.QueryStore {
		ev.Stores = []ports.Store{{ID: p.Store, Address: p.Address}}
	} else {
		ev.Regions = []ports.Region{{
			RegionVersion: ports.RegionVersion{
				ID: p.Region, Epoch: ports.Epoch{ConfVer: p.ConfVer, Version: p.Version},
			},
			Peers: []ports.Peer{{ID: p.Peer, Store: p.Store}}, Leader: p.Peer,
		}}
	}
	sink.Post(ev)
}
