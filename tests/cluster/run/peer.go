package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/workload/bank"
)

// runPeer lets client-go move money on the same accounts for a while.
func runPeer(ctx context.Context, pd string, length time.Duration) (bank.Report, error) {
	var report bank.Report
	root, err := rig.Root()
	if err != nil {
		return report, err
	}
	binary := filepath.Join(root, "out", "client-go-bank")
	if err := rig.BuildProgram(ctx, filepath.Join(root, "tests", "peer"), binary, "./bank"); err != nil {
		return report, err
	}
	cmd := exec.CommandContext(ctx, binary, "-pd", pd, "-prefix", "bank", "-accounts", strconv.Itoa(accounts),
		"-initial", strconv.Itoa(initial), "-for", length.String())
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return report, err
	}
	return report, json.Unmarshal(output, &report)
}
