package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/conform"
)

// onMock plays the scripts of raw commands on client-go's mock: raw commands are what
// unistore does not have.
func onMock(ctx context.Context, root string, lacking *conform.Script, scripts []*conform.Script) (*score, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	place, err := startMock(ctx, root)
	if err != nil {
		return nil, err
	}
	ticks := clock.New()
	defer ticks.Close()
	network := grpc.New(grpc.Config{Clock: ticks})
	defer network.Close()
	target := &conform.Target{
		Name: "mock", Network: network, Placement: place, Timers: ticks, Wait: receive, Codec: key.Codec{Mode: key.Raw},
	}
	s := newScore(target.Name)
	missing := s.probe(lacking, target)
	for _, script := range scripts {
		s.add(script.Play(target, missing))
	}
	return s, nil
}

// place is what the mock says of itself; it is all the placement there is.
type place struct {
	Address string         `json:"address"`
	Store   ports.StoreID  `json:"store"`
	Region  ports.RegionID `json:"region"`
	Peer    ports.PeerID   `json:"peer"`
	ConfVer uint64         `json:"conf_ver"`
	Version uint64         `json:"version"`
}

// startMock builds and starts client-go's mock; it dies with ctx.
func startMock(ctx context.Context, root string) (*place, error) {
	binary := filepath.Join(root, "out", "client-go-mock")
	if err := rig.BuildProgram(ctx, filepath.Join(root, "tests", "peer"), binary, "./mock"); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary)
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		return nil, errors.New("the mock said nothing")
	}
	p := &place{}
	return p, json.Unmarshal(lines.Bytes(), p)
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
