package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const top = "../.."

func readTree(name string) ([]byte, error) { return os.ReadFile(filepath.Join(top, name)) }

func entries(t *testing.T) []*entry {
	t.Helper()
	list, err := readList()
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

// record is the id of the record that the entry is about.
func (e *entry) record() string {
	id, _, _ := strings.Cut(e.name, "/")
	return id
}

// readRecords returns the ids of all records.
func readRecords() ([]string, error) {
	text, err := data.ReadFile("records.tsv")
	if err != nil {
		return nil, err
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		id, _, _ := strings.Cut(line, "\t")
		ids = append(ids, id)
	}
	return ids, nil
}

// TestEveryRecordHasItsEntry: no bug that clients of TiKV have had is forgotten.
func TestEveryRecordHasItsEntry(t *testing.T) {
	records, err := readRecords()
	require.NoError(t, err)
	require.Len(t, records, 130)
	named, about := map[string]bool{}, map[string]bool{}
	for _, e := range entries(t) {
		require.False(t, named[e.name], "%s: %s is there twice", e.line, e.name)
		named[e.name], about[e.record()] = true, true
		kinds := 0
		for _, is := range []bool{e.mutant(), e.waits != "", e.moot != ""} {
			if is {
				kinds++
			}
		}
		require.Equal(t, 1, kinds, "%s: %s has hunks, or waits, or is moot", e.line, e.name)
		known := slices.Contains(records, e.record()) || e.record() == "CLASSIC"
		require.True(t, known, "%s: no record %s", e.line, e.record())
		require.Equal(t, e.mutant(), strings.Contains(e.name, "/"), "%s: mutants have a name behind the record", e.line)
		require.Equal(t, e.mutant(), e.what != "", "%s: mutants say what they are", e.line)
	}
	for _, id := range records {
		require.True(t, about[id], "record %s has no entry", id)
	}
}

// TestWaiting: what a bug needs is not there yet. Once it is, the bug needs its mutant.
func TestWaiting(t *testing.T) {
	for _, e := range entries(t) {
		if e.waits == "" {
			continue
		}
		folder, word, part := strings.Cut(e.waits, "#")
		sources, err := filepath.Glob(filepath.Join(top, folder, "*.go"))
		require.NoError(t, err)
		if !part {
			require.Empty(t, sources, "%s: %s is there: %s needs its mutant", e.line, folder, e.name)
			continue
		}
		require.NotEmpty(t, sources, "%s: %s waits for a part of %s, which is not there", e.line, e.name, folder)
		for _, name := range sources {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.False(t, !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), word),
				"%s: %s has %s: %s needs its mutant", e.line, name, word, e.name)
		}
	}
}

// TestKillersAreGeneral: beside seeds and searches, only tests that draw their cases and contracts of ports may kill,
// and what is said to have killed a mutant is what may kill it.
func TestKillersAreGeneral(t *testing.T) {
	known, err := readKills()
	require.NoError(t, err)
	for _, e := range mutants(entries(t), "") {
		for _, k := range e.kills {
			if k == bySeeds || strings.HasPrefix(k, byExplore) {
				continue
			}
			words := strings.Fields(k)
			require.Contains(t, []int{2, 3}, len(words), "%s: %s", e.line, k)
			require.True(t, drawsCases(t, filepath.Join(top, words[0]), words[1]), "%s: %s is no property", e.line, k)
		}
		by, ok := known[e.name]
		if e.blind != "" {
			require.False(t, ok, "%s: %s was killed", e.line, e.name)
			continue
		}
		require.True(t, ok, "%s: nothing is known to have killed %s", e.line, e.name)
		require.Contains(t, e.kills, by.what, "%s: %s", e.line, e.name)
		delete(known, e.name)
	}
	require.Empty(t, known, "kills of mutants that are no more")
}

// drawsCases reports whether a test of a folder draws its cases, or is the contract of a port.
func drawsCases(t *testing.T, folder, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	draws := false
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name == test {
				ast.Inspect(fn, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						of := fmt.Sprint(s.X)
						draws = draws || of == "rapid" && s.Sel.Name == "Check" || of == "porttest"
					}
					return true
				})
			}
		}
	}
	return draws
}

// TestMutantsApplyAndCompile: the text of each patch is found exactly once, and the package that it changes compiles.
func TestMutantsApplyAndCompile(t *testing.T) {
	c := newCompiler(t)
	for _, e := range mutants(entries(t), "") {
		changed, err := e.apply(readTree)
		require.NoError(t, err)
		require.NotEmpty(t, changed)
		for name, text := range changed {
			before, err := readTree(name)
			require.NoError(t, err)
			require.NotEqual(t, string(before), text, "%s: %s changes nothing", e.line, e.name)
		}
		require.NoError(t, c.compile(changed), "%s: %s", e.line, e.name)
	}
}

// compiler checks the types of single packages, all of whose dependencies are compiled already.
type compiler struct {
	fset    *token.FileSet
	imports types.Importer
}

func newCompiler(t *testing.T) *compiler {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./...")
	cmd.Dir = top
	out, err := cmd.Output()
	require.NoError(t, err)
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[name] = file
	}
	fset := token.NewFileSet()
	return &compiler{fset, importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) {
		return os.Open(exports[name])
	})}
}

func (c *compiler) compile(changed map[string]string) error {
	folders := map[string]bool{}
	for name := range changed {
		folders[path.Dir(name)] = true
	}
	for folder := range folders {
		names, err := fs.Glob(os.DirFS(top), path.Join(folder, "*.go"))
		if err != nil {
			return err
		}
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			var text any = changed[name]
			if text == "" {
				if text, err = readTree(name); err != nil {
					return err
				}
			}
			file, err := parser.ParseFile(c.fset, name, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		config := types.Config{Importer: c.imports}
		if _, err := config.Check(folder, c.fset, files, nil); err != nil {
			return err
		}
	}
	return nil
}

func TestParseList(t *testing.T) {
	list, err := parseList("x", strings.Join([]string{
		"# a comment", "== A-1/word", "What it is,", "in two lines.", "kill: seeds", "kill: core/x TestX",
		"--- f.go", " \tkept", "-\told", "+\tnew", "", "--- g.go", "-gone", "== B-2", "waits: core/y#Z", "== C-3", "moot: no",
	}, "\n"))
	require.NoError(t, err)
	require.Len(t, list, 3)
	a := list[0]
	require.Equal(t, "A-1", a.record())
	require.Equal(t, "What it is, in two lines.", a.what)
	require.Equal(t, []string{"seeds", "core/x TestX"}, a.kills)
	require.Equal(t, []hunk{{"f.go", "\tkept\n\told\n", "\tkept\n\tnew\n"}, {"g.go", "gone\n", ""}}, a.hunks)
	require.Equal(t, "core/y#Z", list[1].waits)
	require.Equal(t, "no", list[2].moot)
	require.False(t, list[1].mutant() || list[2].mutant())

	for _, bad := range []string{"text\n== A", "== A/b\n--- f\nneither"} {
		_, err := parseList("x", bad)
		require.Error(t, err, bad)
	}
}

func TestApply(t *testing.T) {
	e := &entry{name: "A-1/word", hunks: []hunk{{"f", "a\n", "b\n"}, {"f", "b\nc\n", "d\n"}}}
	read := func(text string) func(string) ([]byte, error) {
		return func(string) ([]byte, error) { return []byte(text), nil }
	}
	changed, err := e.apply(read("x\na\nc\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"f": "x\nd\n"}, changed)
	for _, text := range []string{"", "a\na\nc\n", "xa\nc\n", "a\n"} {
		_, err := e.apply(read(text))
		require.Error(t, err, "%q: a text that is not found exactly once", text)
	}
}

func TestKills(t *testing.T) {
	k := kills{"b": {bySeeds, 7}, "a": {what: "core/x TestX"}}
	require.Equal(t, "a\tcore/x TestX\nb\tseeds 7\n", k.String())
	for _, by := range k {
		require.Equal(t, by, parseKill(by.String()))
	}
}

// TestTally shows that a mutant that nothing sees is not hidden: a full hunt fails for it.
func TestTally(t *testing.T) {
	for _, c := range []struct {
		tally tally
		ok    bool
		said  string
	}{
		{tally{killed: 5, hunted: 5, known: 5, waiting: 2}, true, "killed 5 of 5 (blind 0, waiting 2)"},
		{tally{killed: 4, hunted: 5, known: 5}, false, "FAILED killed 4 of 5 (blind 0, waiting 0)"},
		{tally{killed: 5, hunted: 5, known: 7, blind: 2}, false, "FAILED killed 5 of 7 (blind 2, waiting 0)"},
		{tally{killed: 2, hunted: 2, known: 7, blind: 2, quick: true}, true,
			"quick hunt: killed 2 of 2 hunted, of 7 in all (blind 2, waiting 0)"},
		{tally{killed: 1, hunted: 2, known: 7, quick: true}, false,
			"FAILED quick hunt: killed 1 of 2 hunted, of 7 in all (blind 0, waiting 0)"},
	} {
		require.Equal(t, c.ok, c.tally.ok(), c.said)
		require.Equal(t, c.said, c.tally.String())
	}
}
