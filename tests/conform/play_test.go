package conform_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/tests/conform"
)

func read(t *testing.T, text string) (*conform.Script, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return conform.Read(path)
}

// TestPlayedWrongly: whatever is not as the script says is wrong, also what is better than it says.
func TestPlayedWrongly(t *testing.T) {
	for name, c := range map[string]struct{ script, wrong string }{
		"another answer":       {"get k=a ts=1\n----\none\n", "answer\nnot found"},
		"an unknown command":   {"fetch k=a\n----\none\n", "no such command"},
		"a bad argument":       {"get k=a ts=x\n----\none\n", "timestamp"},
		"a bad number":         {"scan limit=x ts=1\n----\none\n", "limit"},
		"a bad mutation":       {"prewrite start=1 primary=a\nbreak a\n----\nok\n", "mutation"},
		"never awaited":        {"get k=a ts=1 as=g\n----\nsent\n", "not awaited"},
		"nothing to await":     {"await g\n----\nnot found\n", "nothing to await"},
		"a difference is gone": {"get k=a ts=1\n----\nnot found\n\ndiffers on=sim why=(once)\n----\none\n", "gone"},
		"nothing to mend":      {"get k=a ts=1 on=sim why=(so)\n----\nnot found\n", "follows no difference"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := read(t, c.script)
			require.NoError(t, err)
			target, end, err := conform.Simulated(false)
			require.NoError(t, err)
			defer end()
			played := s.Play(target, nil)
			require.Len(t, played.Wrong, 1)
			require.Contains(t, played.Wrong[0], c.wrong)
		})
	}
}

// TestDifferences: an explained difference counts, and what a target alone needs plays there alone.
func TestDifferences(t *testing.T) {
	s, err := read(t, `get k=a ts=1
----
one

differs on=sim why=(nobody wrote it)
----
not found

get k=b ts=1 on=sim why=(to have it asked)
----
not found

get k=b ts=1 as=g
----
sent

await g
----
not found

heartbeat primary=b start=1
----
txn not found start=1
`)
	require.NoError(t, err)
	target, end, err := conform.Simulated(false)
	require.NoError(t, err)
	defer end()
	require.Equal(t, conform.Played{Commands: 5, Explained: 2}, s.Play(target, nil))
	require.Equal(t, conform.Played{Commands: 4, Explained: 2, Lacking: "heartbeat"},
		s.Play(target, conform.Lacking{"heartbeat": true}))
	target.Name = "other"
	require.Len(t, s.Play(target, nil).Wrong, 1)
}

// TestEnd: a script ends early on the target of which it says so.
func TestEnd(t *testing.T) {
	s, err := read(t, "get k=a ts=1\n----\nnot found\n\nend on=sim why=(so)\n----\n\nget k=a ts=1\n----\none\n")
	require.NoError(t, err)
	target, end, err := conform.Simulated(false)
	require.NoError(t, err)
	defer end()
	require.Equal(t, conform.Played{Commands: 1, Explained: 1, Lacking: "end"}, s.Play(target, nil))
	target.Name = "other"
	require.Len(t, s.Play(target, nil).Wrong, 1)
}

// TestMistakes: a region error is an answer where it is asked for, and else a reason to ask again.
func TestMistakes(t *testing.T) {
	s, err := read(t, `get k=a ts=1 wrong=old
----
region error: epoch not match

get k=a ts=1 wrong=where
----
one
`)
	require.NoError(t, err)
	target, end, err := conform.Simulated(false)
	require.NoError(t, err)
	defer end()
	played := s.Play(target, nil)
	require.Equal(t, 1, played.Commands)
	require.Len(t, played.Wrong, 1)
	require.Contains(t, played.Wrong[0], "mistake")
}

// TestProbe: what the script of lacking commands names for a target is lacking there.
func TestProbe(t *testing.T) {
	s, err := read(t, "get k=a ts=1 on=sim why=(so)\n----\nnot found\n\nscan ts=1 on=other why=(so)\n----\nnothing\n")
	require.NoError(t, err)
	target, end, err := conform.Simulated(false)
	require.NoError(t, err)
	defer end()
	lacking, played := s.Probe(target)
	require.Equal(t, conform.Lacking{"get": true}, lacking)
	require.Equal(t, conform.Played{Commands: 1, Explained: 1}, played)
}

func TestUnreadable(t *testing.T) {
	const get = "get k=a ts=1\n----\nnot found\n\n"
	for text, wrong := range map[string]string{
		"get k=a ts=1\n":                                 "without its answer",
		"get k=(a\n----\n":                               "",
		"get k=a ts=1 on=sim\n----\nnot found\n":         "belong together",
		"differs on=sim why=(so)\n----\none\n":           "nothing to differ from",
		get + "end\n----\n":                              "an end without",
		get + "differs\n----\none\n":                     "without on",
		get + "differs on=sim why=(so)\n----\nnot found": "that is none",
	} {
		_, err := read(t, text)
		require.ErrorContains(t, err, wrong, text)
	}
	_, err := conform.Scripts("testdata/nowhere")
	require.Error(t, err)
}
