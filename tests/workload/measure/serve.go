// Package measure is the protocol of the programs that are compared with each
// other: how they are told what to do, and how they measure it. Its module imports
// nothing, so that every program measures in the same way whatever else it is built
// from.
package measure

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// Operation is one measured call; worker numbers the goroutine that makes it.
type Operation func(ctx context.Context, random *rand.Rand, worker int) error

// Program is one of the compared programs.
type Program struct {
	// Load writes the keys that are read later.
	Load func(ctx context.Context) error
	// Prepare returns the operation of that name.
	Prepare func(ctx context.Context, name string) (Operation, error)
}

// Serve reads commands, one a line, and answers each with one line of JSON:
// "load" writes the keys, "run OPERATION CONCURRENCY SECONDS" measures.
func Serve(ctx context.Context, p Program, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	answers := json.NewEncoder(out)
	for lines.Scan() {
		answer, err := execute(ctx, p, lines.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func execute(ctx context.Context, p Program, line string) (any, error) {
	if strings.TrimSpace(line) == "load" {
		return map[string]int{"keys": Keys}, p.Load(ctx)
	}
	var name string
	var concurrency int
	var seconds float64
	if _, err := fmt.Sscanf(line, "run %s %d %g", &name, &concurrency, &seconds); err != nil {
		return nil, fmt.Errorf("unknown command: %w", err)
	}
	op, err := p.Prepare(ctx, name)
	if err != nil {
		return nil, err
	}
	return Run(ctx, op, name, concurrency, time.Duration(seconds*float64(time.Second)))
}
