package arch

import (
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var fileHeader = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// readArchive splits an archive into files: each begins with a line "-- path --"; what precedes the first is prose.
func readArchive(t *testing.T, name string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	files := map[string][]byte{}
	marks := fileHeader.FindAllSubmatchIndex(data, -1)
	require.NotEmpty(t, marks, name)
	for i, m := range marks {
		end := len(data)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		files[string(data[m[2]:m[3]])] = data[m[1]:end]
	}
	return files
}

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

func TestSize(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\n", n) }
	for name, c := range map[string]struct {
		path, text string
		want       []string
	}{
		"file at the limit": {"core/a.go", "package a" + lines(600), nil},
		"file over it": {"core/a.go", "package a" + lines(601),
			[]string{"core/a.go:1: size: file of 601 lines, at most 600"}},
		"generated file": {"core/a_gen.go", "package a" + lines(601), nil},
		"test file": {"app/a_test.go", "package a" + lines(601),
			[]string{"app/a_test.go:1: size: file of 601 lines, at most 600"}},
		"function at limit": {"core/a.go", "package a\nfunc f() {" + lines(69) + "}\n", nil},
		"function over it": {"core/a.go", "package a\nfunc f() {" + lines(70) + "}\n",
			[]string{"core/a.go:2: size: function f of 71 lines, at most 70"}},
		"doc comments are free": {"core/a.go",
			"package a\n" + strings.Repeat("//\n", 9) + "func f() {" + lines(69) + "}\n", nil},
		"test function": {"core/a_test.go", "package a\nfunc f() {" + lines(70) + "}\n",
			[]string{"core/a_test.go:2: size: function f of 71 lines, at most 70"}},
		"line at limit": {"core/a.go", "package a\n//" + strings.Repeat("é", 118) + "\n", nil},
		"line over it": {"core/a_test.go", "package a\n//" + strings.Repeat("é", 119) + "\n",
			[]string{"core/a_test.go:2: size: line of more than 120 characters"}},
		"function value": {"app/a.go", "package a\nvar f = func() {" + lines(70) + "}\n",
			[]string{"app/a.go:2: size: function literal of 71 lines, at most 70"}},
	} {
		t.Run(name, func(t *testing.T) {
			pkgs, err := parseTree(map[string][]byte{c.path: []byte(c.text)})
			require.NoError(t, err)
			var got []string
			for _, f := range apply([]rule{{"size", checkSize}}, pkgs) {
				got = append(got, f.String())
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestFilesThatNobodyBuilds(t *testing.T) {
	pkgs, err := parseTree(map[string][]byte{
		"core/route/a.go":        []byte("//go:build never\n\npackage route\n"),
		"core/route/a_test.go":   []byte("//go:build race\n\npackage route\n"),
		"app/a.go":               []byte("//go:build never\n\npackage app\n"),
		"ports/a.go":             []byte("//go:build never\n\npackage ports\n\nimport _ \"google.golang.org/grpc\"\n"),
		"tests/cluster/utils.go": []byte("package main\n"),
	})
	require.NoError(t, err)
	var got []string
	for _, f := range measure(pkgs) {
		got = append(got, f.String())
	}
	require.Equal(t, []string{
		"core/route/a.go:3: pure: file excluded by a build constraint in core",
		"ports/a.go:5: imports: ports imports google.golang.org/grpc: a foreign module that the layer table does not grant",
		`tests/cluster/utils.go:1: names: "utils" in the path`,
	}, got)
}

func TestWords(t *testing.T) {
	for name, want := range map[string][]string{
		"HTTPBaseURL_impl": {"HTTP", "Base", "URL", "impl"},
		"Database":         {"Database"},
		"rebase":           {"rebase"},
		"TxnMgr2":          {"Txn", "Mgr"},
		"utilTest":         {"util", "Test"},
		"":                 nil,
	} {
		require.Equal(t, want, words(name), name)
	}
}

func TestEveryLayerNamesLayersThatExist(t *testing.T) {
	names := map[string]bool{}
	for _, l := range layers {
		require.False(t, names[l.name], "%s twice", l.name)
		names[l.name] = true
	}
	for _, l := range layers {
		for _, other := range slices.Concat(l.ours, l.tests) {
			require.True(t, names[other], "%s may import %s, which is no layer", l.name, other)
		}
	}
}

// build makes a graph of packages: "path@module" to what each imports; no module means the standard library.
func build(edges map[string][]string) graph {
	g := graph{}
	for at, imports := range edges {
		path, mod, ok := strings.Cut(at, "@")
		n := &node{ImportPath: path, Standard: !ok, Imports: imports}
		if ok {
			n.Module = &struct{ Path string }{mod}
		}
		g[path] = n
	}
	return g
}

func TestModules(t *testing.T) {
	edges := map[string][]string{
		module + "@" + module:                    {module + "/app", module + "/adapters/pd"},
		module + "/app@" + module:                {"fmt", module + "/core"},
		module + "/core@" + module:               {"bytes"},
		module + "/adapters/pd@" + module:        {pdClient + "/opt", zap},
		module + "/adapters/otel@" + module:      {otel},
		pdClient + "/opt@" + pdClient:            {zap, "fmt"},
		zap + "@" + zap:                          nil,
		otel + "@" + otel:                        nil,
		"golang.org/x/extra@golang.org/x/extra":  nil,
		"golang.org/x/deeper@golang.org/x/extra": nil,
		"fmt":                                    nil,
		"bytes":                                  nil,
	}
	require.Empty(t, uninvited(build(edges)), "zap comes with pd/client, otel is not reached from the root")
	require.Empty(t, outsiders(build(edges)))

	edges[module+"/adapters/pd@"+module] = []string{pdClient + "/opt", "golang.org/x/extra"}
	require.Equal(t, []string{"golang.org/x/extra"}, uninvited(build(edges)))
	require.Empty(t, outsiders(build(edges)))

	edges[module+"/adapters/pd@"+module] = []string{zap}
	require.Equal(t, []string{zap}, uninvited(build(edges)), "no sponsor is imported that would bring it")

	edges[module+"/core@"+module] = []string{"golang.org/x/deeper"}
	require.Equal(t, []string{"golang.org/x/extra"}, outsiders(build(edges)))
}

func TestExceptions(t *testing.T) {
	at := func(file, text string) fault { return fault{token.Position{Filename: file, Line: 1}, text} }
	mine, other := exception{"a.go", "variable x", ""}, exception{"b.go", "variable x", ""}
	left, unused := excuse([]fault{at("a.go", "variable x"), at("a.go", "variable y"), at("c.go", "variable x")},
		[]exception{mine, other})
	require.Equal(t, []fault{at("a.go", "variable y"), at("c.go", "variable x")}, left)
	require.Equal(t, []exception{other}, unused)
}
