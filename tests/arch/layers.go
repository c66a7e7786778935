package arch

import (
	"slices"
	"strconv"
	"strings"
)

// module is the path of the module that is judged.
const module = "github.com/tikvx/tikvx"

// Modules by the name under which the layer table grants them.
const (
	kvproto     = "github.com/pingcap/kvproto"
	grpc        = "google.golang.org/grpc"
	pdClient    = "github.com/tikv/pd/client"
	pingcapLog  = "github.com/pingcap/log"
	zap         = "go.uber.org/zap"
	prometheus  = "github.com/prometheus/client_golang"
	otel        = "go.opentelemetry.io/otel"
	cobra       = "github.com/spf13/cobra"
	progressbar = "github.com/schollz/progressbar/v3"
)

// testModules may be imported by tests only.
var testModules = []string{
	"github.com/stretchr/testify", "pgregory.net/rapid", "go.uber.org/goleak",
	"github.com/anishathalye/porcupine", "github.com/cockroachdb/datadriven",
}

// layer is one row of the layer table. A package belongs to the layer with the longest folder that contains it.
type layer struct {
	name    string
	folders []string
	// ours names the other layers that may be imported, modules the foreign ones.
	ours, modules []string
	// library layers are what users import: quiet, and without mutable globals.
	library bool
	// api layers have no foreign type in their exported identifiers.
	api bool
	// pure layers hold state machines: no I/O, clock, randomness or concurrency.
	pure bool
	// support layers help tests: they may use package testing.
	support bool
	// tests, when set, are the only layers that tests may import beyond ours; otherwise tests may import all of them.
	tests []string
	// free layers may import everything.
	free bool
}

var layers = []layer{
	{name: "ports", folders: []string{"ports"}, library: true, api: true, tests: []string{"porttest"}},
	{name: "porttest", folders: []string{"ports/porttest"}, ours: []string{"ports"},
		library: true, api: true, support: true, tests: []string{"ports"}},
	{name: "core", folders: []string{"core"}, ours: []string{"ports"},
		library: true, api: true, pure: true, tests: []string{"smtest"}},
	{name: "smtest", folders: []string{"core/sm/smtest"}, ours: []string{"ports", "core"},
		library: true, api: true, support: true, tests: []string{"core"}},
	{name: "app", folders: []string{"app"}, ours: []string{"ports", "core"}, library: true, api: true},

	{name: "clock", folders: []string{"adapters/clock"}, ours: []string{"ports"}, library: true, api: true},
	{name: "wire", folders: []string{"adapters/wire"}, ours: []string{"ports"},
		modules: []string{kvproto}, library: true},
	{name: "grpc", folders: []string{"adapters/grpc"}, ours: []string{"ports", "wire"},
		modules: []string{kvproto, grpc}, library: true},
	{name: "pd", folders: []string{"adapters/pd"}, ours: []string{"ports", "wire"},
		modules: []string{kvproto, grpc, pdClient, pingcapLog, zap}, library: true},
	{name: "prometheus", folders: []string{"adapters/prometheus"}, ours: []string{"ports"},
		modules: []string{prometheus}, library: true},
	{name: "otel", folders: []string{"adapters/otel"}, ours: []string{"ports"},
		modules: []string{otel}, library: true},

	{name: "sim", folders: []string{"adapters/sim"}, ours: []string{"ports"}, library: true},
	{name: "sim with client", folders: []string{
		"adapters/sim/embed", "adapters/sim/load", "adapters/sim/explore",
	}, ours: []string{"ports", "core", "app", "sim"}, library: true, support: true},
	// simtest belongs to test binaries, which it gives flags; so it is no library layer.
	{name: "simtest", folders: []string{"adapters/sim/simtest"}, ours: []string{"ports", "core", "app", "sim"},
		support: true},
	{name: "sim/serve", folders: []string{"adapters/sim/serve"}, ours: []string{"ports", "wire", "sim"},
		modules: []string{kvproto, grpc}, library: true},

	{name: "root", folders: []string{"."}, ours: belowRoot, library: true, api: true},
	{name: "cmd", folders: []string{"cmd"}, ours: append([]string{"root"}, belowRoot...),
		modules: []string{cobra, progressbar}},
	{name: "examples", folders: []string{"examples"}, ours: append([]string{"root"}, belowRoot...)},
	{name: "proptest", folders: []string{"proptest"}, free: true},
	{name: "tests", folders: []string{"tests"}, free: true},
}

var belowRoot = []string{
	"ports", "core", "app", "clock", "wire", "grpc", "pd", "prometheus", "otel", "sim", "sim with client", "sim/serve",
}

// layerOf returns the layer of a package path relative to the module, "." being the root; nil if it has none.
func layerOf(path string) *layer {
	var best *layer
	longest := -1
	for i := range layers {
		for _, folder := range layers[i].folders {
			if within(path, folder) && len(folder) > longest {
				best, longest = &layers[i], len(folder)
			}
		}
	}
	return best
}

// within reports whether a path is the folder or lies in it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// ownPath turns an import path of this module into a path relative to it.
func ownPath(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// checkImports holds every import of a package, and of its tests, against the layer table.
func checkImports(p *pkg) []fault {
	if p.layer == nil {
		first := append(p.files, p.tests...)[0]
		return []fault{p.at(first.ast, "folder %q is in none of the layers", p.path)}
	}
	var faults []fault
	for _, list := range []struct {
		files  []*file
		refuse func(*layer, string) string
	}{{p.files, refuseImport}, {p.tests, refuseTestImport}} {
		for _, f := range list.files {
			for _, spec := range f.ast.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					continue // the parser has accepted it
				}
				if why := list.refuse(p.layer, path); why != "" {
					faults = append(faults, p.at(spec, "%s imports %s: %s", p.layer.name, path, why))
				}
			}
		}
	}
	return faults
}

// refuseImport says why a layer must not import a package, or nothing if it may.
func refuseImport(l *layer, path string) string {
	if l.free {
		return ""
	}
	if own, ok := ownPath(path); ok {
		to := layerOf(own)
		if to == l || to != nil && slices.Contains(l.ours, to.name) {
			return ""
		}
		return "the layer table does not allow it"
	}
	if !isStd(path) {
		if slices.ContainsFunc(l.modules, func(m string) bool { return within(path, m) }) {
			return ""
		}
		return "a foreign module that the layer table does not grant"
	}
	switch {
	case l.pure:
		if _, ok := pureStd[path]; !ok {
			return "not in the list of packages that cannot do I/O, time, randomness or concurrency"
		}
	case l.library && slices.Contains([]string{"log", "flag", "expvar"}, path):
		return "global state or output"
	case l.library && !l.support && within(path, "testing"):
		return "package testing belongs in tests"
	}
	return ""
}

// refuseTestImport is refuseImport for test files: they may use what their layer may, all of std, the test libraries,
// and, where the table does not narrow it, everything of ours.
func refuseTestImport(l *layer, path string) string {
	if isStd(path) || slices.ContainsFunc(testModules, func(m string) bool { return within(path, m) }) {
		return ""
	}
	if own, ok := ownPath(path); ok {
		to := layerOf(own)
		if to != nil && (l.tests == nil || slices.Contains(l.tests, to.name)) {
			return ""
		}
	}
	return refuseImport(l, path)
}

// isStd reports whether an import path belongs to the standard library: its first element has no dot.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
