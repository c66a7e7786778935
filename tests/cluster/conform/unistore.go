package main

import (
	"context"
	"os"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/conform"
)

// onUnistore plays every script on one unistore with a PD.
func onUnistore(
	ctx context.Context, root string, lacking *conform.Script, scripts map[string][]*conform.Script,
) (*score, error) {
	binaries, err := rig.Build(ctx, root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "conform")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system empties it, too
	cluster, err := rig.StartUnistore(ctx, binaries, dir)
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	ticks := clock.New()
	defer ticks.Close()
	placement, err := pd.Open(ctx, pd.Config{Endpoints: []string{cluster.PD.Address}, Clock: ticks})
	if err != nil {
		return nil, err
	}
	defer placement.Close()
	network, err := newUnary(cluster.Stores[0].Address, placement.ClusterID(), ticks)
	if err != nil {
		return nil, err
	}
	defer network.close()
	target := &conform.Target{
		Name: "unistore", Network: network, Placement: placement, Timers: ticks, Wait: receive,
	}
	s := newScore(target.Name)
	missing := s.probe(lacking, target)
	for _, folder := range folders {
		for _, script := range scripts[folder] {
			s.add(script.Play(target, missing))
		}
	}
	return s, nil
}

func receive(answer <-chan ports.Event) ports.Event { return <-answer }
