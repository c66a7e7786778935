package buffer

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// Key sets whose shape is hard on one kind of ordered tree or another.
func shapesOfKeys() map[string][]string {
	shapes := map[string][]string{
		"prefixes of each other": {"a", "aa", "aaa", "aaaa"},
		"one long prefix": {
			strings.Repeat("p", 26) + "a", strings.Repeat("p", 18) + "b", strings.Repeat("p", 26) + "c",
			strings.Repeat("p", 18), strings.Repeat("p", 18) + "bb", strings.Repeat("p", 40),
		},
		"two long prefixes": {
			strings.Repeat("x", 10) + "1", strings.Repeat("x", 10) + "2", strings.Repeat("y", 30) + "1",
			strings.Repeat("y", 30) + "2", "x", "y",
		},
		"long keys": {strings.Repeat("k", 1024), strings.Repeat("k", 1023) + "j", strings.Repeat("k", MaxKeySize)},
	}
	for _, n := range []int{4, 16, 48, 256} {
		var keys []string
		for i := range n {
			keys = append(keys, string([]byte{byte(i * 256 / n)}))
		}
		shapes[fmt.Sprintf("%d single bytes", n)] = keys
	}
	var zeros []string
	for n := range 20 {
		zeros = append(zeros, strings.Repeat("\x00", n+1))
	}
	shapes["zeros"] = zeros
	var digits []string
	for i := range 400 {
		digits = append(digits, fmt.Sprintf("%010d", i*i))
	}
	shapes["digits"] = digits
	return shapes
}

// TestShapes: keys of every shape are found, their neighbours are not, and ranges
// with every kind of bound yield them in order, both ways.
func TestShapes(t *testing.T) {
	for name, keys := range shapesOfKeys() {
		t.Run(name, func(t *testing.T) {
			var b Buffer
			state := map[string]modelEntry{}
			for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(keys)) {
				value, found := b.Get([]byte(keys[i]))
				require.Equal(t, Absent, found)
				require.Nil(t, value)
				require.Equal(t, Accepted, b.Put([]byte(keys[i]), []byte("v")))
				state[keys[i]] = modelEntry{value: "v"}
			}
			view := b.View()
			v := modelView{view, state}
			checkView(t, &v, ports.KeyRange{})
			step := max(1, len(keys)/10)
			for i := 0; i < len(keys); i += step {
				checkNeighbours(t, &b, state, keys[i])
				for j := i; j < len(keys); j += step {
					for _, rng := range []ports.KeyRange{
						{Start: []byte(keys[i]), End: []byte(keys[j])}, {Start: []byte(keys[i] + "\x00"), End: []byte(keys[j])},
						{Start: []byte(keys[i]), End: []byte(keys[i] + "\x00")}, {End: []byte(keys[j])}, {Start: []byte(keys[j])},
					} {
						checkWalk(t, view.Ascend(rng), state, rng, false)
						checkWalk(t, view.Descend(rng), state, rng, true)
					}
				}
			}
		})
	}
}

// checkNeighbours looks for keys that differ from one that is there only in a byte, or
// in length.
func checkNeighbours(t *testing.T, b *Buffer, state map[string]modelEntry, key string) {
	t.Helper()
	for i := 0; i < len(key); i += max(1, len(key)/8) {
		other := []byte(key)
		other[i]++
		for _, k := range [][]byte{other, other[:i], append([]byte(key), 0)} {
			_, there := state[string(k)]
			_, found := b.Get(k)
			require.Equal(t, there, found == Present)
		}
	}
}

// TestEmpty: a buffer that nobody wrote to finds nothing, costs nothing, and has
// nothing to walk over.
func TestEmpty(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(10, func() {
		var b Buffer
		_, found := b.Get([]byte("k"))
		view := b.View()
		up, down := view.Ascend(ports.KeyRange{}), view.Descend(ports.KeyRange{Start: []byte("2")})
		if found != Absent || b.Len()+b.Size() != 0 || up.Valid() || down.Valid() {
			t.Error("something is there")
		}
	}))
	var b Buffer
	require.Equal(t, KeyTooLarge, b.Put(make([]byte, MaxKeySize+1), []byte("v")))
	require.Equal(t, Accepted, b.Put(make([]byte, MaxKeySize), make([]byte, MaxKeySize+1)))
}

// TestManyKeys writes as many keys as no drawn history has, deletes some and writes
// others again.
func TestManyKeys(t *testing.T) {
	const n = 50_000
	rnd := rand.New(rand.NewPCG(1, 2))
	var b Buffer
	state := map[string]modelEntry{}
	put := func(key, value string) {
		state[key] = modelEntry{value: value}
		require.Equal(t, Accepted, b.Put([]byte(key), []byte(value)))
	}
	for range n {
		put(randomKey(rnd), "first")
	}
	for _, k := range slices.Sorted(maps.Keys(state)) {
		if rnd.IntN(100) < 35 {
			state[k] = modelEntry{deleted: true}
			require.Equal(t, Accepted, b.Delete([]byte(k)))
			continue
		}
		put(k, "second")
	}
	v := modelView{b.View(), state}
	checkView(t, &v, ports.KeyRange{})
}

func randomKey(rnd *rand.Rand) string {
	key := make([]byte, 1+rnd.IntN(20))
	for i := range key {
		key[i] = byte(rnd.Uint32())
	}
	return string(key)
}

// TestDeepSavepoints nests a hundred savepoints, some of which are rolled back on the
// way down and some on the way up.
func TestDeepSavepoints(t *testing.T) {
	const depth = 100
	rnd := rand.New(rand.NewPCG(1, 3))
	var b Buffer
	state := map[string]modelEntry{}
	var marks []Savepoint
	var states []map[string]modelEntry
	fill := func() {
		for range 50 {
			k, value := randomKey(rnd)[:1], bytes.Repeat([]byte("v"), 1+rnd.IntN(9))
			require.Equal(t, Accepted, b.Put([]byte(k), value))
			state[k] = modelEntry{value: string(value)}
		}
	}
	back := func(i int) {
		require.Equal(t, Accepted, b.RollbackTo(marks[i]))
		state = maps.Clone(states[i])
	}
	check := func() {
		v := modelView{b.View(), state}
		checkView(t, &v, ports.KeyRange{})
	}
	for i := range depth {
		marks, states = append(marks, b.Savepoint()), append(states, maps.Clone(state))
		fill()
		if rnd.IntN(10) < 3 {
			back(i)
		}
		check()
	}
	for i := depth - 1; i >= 0; i-- {
		if rnd.IntN(10) < 3 {
			back(i)
			check()
		}
	}
	back(0)
	require.Zero(t, b.Len())
}
