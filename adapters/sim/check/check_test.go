package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/ports"
)

// kept is a store of a test.
type kept struct {
	versions map[string][]check.Version
	doubt    map[ports.Timestamp]bool
}

func (k kept) Versions(key string) []check.Version  { return k.versions[key] }
func (k kept) Ambiguous(start ports.Timestamp) bool { return k.doubt[start] }

func one(start, commit ports.Timestamp, value string) check.Version {
	return check.Version{Start: start, Commit: commit, Value: []byte(value)}
}

func TestSnapshots(t *testing.T) {
	store := kept{versions: map[string][]check.Version{
		"a": {one(30, 35, "new"), one(10, 15, "old")},
		"b": {{Start: 20, Commit: 25, Deleted: true}, one(10, 15, "gone")},
	}}
	good := []check.Read{
		{TS: 14, Key: "a"}, {TS: 15, Key: "a", Found: true, Value: "old"}, {TS: 34, Key: "a", Found: true, Value: "old"},
		{TS: 35, Key: "a", Found: true, Value: "new"}, {TS: 24, Key: "b", Found: true, Value: "gone"}, {TS: 25, Key: "b"},
		{TS: 99, Key: "c"},
	}
	require.Empty(t, check.Snapshots(good, store))
	for _, bad := range []check.Read{
		{TS: 14, Key: "a", Found: true, Value: "old"}, {TS: 34, Key: "a", Found: true, Value: "new"},
		{TS: 40, Key: "a", Found: true, Value: "old"}, {TS: 40, Key: "a"}, {TS: 25, Key: "b", Found: true, Value: "gone"},
	} {
		require.Len(t, check.Snapshots([]check.Read{bad}, store), 1, "%+v", bad)
	}
}

func TestUnseenValues(t *testing.T) {
	store := kept{versions: map[string][]check.Version{"a": {one(10, 15, "v")}}}
	unseen := []check.Read{{TS: 15, Key: "a", Found: true, Unseen: true}, {TS: 14, Key: "a"}}
	require.Empty(t, check.Snapshots(unseen, store))
	require.Len(t, check.Snapshots([]check.Read{{TS: 14, Key: "a", Found: true, Unseen: true}}, store), 1)
}

func TestNewest(t *testing.T) {
	store := kept{versions: map[string][]check.Version{
		"a": {{Start: 30, Commit: 35, Deleted: true}, one(20, 25, "new"), one(10, 15, "old")},
	}}
	told := []check.Txn{
		{Start: 10, Ended: 100, Outcome: check.Committed}, {Start: 20, Ended: 200, Outcome: check.Committed},
		{Start: 30, Ended: 300, Outcome: check.Unknown},
	}
	read := func(began ports.Instant, to ports.Timestamp, value string) check.Latest {
		return check.Latest{Began: began, To: to, Key: "a", Found: value != "", Value: value}
	}
	for _, good := range []check.Latest{
		read(50, 14, ""), read(50, 40, ""), read(50, 40, "old"), read(50, 40, "new"), read(150, 40, "old"),
		read(250, 40, "new"), read(250, 40, ""), read(350, 40, "new"),
	} {
		require.Empty(t, check.Newest([]check.Latest{good}, told, store), "%+v", good)
	}
	for _, bad := range []check.Latest{
		read(50, 14, "old"), read(50, 24, "new"), read(150, 24, ""), read(250, 40, "old"), read(250, 34, ""),
		read(50, 40, "other"),
	} {
		require.Len(t, check.Newest([]check.Latest{bad}, told, store), 1, "%+v", bad)
	}
}

func TestAtomic(t *testing.T) {
	store := kept{versions: map[string][]check.Version{
		"a": {one(20, 25, ""), one(10, 15, "")}, "b": {one(20, 25, "")}, "c": {one(10, 16, "")},
	}}
	require.Empty(t, check.Atomic([]string{"a", "b"}, store))
	require.Len(t, check.Atomic([]string{"a", "b", "c"}, store), 1)
}

func TestWriteSkewIsAllowed(t *testing.T) {
	// Two transactions read both keys and write one each: snapshot isolation lets
	// them pass.
	store := kept{versions: map[string][]check.Version{
		"a": {one(10, 15, "0"), one(20, 25, "1")}, "b": {one(10, 15, "0"), one(21, 26, "1")},
	}}
	reads := []check.Read{
		{TS: 20, Key: "a", Found: true, Value: "0"}, {TS: 20, Key: "b", Found: true, Value: "0"},
		{TS: 21, Key: "a", Found: true, Value: "0"}, {TS: 21, Key: "b", Found: true, Value: "0"},
	}
	require.Empty(t, check.Snapshots(reads, store))
	require.Empty(t, check.Writers([]string{"a", "b"}, store))
}

func TestWritersMustNotOverlap(t *testing.T) {
	store := kept{versions: map[string][]check.Version{
		"good": {one(15, 20, ""), one(10, 15, "")}, "lost update": {one(10, 20, ""), one(12, 25, "")},
	}}
	require.Empty(t, check.Writers([]string{"good"}, store))
	require.Len(t, check.Writers([]string{"good", "lost update"}, store), 1)
}

func TestOutcomes(t *testing.T) {
	store := kept{
		versions: map[string][]check.Version{"kept": {one(10, 15, "r")}},
		doubt:    map[ports.Timestamp]bool{30: true},
	}
	good := []check.Txn{
		{Receipt: "kept", Outcome: check.Committed}, {Receipt: "none", Outcome: check.Aborted},
		{Start: 30, Receipt: "kept", Outcome: check.Unknown}, {Start: 30, Receipt: "none", Outcome: check.Unknown},
	}
	require.Empty(t, check.Outcomes(good, store))
	for _, bad := range []check.Txn{
		{Receipt: "none", Outcome: check.Committed}, {Receipt: "kept", Outcome: check.Aborted},
		{Start: 31, Receipt: "kept", Outcome: check.Unknown},
	} {
		require.Len(t, check.Outcomes([]check.Txn{bad}, store), 1, "%+v", bad)
	}
}

func TestExternalConsistency(t *testing.T) {
	store := kept{versions: map[string][]check.Version{"r1": {one(10, 15, "")}, "r2": {one(20, 25, "")}}}
	first := check.Txn{Start: 10, Receipt: "r1", Began: 1, Ended: 5, Outcome: check.Committed}
	later := check.Txn{Start: 20, Receipt: "r2", Began: 6, Ended: 9, Outcome: check.Committed}
	beside := check.Txn{Start: 12, Receipt: "r3", Began: 5, Ended: 9, Outcome: check.Aborted}
	require.Empty(t, check.External([]check.Txn{later, beside, first}, store))
	blind := check.Txn{Start: 15, Receipt: "r4", Began: 6, Ended: 7, Outcome: check.Aborted}
	require.Len(t, check.External([]check.Txn{blind, first}, store), 1)
	unanswered := check.Txn{Start: 10, Receipt: "r1", Began: 1, Ended: 5, Outcome: check.Unknown}
	require.Empty(t, check.External([]check.Txn{blind, unanswered}, store))
}
