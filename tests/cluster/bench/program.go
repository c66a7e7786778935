package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// program is one of the compared processes.
type program struct {
	name    string
	process *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Scanner
}

// figures are one measurement, as every program prints it.
type figures struct {
	Throughput float64 `json:"ops_per_s"`
	P50        float64 `json:"p50_us"`
	CPU        float64 `json:"cpu_us_per_op"`
	Allocs     float64 `json:"allocs_per_op"`
	Bytes      float64 `json:"bytes_per_op"`
}

func start(ctx context.Context, name, path string, args ...string) (*program, error) {
	p := &program{name: name, process: exec.CommandContext(ctx, path, args...)}
	p.process.Stderr = os.Stderr
	input, err := p.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.input, p.output = input, bufio.NewScanner(output)
	return p, p.process.Start()
}

// command sends one line and decodes the answer's line.
func (p *program) command(line string, answer any) error {
	if _, err := fmt.Fprintln(p.input, line); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if !p.output.Scan() {
		return fmt.Errorf("%s: ended after %q", p.name, line)
	}
	if err := json.Unmarshal(p.output.Bytes(), answer); err != nil {
		return fmt.Errorf("%s: answer to %q: %w", p.name, line, err)
	}
	return nil
}

// run measures one operation; a program that does not know it answers with zeros.
func (p *program) run(operation string, concurrency int, seconds float64) (figures, error) {
	var f figures
	err := p.command(fmt.Sprintf("run %s %d %g", operation, concurrency, seconds), &f)
	return f, err
}

func (p *program) stop() {
	_ = p.input.Close()
	_ = p.process.Wait()
}
