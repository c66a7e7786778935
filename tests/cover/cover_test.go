package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ten statements in core of which nine are covered, ten in app of which six are, and generated code.
const sample = `mode: atomic
m/core/read/get.go:1.1,2.2 9 0
m/core/read/get.go:3.1,4.2 1 0
m/app/client.go:1.1,2.2 6 7
m/app/client.go:3.1,4.2 4 0
m/adapters/wire/map_gen.go:1.1,2.2 1000 0
mode: atomic
m/core/read/get.go:1.1,2.2 9 3
m/app/client.go:1.1,2.2 6 0
`

func TestProfilesOfSeveralBinariesAreMerged(t *testing.T) {
	p, err := parse(strings.NewReader(sample))
	require.NoError(t, err)
	require.Equal(t, []string{"m/app", "m/core/read"}, p.packages())
	require.Equal(t, coverage{20, 15}, p.sum(anyPackage))
	require.Equal(t, coverage{10, 9}, p.sum(inCore))
	require.InDelta(t, 60, p.sum(only("m/app")).percent(), 0.01)
}

func TestBars(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cover.out")
	require.NoError(t, os.WriteFile(file, []byte(sample), 0o600))
	require.NoError(t, run(file, 75, 90))
	require.ErrorContains(t, run(file, 75.1, 90), "below")
	require.ErrorContains(t, run(file, 75, 90.1), "below")
	require.Error(t, run(file+".missing", 0, 0))
}

func TestMalformedProfiles(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"header only":      "mode: atomic\n",
		"too few fields":   "m/a.go:1.1,2.2 3\n",
		"no range":         "m/a.go 3 1\n",
		"statements":       "m/a.go:1.1,2.2 x 1\n",
		"count":            "m/a.go:1.1,2.2 1 -1\n",
		"generated only":   "m/a_gen.go:1.1,2.2 1 1\n",
		"line without end": strings.Repeat("x", 1<<21),
	} {
		_, err := parse(strings.NewReader(text))
		require.Error(t, err, name)
	}
}
