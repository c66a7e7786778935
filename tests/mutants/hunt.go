package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bySeeds is the killer that runs one simulated seed after the other. Every other killer is a general property:
// a package and the name of a test of it that draws its cases at random.
const bySeeds = "seeds"

// limit bounds the hunt for one mutant; the build is not counted.
const limit = 60 * time.Second

// hunter hunts mutants in one tree.
type hunter struct {
	root, temp string
	known      kills
	// quick tries what killed a mutant last, and nothing else if that does it.
	quick bool
}

// result is how a hunt ended. by is empty when the mutant survived.
type result struct {
	mutant *entry
	by     kill
	took   time.Duration
	said   string
	err    error
}

// hunt builds the mutant and lets everything loose on it that may kill it.
func (h *hunter) hunt(ctx context.Context, e *entry) result {
	r := result{mutant: e}
	overlay, err := h.overlay(e)
	if err != nil {
		r.err = err
		return r
	}
	left := limit
	for _, killer := range h.killers(e) {
		if killer.what == bySeeds {
			r.by, r.said, r.took, r.err = h.seeds(ctx, overlay, e.name, killer, left)
		} else {
			r.by, r.said, r.took, r.err = h.property(ctx, overlay, killer, left)
		}
		if left -= r.took; r.err != nil || r.by.what != "" || left < time.Second {
			break
		}
	}
	r.took = limit - left
	return r
}

// killers returns what is tried, first of all what did it last time.
func (h *hunter) killers(e *entry) []kill {
	var list []kill
	if last, ok := h.known[e.name]; ok {
		list = append(list, last)
	}
	for _, what := range e.kills {
		list = append(list, kill{what: what})
	}
	return list
}

// overlay writes the changed files and the list of them that the go command takes.
func (h *hunter) overlay(e *entry) (string, error) {
	changed, err := e.apply(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(h.root, name)) })
	if err != nil {
		return "", err
	}
	dir := filepath.Join(h.temp, strings.ReplaceAll(e.name, "/", "_"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range changed {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(h.root, name)] = file
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o644)
}

// build makes the program that runs seeds; without an overlay from the tree as it is.
func (h *hunter) build(ctx context.Context, overlay, name string) (string, error) {
	binary := filepath.Join(h.temp, strings.ReplaceAll(name, "/", "_")+".hunt")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./tests/mutants/hunt")
	cmd.Dir = h.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w\n%s", name, err, out)
	}
	return binary, nil
}

// seeds runs one seed, or all until the time is over.
func (h *hunter) seeds(ctx context.Context, overlay, name string, k kill, left time.Duration) (
	by kill, said string, took time.Duration, err error) {
	binary, err := h.build(ctx, overlay, name)
	if err != nil {
		return by, "", 0, err
	}
	args := []string{"-time", left.String()}
	if k.seed != 0 {
		args = append(args, "-first", strconv.FormatUint(k.seed, 10), "-seeds", "1")
	}
	out, took, err := h.run(ctx, left+limit/2, binary, args...)
	last := lastLine(out)
	var seed uint64
	if _, scanErr := fmt.Sscanf(last, "killed seed=%d", &seed); scanErr == nil {
		return kill{bySeeds, seed}, last, took, nil
	}
	switch {
	case err == nil:
		return by, last, took, nil
	case errors.Is(err, errKilled):
		// A stack overflow or the like ends the program without a word.
		return kill{bySeeds, max(k.seed, 1)}, last, took, nil
	}
	return by, last, took, err
}

// property runs a test that holds for every input.
func (h *hunter) property(ctx context.Context, overlay string, k kill, left time.Duration) (
	by kill, said string, took time.Duration, err error) {
	pkg, test, _ := strings.Cut(k.what, " ")
	args := []string{
		"test", "-count=1", "-vet=off", "-overlay", overlay, "-timeout", left.String(), "-run", "^" + test + "$", "./" + pkg,
		"-rapid.seed=1", "-rapid.nofailfile", "-rapid.checks=1000",
	}
	out, took, err := h.run(ctx, left+limit/2, "go", args...)
	switch {
	case err == nil:
		return by, "survived " + k.what, took, nil
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("no test files")):
		return by, "", took, fmt.Errorf("%w: %s", err, out)
	}
	return kill{what: k.what}, "killed by " + k.what, took, nil
}

var errKilled = errors.New("the program broke down")

// run runs a program in the tree; an exit status other than 0 is errKilled.
func (h *hunter) run(ctx context.Context, limit time.Duration, name string, args ...string) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = h.root
	began := time.Now()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errKilled
	}
	return out, time.Since(began), err
}

func lastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}
