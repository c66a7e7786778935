// Command cover judges the coverage profile that the tests of the library left behind.
//
//	cover -total 85 -core 95 out/cover.out
//
// It prints one line, and when a bar is missed the packages that are below it. Generated files (…_gen.go) do not
// count. A profile may be the concatenation of several: what one test binary reached counts as reached.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	total := flag.Float64("total", 0, "percent of all statements that must be covered")
	core := flag.Float64("core", 0, "percent of the statements below core/ that must be covered")
	flag.Parse()
	if err := run(flag.Arg(0), *total, *core); err != nil {
		fmt.Fprintln(os.Stderr, "cover:", err)
		os.Exit(1)
	}
}

func run(path string, totalBar, coreBar float64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := parse(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	total, core := p.sum(anyPackage), p.sum(inCore)
	fmt.Printf("cover: total %.1f%% core %.1f%%\n", total.percent(), core.percent())
	if total.percent() >= totalBar && core.percent() >= coreBar {
		return nil
	}
	for _, pkg := range p.packages() {
		bar := totalBar
		if inCore(pkg) {
			bar = coreBar
		}
		if c := p.sum(only(pkg)); c.percent() < bar {
			fmt.Printf("%6.1f%%  %s (%d statements not covered)\n", c.percent(), pkg, c.statements-c.covered)
		}
	}
	return fmt.Errorf("below total %.0f%% or core %.0f%%", totalBar, coreBar)
}
