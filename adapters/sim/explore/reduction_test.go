package explore

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// config is a committed configuration, by the place of its cast.
func config(cast int, polls uint8, budget ...Fault) Config {
	c := casts()[cast]
	return c.config(polls, budget...)
}

// endsInOrder returns the fingerprints of the ends of a search.
func (x *Explorer) endsInOrder() []uint64 {
	var list []uint64
	for _, v := range x.ends.table {
		if v != 0 {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

// machines returns the fingerprints of the states that machines were in.
func (x *Explorer) machines() map[uint64]bool {
	seen := map[uint64]bool{}
	for _, c := range x.clients {
		if c.machine != nil {
			seen[c.base.Sum()] = true
		}
	}
	return seen
}

// Without reductions more states of the whole are seen, but no machine is in another state, and the ends are the same.
func TestReductionsKeepTheEnds(t *testing.T) {
	lone := cast{name: "a writer", clients: casts()[0].clients[:1]}
	for _, config := range []Config{
		lone.config(0, Lose, Split), lone.config(0, Lose, Transfer), lone.config(0, Late, Transfer),
		config(0, 0), config(1, 0, Crash), config(1, 0, Split), config(1, 0, Expire), config(1, 0, Late),
		config(1, 0, Cancel), config(3, 0, Duplicate), config(3, 1, Expire),
	} {
		t.Run(config.Name, func(t *testing.T) {
			reduced := New(config)
			fast := reduced.Run()
			config.plain = true
			plain := New(config)
			slow := plain.Run()
			require.Empty(t, fast.Violation+slow.Violation)
			require.Less(t, fast.States, slow.States)
			require.True(t, slices.Equal(plain.endsInOrder(), reduced.endsInOrder()))
			require.True(t, maps.Equal(plain.machines(), reduced.machines()))
		})
	}
}

// What is remembered is what the machines and the engine do: working everything out anew changes nothing.
func TestMemoryChangesNothing(t *testing.T) {
	config := config(1, 0, Crash)
	fast := New(config).Run()
	config.forgetful = true
	slow := New(config).Run()
	fast.Elapsed, slow.Elapsed = 0, 0
	require.Equal(t, fast, slow)
	require.True(t, fast.Exhausted)
}

// A search that gives up says so.
func TestLimit(t *testing.T) {
	config := config(0, 0)
	config.Limit = 1000
	r := New(config).Run()
	require.False(t, r.Exhausted)
	require.Empty(t, r.Violation)
	require.Equal(t, 1001, r.States)
}

// An explorer can be used again, and finds the same.
func TestRunTwice(t *testing.T) {
	x := New(config(1, 0, Crash))
	first := x.Run()
	second := x.Run()
	first.Elapsed, second.Elapsed = 0, 0
	require.Equal(t, first, second)
	require.Empty(t, x.Shortest(100_000), "nothing is wrong here")
}
