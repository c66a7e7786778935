package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Binaries are the paths of the built programs.
type Binaries struct {
	PD, Unistore, Raft string
}

// Build builds every server; with a warm cache it takes seconds. root is the
// repository's root directory, and the binaries go to its out/servers.
func Build(ctx context.Context, root string) (Binaries, error) {
	out, err := makeDir(root, "out", "servers")
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{
		PD: filepath.Join(out, "pd-server"), Unistore: filepath.Join(out, "unistore"),
		Raft: filepath.Join(out, "raft-store"),
	}
	builds := []struct{ module, binary, flag, pkg string }{
		{"pd", b.PD, "-tags=without_dashboard", "github.com/tikv/pd/cmd/pd-server"},
		{"unistore", b.Unistore, "-v=false", "."},
		{"raft", b.Raft, "-ldflags=-checklinkname=0", "github.com/ngaut/unistore/cmd/unistore-server"},
	}
	for _, x := range builds {
		if err := BuildProgram(ctx, filepath.Join(root, "tests", "cluster", x.module), x.binary, x.pkg, x.flag); err != nil {
			return b, err
		}
	}
	return b, nil
}

// BuildProgram builds one program of the module in dir.
func BuildProgram(ctx context.Context, dir, binary, pkg string, flags ...string) error {
	args := append([]string{"build", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(binary), err, output)
	}
	return nil
}

// Root finds the repository's root directory above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "tests", "cluster", "rig")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("not inside the repository: no tests/cluster/rig above %s", dir)
		}
		dir = parent
	}
}
