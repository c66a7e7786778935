package tikvx_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the pages show is compiled, and run: their Go code stands in tests, line by line.
func TestPagesAreCompiled(t *testing.T) {
	for page, from := range map[string]struct {
		sources string
		blocks  int
	}{"README.md": {"example_test.go", 3}, "docs/simulation.md": {"examples/jobqueue/*_test.go", 4}} {
		files, err := filepath.Glob(from.sources)
		require.NoError(t, err)
		var compiled string
		for _, file := range files {
			compiled += squeeze(read(t, file))
		}
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, page), -1)
		require.Len(t, blocks, from.blocks, page)
		for _, block := range blocks {
			require.Contains(t, compiled, squeeze(block[1]), page)
		}
	}
}

// squeeze takes the indentation away.
func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// Links, and the paths that the maintainer's map names, lead somewhere.
func TestPagesLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	path := regexp.MustCompile("`((?:adapters|app|cmd|core|docs|ports|tests)(?:/[^` ]*)?)`")
	pages := []string{"README.md", "docs/DESIGN.md", "docs/simulation.md", "docs/decisions/README.md"}
	for _, page := range pages {
		text := read(t, page)
		for _, to := range link.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(to[1], "://") {
				exists(t, page, filepath.Join(filepath.Dir(page), to[1]))
			}
		}
		for _, to := range path.FindAllStringSubmatch(text, -1) {
			exists(t, page, to[1])
		}
	}
}

func exists(t *testing.T, page, path string) {
	t.Helper()
	_, err := os.Stat(filepath.FromSlash(path))
	require.NoError(t, err, page)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}
