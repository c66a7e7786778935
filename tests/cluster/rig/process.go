// Package rig starts real servers for tests: PD, unistore, and stores with real
// Raft, each a process of its own on loopback ports, built from the Go module
// proxy alone.
package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is one running server.
type Process struct {
	Name    string
	Address string
	command func() *exec.Cmd
	logs    string
	running *exec.Cmd
	exited  chan struct{}
}

// start runs the server; it dies with this process.
func (p *Process) start() error {
	logs, err := os.OpenFile(p.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer logs.Close() //nolint:errcheck // the child has its own descriptor
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.running, p.exited = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait() // how a server ended is in its log
		close(done)
	}(p.exited)
	return nil
}

// Kill ends the server as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Kill() // already dead is dead
	<-p.exited
	p.running = nil
}

// Exited reports whether the server has ended by itself.
func (p *Process) Exited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Stop freezes the server: its sockets stay open and nothing is answered.
func (p *Process) Stop() error { return p.running.Process.Signal(syscall.SIGSTOP) }

// Continue lets a stopped server go on.
func (p *Process) Continue() error { return p.running.Process.Signal(syscall.SIGCONT) }

// Restart starts the server again after Kill, on the same address and data.
func (p *Process) Restart() error { return p.start() }

// freeAddress returns a loopback address on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // only its number was wanted
	return l.Addr().String(), nil
}

// permanent is an error that waiting does not mend.
type permanent struct{ error }

// await polls a condition until it holds or ctx ends; what says what is awaited.
func await(ctx context.Context, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		ok, err := holds()
		if ok {
			return nil
		}
		if err != nil {
			last = err
		}
		if errors.As(err, new(permanent)) {
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s (last: %v): %w", what, last, ctx.Err())
		case <-tick.C:
		}
	}
}

func makeDir(parts ...string) (string, error) {
	dir := filepath.Join(parts...)
	return dir, os.MkdirAll(dir, 0o755)
}
