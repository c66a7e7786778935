// Command conform plays the scripts of tests/conform on the simulated cluster and on
// stores that others have written: all of them on unistore, those of raw commands also
// on client-go's mock. Each difference is explained in the script, or wrong. Then
// client-go itself uses the simulated cluster, and judges what it is told.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/tikvx/tikvx/tests/cluster/rig"
	"github.com/tikvx/tikvx/tests/conform"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conform: failed:", err)
	}
	if err != nil || !ok {
		os.Exit(1) //nolint:gocritic // the children die with this process
	}
}

// folders are where the scripts lie; raw ones need a cluster of plain keys.
var folders = []string{"txn", "store", "raw"}

const raw = "raw"

func run(ctx context.Context) (bool, error) {
	root, err := rig.Root()
	if err != nil {
		return false, err
	}
	testdata := filepath.Join(root, "tests", "conform", "testdata")
	lacking, err := conform.Read(filepath.Join(testdata, "lacking"))
	if err != nil {
		return false, err
	}
	scripts := map[string][]*conform.Script{}
	n := 0
	for _, folder := range folders {
		if scripts[folder], err = conform.Scripts(filepath.Join(testdata, folder)); err != nil {
			return false, err
		}
		n += len(scripts[folder])
	}
	simulated, err := onSimulator(scripts)
	if err != nil {
		return false, err
	}
	unistore, err := onUnistore(ctx, root, lacking, scripts)
	if err != nil {
		return false, err
	}
	mock, err := onMock(ctx, root, lacking, scripts[raw])
	if err != nil {
		return false, err
	}
	checks, err := judged(ctx, root)
	if err != nil {
		return false, err
	}
	for _, s := range []*score{simulated, unistore, mock} {
		s.print()
	}
	fmt.Printf("  client-go on the simulator: checks=%s\n", checks)
	ok := simulated.passed == n && unistore.passed == n && mock.passed == len(scripts[raw]) &&
		simulated.well && unistore.well && mock.well
	fmt.Printf("conform: scripts=%d sim=%d/%d unistore=%d/%d explained=%d\n",
		n, simulated.passed, n, unistore.passed, n, unistore.explained+mock.explained)
	return ok, nil
}

// onSimulator plays each script on a world of its own.
func onSimulator(scripts map[string][]*conform.Script) (*score, error) {
	s := newScore("sim")
	for _, folder := range folders {
		for _, script := range scripts[folder] {
			target, end, err := conform.Simulated(folder == raw)
			if err != nil {
				return nil, err
			}
			s.add(script.Play(target, nil))
			end()
		}
	}
	return s, nil
}
