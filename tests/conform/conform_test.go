package conform_test

import (
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/tests/conform"
)

func TestTxnScriptsOnTheSimulator(t *testing.T) { play(t, "testdata/txn", false) }

// What today's client does not send.
func TestStoreScriptsOnTheSimulator(t *testing.T) { play(t, "testdata/store", false) }

func TestRawScriptsOnTheSimulator(t *testing.T) { play(t, "testdata/raw", true) }

func play(t *testing.T, folder string, raw bool) {
	scripts, err := conform.Scripts(folder)
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, s := range scripts {
		t.Run(path.Base(s.Name), func(t *testing.T) {
			target, end, err := conform.Simulated(raw)
			require.NoError(t, err)
			defer end()
			played := s.Play(target, nil)
			require.NotZero(t, played.Commands)
			for _, w := range played.Wrong {
				t.Error(w)
			}
		})
	}
}
