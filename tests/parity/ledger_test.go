package parity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLedger(t *testing.T) {
	upstream, ledger := read(t, "upstream.tsv", upstreamHeader), read(t, "ledger.tsv", ledgerHeader)
	require.Len(t, upstream, 699)
	for _, wrong := range audit(upstream, ledger, newCatalog("../..").find) {
		t.Error(wrong)
	}
	require.Empty(t, idle(ledger), "nothing waits for these")
	t.Log(summary(ledger))
}

func read(t *testing.T, file, header string) []row {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	rows, err := table(string(text), header)
	require.NoError(t, err, file)
	return rows
}

func TestCatalog(t *testing.T) {
	top := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(top, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	write("core/raw/a_test.go", "package raw\n"+
		"func TestThis(t *testing.T) { t.Run(\"a case\", nil) }\n"+
		"func FuzzThat(f *testing.F) {}\n"+
		"func Testing() {}\n"+
		"func (suite) TestMethod() {}\n"+
		"func TestTalk(t *testing.T) { play(\"testdata/talk\") }\n"+
		"func TestTable(t *testing.T) { read(\"testdata/table.tsv\") }\n"+
		"// func TestCommented(t *testing.T) {}\n")
	write("core/raw/a.go", "package raw\nfunc TestInProgram() {}\nvar text = \"no case\"\n")
	write("core/raw/testdata/talk/one.txt",
		"# A split: the call\n# goes on.\ncall\n----\n\n# Another one.\n\n# Another one still.\n")
	write("open_test.go", "package root\nfunc TestOpen(t *testing.T) {}\n")
	write("ports/porttest/network.go", "package porttest\nvar clause = \"a shared case\"\n")
	for name, want := range map[string]string{
		"./core/raw.TestThis":                                "",
		"./core/raw.FuzzThat":                                "",
		"./core/raw.TestTable":                               "",
		"./core/raw.TestThis/a case":                         "",
		"./core/raw.TestThis/a shared case":                  "",
		"./.TestOpen":                                        "",
		"./core/raw.TestTalk/one.txt#A split":                "",
		"./core/raw.TestTalk/one.txt#A split: the call goes": "",
		"./core/raw.TestTalk/one.txt#Another one.":           "",
		"./core/raw.TestThis/no case":                        "no such case",
		"./core/raw.TestThis/one.txt#A split":                "plays no scripts",
		"./core/raw.TestTalk":                                "name a conversation",
		"./core/raw.TestTalk/one.txt":                        "name a conversation",
		"./core/raw.TestTalk/one.txt#Another":                "2 conversations begin so",
		"./core/raw.TestTalk/two.txt#A split":                "no such script",
		"./core/raw.TestTalk/one.txt#goes on":                "0 conversations begin so",
		"./core/raw.Testing":                                 "does not exist",
		"./core/raw.TestMethod":                              "does not exist",
		"./core/raw.TestCommented":                           "does not exist",
		"./core/raw.TestInProgram":                           "does not exist",
		"./core/missing.TestThis":                            "does not exist",
		"core/raw.TestThis":                                  "names nothing",
		"":                                                   "names nothing",
		"./core/raw.TestThis,./core/raw.FuzzThat":            "names nothing",
	} {
		got := newCatalog(top).find(name)
		if want == "" {
			require.Empty(t, got, name)
		}
		require.Contains(t, got, want, name)
	}
	write("core/bad/a_test.go", "no Go")
	require.NotEmpty(t, newCatalog(top).find("./core/bad.TestThis"))
}

// of makes a row of the ledger about a test of upstream's two.
func of(name, tests, status, note string) row {
	return row{name + "_test.go", "Test" + strings.ToUpper(name), "raw", tests, status, note}
}

func TestAudit(t *testing.T) {
	upstream := []row{{"a_test.go", "TestA", "raw", "does a"}, {"b_test.go", "TestB", "raw", "does b"}}
	find := func(name string) string {
		if name == "Get" || name == "Open" || name == "raw.BenchmarkGet" {
			return ""
		}
		return name + " is missing"
	}
	good := of("b", "", "n/a", "no such thing here")
	benchmark := row{"a_test.go", "BenchmarkA", "raw", "Get", "tested", ""}
	for name, c := range map[string]struct {
		ledger []row
		want   string
	}{
		"tested":       {[]row{of("a", "Get", "tested", ""), good}, ""},
		"two tests":    {[]row{of("a", "Get; Open", "tested", ""), good}, ""},
		"waits":        {[]row{of("a", "", "waits", "stale reads"), good}, ""},
		"differs":      {[]row{of("a", "Get", "tested", "differs: later"), good}, ""},
		"rest waits":   {[]row{of("a", "Get", "tested", "rest waits: stale reads"), good}, ""},
		"rest n/a":     {[]row{of("a", "Get", "tested", "rest n/a: no handles"), good}, ""},
		"row missing":  {[]row{good}, "a_test.go TestA raw: 0 rows, not 1"},
		"row twice":    {[]row{good, good, of("a", "", "n/a", "x")}, "b_test.go TestB raw: 2 rows, not 1"},
		"row invented": {[]row{of("a", "", "n/a", "x"), good, of("c", "", "n/a", "x")}, "no such test upstream"},
		"order":        {[]row{good, of("a", "", "n/a", "x")}, "not in upstream's order"},
		"missing":      {[]row{of("a", "Get; Put", "tested", ""), good}, "a_test.go TestA raw: Put is missing"},
		"twice":        {[]row{of("a", "Get; Get", "tested", ""), good}, "Get is named twice"},
		"not named":    {[]row{of("a", "", "tested", ""), good}, " is missing"},
		"benchmark":    {[]row{of("a", "raw.BenchmarkGet", "tested", ""), good}, "a test is not"},
		"no benchmark": {[]row{benchmark, good}, "a benchmark is answered by a benchmark"},
		"remark":       {[]row{of("a", "Get", "tested", "fine"), good}, `note "fine"`},
		"empty remark": {[]row{of("a", "Get", "tested", "differs: "), good}, `note "differs: "`},
		"rest unknown": {[]row{of("a", "Get", "tested", "rest waits: time"), good}, `note "rest waits: time"`},
		"no reason":    {[]row{of("a", "", "n/a", ""), good}, "n/a needs a reason and no test"},
		"unknown":      {[]row{of("a", "", "waits", "time"), good}, `waits needs a known capability, not "time"`},
		"status":       {[]row{of("a", "", "done", ""), good}, `a_test.go TestA raw: status "done"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(audit(upstream, c.ledger, find), "; ")
			if c.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, c.want)
		})
	}
}

func TestSummary(t *testing.T) {
	ledger := []row{
		of("a", "Get; Open", "tested", ""), of("b", "Get", "tested", "differs: later"), of("c", "", "n/a", "x"),
		of("d", "", "waits", "stale reads"), of("e", "Put", "tested", "rest waits: stale reads"),
	}
	require.Equal(t, "parity: rows=5 tested=3 (differs=1 partly=1 ours=3) n/a=1 waits=1 (capabilities=1)", summary(ledger))
	require.NotContains(t, idle(ledger), "stale reads")
	require.Len(t, idle(ledger), len(capabilities)-1)
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
