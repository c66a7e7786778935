package jobqueue

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What docs/simulation.md shows is compiled, and run: its Go code stands in the tests of this package.
func TestThePageOnSimulationIsCompiled(t *testing.T) {
	page := read(t, "../../docs/simulation.md")
	compiled := read(t, "first_test.go") + read(t, "queue_test.go") + read(t, "bugs_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(page, -1)
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		require.Contains(t, squeeze(compiled), squeeze(block[1]))
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(page, -1) {
		_, err := os.Stat("../../docs/" + link[1])
		require.NoError(t, err)
	}
}

func read(t *testing.T, name string) string {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// squeeze takes the indentation away.
func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
