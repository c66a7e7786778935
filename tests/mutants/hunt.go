package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bySeeds is the killer that runs one simulated seed after the other, byExplore what the name of one begins with that
// searches every behaviour of small configurations. Every other killer is a general property: a package, the name of a
// test of it that draws its cases at random, and how many it draws, 1000 if nothing is said.
const (
	bySeeds   = "seeds"
	byExplore = "explore "
)

// limit bounds the hunt for one mutant; the build is not counted.
const limit = 60 * time.Second

// hunter hunts mutants in one tree.
type hunter struct {
	root, temp string
	known      kills
}

// verdict is what one killer achieved. by is empty when the mutant survived.
type verdict struct {
	by   kill
	said string
	took time.Duration
}

// result is how a hunt ended.
type result struct {
	verdict
	mutant *entry
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
		switch {
		case killer.what == bySeeds:
			r.verdict, r.err = h.seeds(ctx, overlay, e.name, killer, left)
		case strings.HasPrefix(killer.what, byExplore):
			r.verdict, r.err = h.explore(ctx, overlay, e.name, killer, left)
		default:
			r.verdict, r.err = h.property(ctx, overlay, killer, left)
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

// build makes a program of the mutated tree.
func (h *hunter) build(ctx context.Context, overlay, name, program string) (string, error) {
	binary := filepath.Join(h.temp, strings.ReplaceAll(name+"."+path.Base(program), "/", "_"))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, program)
	cmd.Dir = h.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w\n%s", name, err, out)
	}
	return binary, nil
}

// seeds runs one seed, or all until the time is over.
func (h *hunter) seeds(ctx context.Context, overlay, name string, k kill, left time.Duration) (verdict, error) {
	binary, err := h.build(ctx, overlay, name, "./tests/mutants/hunt")
	if err != nil {
		return verdict{}, err
	}
	args := []string{"-time", left.String()}
	if k.seed != 0 {
		args = append(args, "-first", strconv.FormatUint(k.seed, 10), "-seeds", "1")
	}
	out, took, err := h.run(ctx, left+limit/2, binary, args...)
	v := verdict{said: lastLine(out), took: took}
	var seed uint64
	if _, scanErr := fmt.Sscanf(v.said, "killed seed=%d", &seed); scanErr == nil {
		v.by = kill{bySeeds, seed}
		return v, nil
	}
	if errors.Is(err, errKilled) {
		// A stack overflow or the like ends the program without a word.
		v.by, err = kill{bySeeds, max(k.seed, 1)}, nil
	}
	return v, err
}

// explore searches the configurations whose names contain a text. A search that takes longer than the limit finds
// nothing.
func (h *hunter) explore(ctx context.Context, overlay, name string, k kill, left time.Duration) (verdict, error) {
	binary, err := h.build(ctx, overlay, name, "./tests/explore")
	if err != nil {
		return verdict{}, err
	}
	only := strings.TrimPrefix(k.what, byExplore)
	out, took, err := h.run(ctx, left, binary, "-quick", "-blind", "-only", only)
	v := verdict{said: "survived " + k.what, took: took}
	switch {
	case errors.Is(err, errKilled) && strings.HasPrefix(lastLine(out), "explore: FAILED"):
		v.by, v.said = k, lastLine(out)
		return v, nil
	case errors.Is(err, errKilled) && took >= left:
		return v, nil
	case err != nil:
		return v, fmt.Errorf("%w: %s", err, out)
	}
	return v, nil
}

// property runs a test that holds for every input.
func (h *hunter) property(ctx context.Context, overlay string, k kill, left time.Duration) (verdict, error) {
	words := append(strings.Fields(k.what), "1000")
	pkg, test, checks := words[0], words[1], words[2]
	args := []string{
		"test", "-count=1", "-vet=off", "-overlay", overlay, "-run", "^" + test + "$", "./" + pkg,
	}
	if h.draws(pkg) {
		args = append(args, "-rapid.seed=1", "-rapid.nofailfile", "-rapid.checks="+checks)
	}
	out, took, err := h.run(ctx, left+limit/2, "go", args...)
	v := verdict{said: "survived " + k.what, took: took}
	switch {
	case err == nil:
		return v, nil
	case !errors.Is(err, errKilled) || !bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic: ")):
		return v, fmt.Errorf("%w: %s", err, out)
	}
	v.by, v.said = k, "killed by "+k.what
	return v, nil
}

// draws reports whether tests of a package know the flags of rapid.
func (h *hunter) draws(pkg string) bool {
	files, _ := filepath.Glob(filepath.Join(h.root, pkg, "*_test.go"))
	return slices.ContainsFunc(files, func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`))
	})
}

var errKilled = errors.New("the program broke down")

// run runs a program in the tree; an exit status other than 0 is errKilled.
func (h *hunter) run(ctx context.Context, limit time.Duration, name string, args ...string) (
	[]byte, time.Duration, error) {
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
