package load

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// versions is a store that holds what a test says.
type versions map[string][]check.Version

func (v versions) Versions(key string) []check.Version { return v[key] }
func (versions) Ambiguous(ports.Timestamp) bool        { return false }

// A transaction that began at 10 put a, deleted b, and wrote c and took it back.
func TestOwnWritesThatAreKept(t *testing.T) {
	o := NewOwn(3)
	a, b, c := ownKey(0), ownKey(1), ownKey(2)
	o.plans = []ownPlan{{
		check.Txn{Start: 10, Receipt: "receipt"},
		ownState{values: map[string]string{a: "mine", c: "old"}, written: map[string]bool{a: true, b: true}},
	}}
	mine := check.Version{Start: 10, Commit: 15, Value: []byte("mine")}
	other := check.Version{Start: 20, Commit: 25, Value: []byte("other")}
	gone := check.Version{Start: 10, Commit: 15, Deleted: true}
	receipt := []check.Version{mine}
	for _, good := range []versions{
		{}, // it was not committed
		{"receipt": receipt, a: {other, mine}, b: {gone}, c: {other}},
		{"receipt": receipt, a: {mine}}, // b was not there
	} {
		require.Empty(t, o.Check(good), "%v", good)
	}
	for what, bad := range map[string]versions{
		"was put, and is not committed": {"receipt": receipt, a: {other}},
		"was not written":               {"receipt": receipt, a: {mine}, c: {mine}},
		"otherwise than it was written": {"receipt": receipt, a: {mine}, b: {mine}},
		"\"own/00\" is committed otherwise": {
			"receipt": receipt, a: {{Start: 10, Commit: 15, Value: []byte("not mine")}},
		},
	} {
		got := o.Check(bad)
		require.Len(t, got, 1, what)
		require.Contains(t, got[0], what)
	}
}

func TestOwnReadsAreCompared(t *testing.T) {
	pairs := func(texts ...string) (list app.Pairs) {
		for _, text := range texts {
			list = append(list, app.KV{Key: []byte(text[:1]), Value: []byte(text[1:])})
		}
		return list
	}
	s := ownTxn{load: NewOwn(1), tx: &app.Txn{}}
	s.compare("scan", pairs("a1", "b2"), pairs("a1", "b2"))
	require.Empty(t, s.load.wrong)
	s.compare("scan", pairs("b2", "a1"), pairs("a1", "b2"))
	s.compare("scan", pairs("a1"), pairs("a1", "b2"))
	s.compare("batch get", pairs("a1", "b3"), pairs("a1", "b2"))
	require.Equal(t, []string{
		"scan at 0: [b 2][a 1] instead of [a 1][b 2]", "scan at 0: [a 1] instead of [a 1][b 2]",
		"batch get at 0: [a 1][b 3] instead of [a 1][b 2]",
	}, s.load.wrong)
}
