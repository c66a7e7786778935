package buffer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func key(s string) []byte { return []byte(s) }

// contents lists what a view holds: "a=1 b- +c=2", - for a tombstone, + for a key
// whose absence is to be checked.
func contents(v View) string {
	var texts []string
	for c := v.Ascend(ports.KeyRange{}); c.Valid(); c.Next() {
		s := string(c.Key()) + "=" + string(c.Value())
		if c.Deleted() {
			s = string(c.Key()) + "-"
		}
		if c.Inserted() {
			s = "+" + s
		}
		texts = append(texts, s)
	}
	return fmt.Sprint(texts)
}

func TestRefusals(t *testing.T) {
	b := new(Buffer)
	b.Reset(Limits{Key: 4, Entry: 8, Total: 20})
	for name, refusal := range map[string]struct {
		got, want Refusal
	}{
		"empty key":          {b.Put(nil, key("v")), KeyEmpty},
		"empty key deleted":  {b.Delete(nil), KeyEmpty},
		"long key":           {b.Put(key("12345"), key("v")), KeyTooLarge},
		"long key deleted":   {b.Delete(key("12345")), KeyTooLarge},
		"empty value":        {b.Put(key("k"), nil), ValueEmpty},
		"empty value insert": {b.Insert(key("k"), key("")), ValueEmpty},
		"large entry":        {b.Put(key("1234"), key("56789")), EntryTooLarge},
		"large insert":       {b.Insert(key("1234"), key("56789")), EntryTooLarge},
	} {
		require.Equal(t, refusal.want, refusal.got, name)
	}
	require.Zero(t, b.Len())
	require.Zero(t, b.Size())
	require.Equal(t, "[]", contents(b.View()))

	require.Equal(t, Accepted, b.Put(key("1234"), key("5678")))
	require.Equal(t, Accepted, b.Put(key("abcd"), key("efgh")))
	require.Equal(t, TxnTooLarge, b.Put(key("wxyz"), key("v")), "21 bytes")
	require.Equal(t, Accepted, b.Put(key("wxy"), key("v")), "20 bytes")
	require.Equal(t, 20, b.Size())
	require.Equal(t, TxnTooLarge, b.Delete(key("0")), "21 bytes")
	require.Equal(t, Accepted, b.Put(key("1234"), key("5")), "what shrinks it is always allowed")
	require.Equal(t, "[1234=5 abcd=efgh wxy=v]", contents(b.View()))
}

// Whatever the limits say, lengths that the memory cannot keep are refused.
func TestKeysHaveALimitOfTheirOwn(t *testing.T) {
	var b Buffer
	require.Equal(t, Accepted, b.Put(make([]byte, MaxKeySize), key("v")))
	require.Equal(t, KeyTooLarge, b.Put(make([]byte, MaxKeySize+1), key("v")))
	b.Reset(Limits{Key: 1 << 20})
	require.Equal(t, KeyTooLarge, b.Put(make([]byte, MaxKeySize+1), key("v")))
}

func TestInsertions(t *testing.T) {
	var b Buffer
	require.Equal(t, Accepted, b.Insert(key("new"), key("1")))
	require.Equal(t, Accepted, b.Put(key("new"), key("2")), "it stays an insertion")
	require.Equal(t, KeyExists, b.Insert(key("new"), key("3")))

	require.Equal(t, Accepted, b.Insert(key("shy"), key("1")))
	require.Equal(t, Accepted, b.Delete(key("shy")), "the check stays")
	require.Equal(t, Accepted, b.Put(key("bold"), key("1")))
	require.Equal(t, KeyExists, b.Insert(key("bold"), key("2")))

	require.Equal(t, Accepted, b.Delete(key("old")))
	require.Equal(t, Accepted, b.Insert(key("old"), key("2")), "it was there and is deleted: nothing to check")
	require.Equal(t, "[bold=1 +new=2 old=2 +shy-]", contents(b.View()))
}

func TestNames(t *testing.T) {
	require.Equal(t, "key exists", KeyExists.String())
	require.Equal(t, "savepoint gone", SavepointGone.String())
	require.Equal(t, "invalid", Refusal(200).String())
	require.Equal(t, "deleted", Deleted.String())
	require.Equal(t, "invalid", State(200).String())
}

// What was handed out stays as it was.
func TestBorrowedSlicesNeverChange(t *testing.T) {
	var b Buffer
	k, v := key("k"), key("old")
	b.Put(k, v)
	got, _ := b.Get(key("k"))
	copy(v, "xxx")
	copy(k, "x")
	b.Put(key("k"), key("new"))
	b.Reset(Limits{})
	b.Put(key("k"), key("wen"))
	require.Equal(t, "old", string(got))
}

func TestSavepoints(t *testing.T) {
	var b, other Buffer
	require.Equal(t, SavepointGone, b.RollbackTo(Savepoint{}))
	b.Put(key("a"), key("1"))
	first := b.Savepoint()
	b.Put(key("a"), key("22"))
	b.Put(key("b"), key("1"))
	second := b.Savepoint()
	b.Delete(key("a"))
	require.Equal(t, SavepointGone, other.RollbackTo(first))

	require.Equal(t, Accepted, b.RollbackTo(second))
	require.Equal(t, "[a=22 b=1]", contents(b.View()))
	require.Equal(t, Accepted, b.RollbackTo(first))
	require.Equal(t, "[a=1]", contents(b.View()))
	require.Equal(t, 2, b.Size())
	require.Equal(t, SavepointGone, b.RollbackTo(second), "undone by the rollback")
	b.Put(key("c"), key("1"))
	third := b.Savepoint()
	require.Equal(t, Accepted, b.RollbackTo(third))
	require.Equal(t, Accepted, b.RollbackTo(first), "any number of times")
	require.Equal(t, SavepointGone, b.RollbackTo(third))

	b.Reset(Limits{})
	require.Equal(t, SavepointGone, b.RollbackTo(first), "of another transaction")
	require.Equal(t, Accepted, b.RollbackTo(b.Savepoint()))
}

// deep fills a buffer in an order of its own.
var deep = map[string]func(n int) [][]byte{
	"ascending":  sequential,
	"descending": func(n int) [][]byte { k := sequential(n); slices.Reverse(k); return k },
	"scattered":  scattered,
	"rows":       tableRows,
	"inwards": func(n int) [][]byte {
		// From both ends to the middle, so that both edges are split again and again.
		keys := sequential(n)
		var order [][]byte
		for i := range n / 2 {
			order = append(order, keys[i], keys[n-1-i])
		}
		return order
	},
	"clusters": func(n int) [][]byte {
		// Heads tell nothing within a cluster until they are computed anew.
		rnd := rand.New(rand.NewPCG(7, 8))
		var keys [][]byte
		for i := range n {
			cluster := bytes.Repeat([]byte{byte(rnd.IntN(4))}, 20)
			keys = append(keys, append(cluster, byte(i>>8), byte(i)))
		}
		return keys
	},
	"right edge": func(n int) [][]byte { return edge(n, "a", "zzzzzzzzzzzz%04d", "zzz{%04d") },
	"left edge":  func(n int) [][]byte { return edge(n, "z", "bbbbbbbbbbbb%04d", "bbba%04d") },
	"prefixes": func(n int) [][]byte {
		// Every key is a prefix of the next.
		long := bytes.Repeat([]byte{'p'}, n)
		var keys [][]byte
		for i := range n {
			keys = append(keys, long[:i+1])
		}
		return keys
	},
}

// edge makes keys at one edge of the tree that have much in common with each other
// and with the first of all, and then such that have not.
func edge(n int, other, near, far string) [][]byte {
	keys := [][]byte{fmt.Appendf(nil, near, 0), key(other)}
	for i := range n {
		keys = append(keys, fmt.Appendf(nil, near, i*37%n))
	}
	for i := range n {
		keys = append(keys, fmt.Appendf(nil, far, i*37%n))
	}
	return keys
}

// leaves calls f for every leaf.
func leaves(n *node, f func(*node)) {
	if n.kids == nil {
		f(n)
		return
	}
	for _, kid := range n.kids[:n.n+1] {
		leaves(kid, f)
	}
}

// Runs leave full nodes behind, and heads are computed anew where they tell nothing.
func TestShapesOfTrees(t *testing.T) {
	for _, name := range []string{"ascending", "descending"} {
		b, n := filled(deep[name](50*fan)), 0
		leaves(b.tree.root, func(*node) { n++ })
		require.LessOrEqual(t, n, 51, name)
	}
	b, within := filled(deep["clusters"](100*fan)), 0
	leaves(b.tree.root, func(n *node) {
		if n.skip >= 20 {
			within++
		}
	})
	require.Greater(t, within, 50)
}

// Trees of three and more levels, in every order of growth, with views in between.
func TestDeepTrees(t *testing.T) {
	for name, keys := range deep {
		n := 6000
		if name == "prefixes" {
			n = 1500
		}
		b := new(Buffer)
		var halfway View
		sorted := keys(n)
		for i, k := range sorted {
			require.Equal(t, Accepted, b.Put(k, k))
			if i == len(sorted)/2 {
				halfway = b.View()
			}
		}
		half := slices.Clone(sorted[:len(sorted)/2+1])
		checkAll(t, name, halfway, half)
		checkAll(t, name, b.View(), slices.Clone(sorted))
		for _, k := range sorted {
			v, state := b.Get(k)
			require.Equal(t, Present, state, name)
			require.Equal(t, k, v, name)
			_, state = b.Get(append(slices.Clone(k), 'x'))
			require.Equal(t, Absent, state, name)
		}
	}
}

func checkAll(t *testing.T, name string, v View, keys [][]byte) {
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	require.Equal(t, len(keys), v.Len(), name)
	up := v.Ascend(ports.KeyRange{})
	down := v.Descend(ports.KeyRange{})
	for i := range keys {
		require.True(t, up.Valid() && down.Valid(), name)
		require.Equal(t, keys[i], up.Key(), name)
		require.Equal(t, keys[len(keys)-1-i], down.Key(), name)
		up.Next()
		down.Next()
	}
	require.False(t, up.Valid() || down.Valid(), name)
	rng := ports.KeyRange{Start: keys[len(keys)/3], End: keys[len(keys)/2]}
	n := 0
	for c := v.Ascend(rng); c.Valid(); c.Next() {
		require.True(t, rng.Contains(c.Key()), name)
		n++
	}
	require.Equal(t, len(keys)/2-len(keys)/3, n, name)
}

// A small transaction costs a few allocations, and reading none.
func TestAllocations(t *testing.T) {
	keys := tableRows(4)
	value := make([]byte, 100)
	var b Buffer
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		b.Reset(Limits{})
		for _, k := range keys {
			b.Put(k, value)
		}
	}), 5.0)
	require.Zero(t, testing.AllocsPerRun(100, func() { b.Get(keys[1]) }))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		v := b.View()
		for c := v.Ascend(ports.KeyRange{}); c.Valid(); c.Next() {
			_ = c.Value()
		}
	}))
}

// FuzzBuffer plays bytes as writes, savepoints and rollbacks to a buffer and to a map.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte("\x00ab\x01cd\x03\x02ab\x04\x05\x00bc"))
	f.Add(bytes.Repeat([]byte{0, 3, 7, 0, 2, 9, 6, 40}, 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		limits := Limits{Key: 300, Entry: 400, Total: 100_000}
		p := &pair{Buffer: new(Buffer), model: model{limits: limits, now: map[string]modelEntry{}}}
		p.Reset(limits)
		next := func() byte {
			if len(script) == 0 {
				return 0
			}
			b := script[0]
			script = script[1:]
			return b
		}
		name := func() string { return string(bytes.Repeat([]byte{next()}, int(next()%12))) + string(next()) }
		for steps := 0; len(script) > 0 && steps < 80; steps++ {
			switch next() % 8 {
			case 0, 1:
				k, v := name(), name()
				require.Equal(t, p.put(k, v, false, false), p.Put([]byte(k), []byte(v)))
			case 2:
				k := name()
				require.Equal(t, p.put(k, "", true, false), p.Delete([]byte(k)))
			case 3:
				k := name()
				require.Equal(t, p.put(k, "v", false, true), p.Insert([]byte(k), []byte("v")))
			case 4:
				p.doSavepoint(nil)
			case 5:
				if len(p.marks) > 0 {
					i := int(next()) % len(p.marks)
					require.Equal(t, p.rollback(i), p.RollbackTo(p.marks[i].mark))
				}
			case 6:
				k := name()
				for i := range next() % 48 {
					require.Equal(t, p.put(k+string(rune(i)), "v", false, false), p.Put([]byte(k+string(rune(i))), []byte("v")))
				}
			case 7:
				p.doView(nil)
			}
		}
		p.doView(nil)
		for i := range p.views {
			checkView(t, &p.views[i], ports.KeyRange{Start: []byte(name()), End: []byte(name())})
			checkView(t, &p.views[i], ports.KeyRange{})
		}
	})
}
