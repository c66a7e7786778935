package parity

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const top = "../.."

func TestLedger(t *testing.T) {
	upstream, ledger := read(t, "upstream.tsv", upstreamHeader), read(t, "ledger.tsv", ledgerHeader)
	require.Len(t, upstream, 699)
	declared := map[string]map[string]bool{}
	for _, wrong := range audit(upstream, ledger, func(folder, test string) bool {
		if declared[folder] == nil {
			declared[folder] = testsIn(t, filepath.Join(top, folder))
		}
		return declared[folder][test]
	}) {
		t.Error(wrong)
	}
	byStatus := map[string]int{}
	for _, r := range ledger {
		byStatus[r[4]]++
	}
	t.Logf("parity: %v", byStatus)
}

func read(t *testing.T, file, header string) []row {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	rows, err := table(string(text), header)
	require.NoError(t, err, file)
	return rows
}

var testName = regexp.MustCompile(`^(Test|Fuzz|Example|Benchmark)([^a-z]|$)`)

// testsIn returns the tests that a folder declares; a folder that is not there declares none.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && testName.MatchString(fn.Name.Name) {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

func TestTestsAreFoundByDeclaration(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\n"+
		"func TestThis(t *testing.T) {}\n"+
		"func FuzzThat(f *testing.F) {}\n"+
		"func Testing() {}\n"+
		"func (suite) TestMethod() {}\n"+
		"// func TestCommented(t *testing.T) {}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte("package a\nfunc TestInProgram() {}\n"), 0o600))
	require.Equal(t, map[string]bool{"TestThis": true, "FuzzThat": true}, testsIn(t, dir))
	require.Empty(t, testsIn(t, filepath.Join(dir, "missing")))
}

func TestAudit(t *testing.T) {
	upstream := []row{{"a_test.go", "TestA", "raw", "does a"}, {"b_test.go", "TestB", "raw", "does b"}}
	exists := func(folder, test string) bool {
		return folder == "core/raw" && test == "TestGet" || folder == "." && test == "TestOpen"
	}
	of := func(name, tests, status, note string) row {
		return row{name + "_test.go", "Test" + strings.ToUpper(name), "raw", tests, status, note}
	}
	good := of("b", "", "n/a", "no such thing here")
	for name, c := range map[string]struct {
		ledger []row
		want   string
	}{
		"tested":      {[]row{of("a", "./core/raw.TestGet", "tested", ""), good}, ""},
		"two tests":   {[]row{of("a", "./core/raw.TestGet, ./.TestOpen", "tested", ""), good}, ""},
		"waits":       {[]row{of("a", "", "waits", "stale reads"), good}, ""},
		"row missing": {[]row{good}, "a_test.go TestA raw: 0 rows, not 1"},
		"row twice":   {[]row{good, good, of("a", "", "n/a", "x")}, "b_test.go TestB raw: 2 rows, not 1"},
		"row invented": {[]row{of("a", "", "n/a", "x"), good, of("c", "", "n/a", "x")},
			"c_test.go TestC raw: no such test upstream"},
		"test missing": {[]row{of("a", "./core/raw.TestPut", "tested", ""), good},
			"a_test.go TestA raw: ./core/raw.TestPut does not exist"},
		"second test missing": {[]row{of("a", "./core/raw.TestGet,./core.TestGet", "tested", ""), good},
			"a_test.go TestA raw: ./core.TestGet does not exist"},
		"test not named": {[]row{of("a", "", "tested", ""), good},
			`a_test.go TestA raw: "" is not of the form ./folder.TestName`},
		"no reason": {[]row{of("a", "", "n/a", ""), good}, "a_test.go TestA raw: n/a needs a reason and no test"},
		"unknown capability": {[]row{of("a", "", "waits", "time"), good},
			`a_test.go TestA raw: waits needs a known capability, not "time", and no test`},
		"unknown status": {[]row{of("a", "", "done", ""), good}, `a_test.go TestA raw: status "done"`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, strings.Join(audit(upstream, c.ledger, exists), "; "))
		})
	}
}

func TestTable(t *testing.T) {
	rows, err := table("a\tb\n1\t2\n\t\n", "a\tb")
	require.NoError(t, err)
	require.Equal(t, []row{{"1", "2"}, {"", ""}}, rows)
	_, err = table("a\tc\n", "a\tb")
	require.Error(t, err)
	_, err = table("a\tb\n1\n", "a\tb")
	require.Error(t, err)
}
