// Command mutants puts bugs that clients of TiKV have had back into this one, one at a time, and lets the simulator and
// the general properties find them. What survives shows what they are blind to.
//
// A mutant is a small patch of a file that is applied with the go command's -overlay; the tree is never touched.
// The lists in bugs say what each one is, and for which bugs there is none yet, or never.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	name := flag.String("run", "", "only mutants whose names contain this")
	quick := flag.Bool("quick", os.Getenv("QUICK") != "", "only every fourth mutant that is known to be killed soon")
	update := flag.Bool("update", false, "write what killed each into kills.tsv")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := hunt(ctx, *name, *quick, *update)
	if err != nil {
		fmt.Println("mutants: FAILED", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// quickStep is the distance of the mutants that a quick hunt takes, quickSeeds the greatest seed that it needs.
const (
	quickStep  = 4
	quickSeeds = 100
)

func hunt(ctx context.Context, name string, quick, update bool) (ok bool, err error) {
	began := time.Now()
	h, list, err := prepare(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(h.temp) }()
	var prey, unseen []*entry
	for _, e := range mutants(list, name) {
		if e.blind != "" && name != e.name {
			unseen = append(unseen, e)
		} else {
			prey = append(prey, e)
		}
	}
	known := len(prey) + len(unseen)
	if quick {
		prey = h.few(prey)
	}
	waiting := 0
	for _, e := range list {
		if e.waits != "" {
			waiting++
		}
	}
	killed, survivors, used := h.all(ctx, prey)
	for _, s := range survivors {
		fmt.Printf("mutants: SURVIVED %s: %s\n", s.mutant.name, s.mutant.what)
	}
	if err := h.sound(ctx, used); err != nil {
		return false, err
	}
	if update {
		if err := h.remember(used); err != nil {
			return false, err
		}
	}
	for _, e := range unseen {
		fmt.Printf("mutants: blind to %s: %s\n", e.name, e.blind)
	}
	t := tally{killed: killed, hunted: len(prey), known: known, blind: len(unseen), waiting: waiting, quick: quick}
	fmt.Printf("mutants: %s in %.0f s\n", t, time.Since(began).Seconds())
	return t.ok(), ctx.Err()
}

// tally is how a hunt ended: known mutants, those of them that are blind and were not hunted, those that were, and bugs
// that wait for code that can have them.
type tally struct {
	killed, hunted, known, blind, waiting int
	quick                                 bool
}

// ok reports whether the hunt has shown what it is for: that nothing survives. A mutant to which everything is blind
// survives; only a quick hunt, which answers for nothing but what it hunts, says nothing about it.
func (t tally) ok() bool {
	if t.quick {
		return t.killed == t.hunted
	}
	return t.killed == t.known
}

// String prints "killed 89 of 102 (blind 13, waiting 54)".
func (t tally) String() string {
	verdict := ""
	if !t.ok() {
		verdict = "FAILED "
	}
	if t.quick {
		return fmt.Sprintf("%squick hunt: killed %d of %d hunted, of %d in all (blind %d, waiting %d)", verdict, t.killed,
			t.hunted, t.known, t.blind, t.waiting)
	}
	return fmt.Sprintf("%skilled %d of %d (blind %d, waiting %d)", verdict, t.killed, t.known, t.blind, t.waiting)
}

// few returns the mutants of a quick hunt. One that only a late seed is known to kill is not among them.
func (h *hunter) few(prey []*entry) []*entry {
	var some []*entry
	for _, e := range prey {
		if h.known[e.name].seed <= quickSeeds {
			some = append(some, e)
		}
	}
	n := 0
	return slices.DeleteFunc(some, func(*entry) bool { n++; return n%quickStep != 1 })
}

func prepare(ctx context.Context) (*hunter, []*entry, error) {
	list, err := readList()
	if err != nil {
		return nil, nil, err
	}
	known, err := readKills()
	if err != nil {
		return nil, nil, err
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("no module here: %w", err)
	}
	temp, err := os.MkdirTemp("", "mutants")
	return &hunter{root: strings.TrimSpace(string(root)), temp: temp, known: known}, list, err
}

// all hunts every mutant, as many at a time as there are processors.
func (h *hunter) all(ctx context.Context, prey []*entry) (killed int, survivors []result, used kills) {
	results := make([]chan result, len(prey))
	next := make(chan int)
	var workers sync.WaitGroup
	for i := range results {
		results[i] = make(chan result, 1)
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				results[i] <- h.hunt(ctx, prey[i])
			}
		})
	}
	go func() {
		defer close(next)
		for i := range prey {
			next <- i
		}
	}()
	used = kills{}
	for i := range results {
		r := <-results[i]
		switch {
		case r.err != nil:
			fmt.Printf("%-34s ERROR %v\n", r.mutant.name, r.err)
			survivors = append(survivors, r)
		case r.by.what == "":
			fmt.Printf("%-34s survived, %.1f s, %s\n", r.mutant.name, r.took.Seconds(), r.said)
			survivors = append(survivors, r)
		default:
			fmt.Printf("%-34s %.1f s, %s\n", r.mutant.name, r.took.Seconds(), r.said)
			used[r.mutant.name] = r.by
			killed++
		}
	}
	workers.Wait()
	return killed, survivors, used
}

// sound runs everything that killed a mutant on the tree as it is, which must survive.
func (h *hunter) sound(ctx context.Context, used kills) error {
	plain, err := h.overlay(&entry{name: "unmutated"})
	if err != nil {
		return err
	}
	last := uint64(0)
	others := map[string]bool{}
	for _, k := range used {
		last = max(last, k.seed)
		if k.what != bySeeds {
			others[k.what] = true
		}
	}
	if last > 0 {
		binary, err := h.build(ctx, plain, "unmutated", "./tests/mutants/hunt")
		if err != nil {
			return err
		}
		out, _, err := h.run(ctx, time.Hour, binary, "-seeds", fmt.Sprint(last), "-time", "1h")
		if err != nil {
			return fmt.Errorf("the tree as it is does not survive: %s", lastLine(out))
		}
		fmt.Printf("%-34s %s\n", "the tree as it is", lastLine(out))
	}
	for _, what := range slices.Sorted(maps.Keys(others)) {
		var v verdict
		if strings.HasPrefix(what, byExplore) {
			v, err = h.explore(ctx, plain, "unmutated", kill{what: what}, time.Hour)
		} else {
			v, err = h.property(ctx, plain, kill{what: what}, time.Hour)
		}
		if err != nil || v.by.what != "" {
			return fmt.Errorf("the tree as it is does not survive %s: %w", what, err)
		}
	}
	return nil
}

// remember writes what killed the mutants; of those that were not hunted it keeps what was known.
func (h *hunter) remember(used kills) error {
	for name, k := range used {
		h.known[name] = k
	}
	return os.WriteFile(filepath.Join(h.root, "tests/mutants/kills.tsv"), []byte(h.known.String()), 0o644)
}
