package arch

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const top = "../.."

func TestTree(t *testing.T) {
	sources, err := readTree(top)
	require.NoError(t, err)
	g, err := goList(top, "-deps", "./...")
	require.NoError(t, err)

	in, others := ours(top, g, sources)
	pkgs, err := parseTree(in)
	require.NoError(t, err)
	for _, seen := range []string{"ports", "core/sm", "tests/arch"} {
		require.Contains(t, pkgs, seen, "the tree is not what this test takes it for")
	}
	exports, err := exportData(top, foreignImports(pkgs))
	require.NoError(t, err)
	require.NoError(t, typeCheck(pkgs, exports))
	unbuilt, err := parseTree(others)
	require.NoError(t, err)

	faults, unused := excuse(append(judge(pkgs), measure(unbuilt)...), exceptions)
	for _, f := range faults {
		t.Error(f)
	}
	require.Empty(t, unused, "exceptions that excuse nothing")
	require.Empty(t, outsiders(g), "ports, core and app depend on the standard library only")
	require.Empty(t, uninvited(g), "the root package brings modules that kvproto, grpc and pd/client do not")
}

// Every archive in testdata is a tree; the faults found must be those that its lines want.
func TestFixtures(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	trees := map[string]map[string][]byte{}
	foreign := map[string]bool{}
	for _, name := range archives {
		trees[name] = readArchive(t, name)
		pkgs, err := parseTree(trees[name])
		require.NoError(t, err)
		for _, path := range foreignImports(pkgs) {
			foreign[path] = true
		}
	}
	exports, err := exportData(top, sortedKeys(foreign))
	require.NoError(t, err)

	broken := map[string]bool{}
	for name, sources := range trees {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			pkgs, err := parseTree(sources)
			require.NoError(t, err)
			require.NoError(t, typeCheck(pkgs, exports))
			faults := judge(pkgs)
			compare(t, wants(pkgs), faults)
			for _, f := range faults {
				rule, _, _ := strings.Cut(f.text, ":")
				broken[rule] = true
			}
		})
	}
	for _, r := range rules {
		if r.name != "size" { // see TestSize: its fixtures are long
			require.Contains(t, broken, r.name, "no fixture breaks this rule")
		}
	}
}

var wantComment = regexp.MustCompile(`want (".*")`)

// wants maps "file:line" to the text that a fault there must contain.
func wants(pkgs map[string]*pkg) map[string][]string {
	all := map[string][]string{}
	for _, p := range pkgs {
		for _, f := range slices.Concat(p.files, p.tests) {
			for _, group := range f.ast.Comments {
				for _, c := range group.List {
					addWants(all, p, c)
				}
			}
		}
	}
	return all
}

func addWants(all map[string][]string, p *pkg, c *ast.Comment) {
	m := wantComment.FindStringSubmatch(c.Text)
	if m == nil {
		return
	}
	pos := p.fset.Position(c.Pos())
	at := pos.Filename + ":" + strconv.Itoa(pos.Line)
	for _, quoted := range strings.Split(m[1], `" "`) {
		all[at] = append(all[at], strings.Trim(quoted, `"`))
	}
}

func compare(t *testing.T, wants map[string][]string, faults []fault) {
	t.Helper()
	for _, f := range faults {
		at := f.pos.Filename + ":" + strconv.Itoa(f.pos.Line)
		i := slices.IndexFunc(wants[at], func(want string) bool { return strings.Contains(f.text, want) })
		if i < 0 {
			t.Errorf("not wanted: %s", f)
			continue
		}
		wants[at] = slices.Delete(wants[at], i, i+1)
	}
	for at, texts := range wants {
		for _, text := range texts {
			t.Errorf("%s: found no fault with %q", at, text)
		}
	}
}
