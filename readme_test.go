package tikvx_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the README shows is compiled: its Go code stands in an example, line by line.
func TestReadmeIsCompiled(t *testing.T) {
	readme := read(t, "README.md")
	compiled := squeeze(read(t, "example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		require.Contains(t, compiled, squeeze(block[1]))
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

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !strings.Contains(link[1], "://") {
			require.FileExists(t, filepath.FromSlash(link[1]))
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}
