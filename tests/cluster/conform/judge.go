package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
	"github.com/tikvx/tikvx/tests/cluster/rig"
)

// judged serves two simulated clusters, one of transactions and one of raw keys, to
// client-go, and returns how many checks it made.
func judged(ctx context.Context, root string) (string, error) {
	binary := filepath.Join(root, "out", "client-go-judge")
	if err := rig.BuildProgram(ctx, filepath.Join(root, "tests", "peer"), binary, "./judge"); err != nil {
		return "", err
	}
	txn, err := served(sim.Config{Splits: [][]byte{[]byte("h"), []byte("q")}})
	if err != nil {
		return "", err
	}
	defer txn.Close()
	raw, err := served(sim.Config{Splits: [][]byte{[]byte("h"), []byte("q")}, RawKeys: true})
	if err != nil {
		return "", err
	}
	defer raw.Close()
	cmd := exec.CommandContext(ctx, binary, "-pd", txn.PD(), "-raw-pd", raw.PD())
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("client-go on the simulator: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

func served(config sim.Config) (*serve.Cluster, error) {
	w, err := sim.New(config)
	if err != nil {
		return nil, err
	}
	c, err := serve.Start(w, serve.Config{})
	if err != nil {
		w.Close()
	}
	return c, err
}
