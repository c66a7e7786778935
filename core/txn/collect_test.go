package txn

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/ports"
)

// TestCollectKinds is the table of what each history of a key has to prewrite.
func TestCollectKinds(t *testing.T) {
	for _, c := range []struct {
		history []string
		want    ports.LockKind
	}{
		{[]string{"put k 1"}, ports.KindPut},
		{[]string{"put k 1", "put k 2"}, ports.KindPut},
		{[]string{"delete k"}, ports.KindDelete},
		{[]string{"put k 1", "delete k"}, ports.KindDelete},
		{[]string{"insert k 1"}, ports.KindInsert},
		{[]string{"insert k 1", "put k 2"}, ports.KindInsert},
		{[]string{"insert k 1", "delete k"}, ports.KindCheckNotExists},
		{[]string{"insert k 1", "delete k", "put k 2"}, ports.KindInsert},
		{[]string{"delete k", "insert k 1"}, ports.KindPut},
	} {
		v := view(t, c.history...)
		w := collect(&v)
		require.Len(t, w.mutations, 1, c.history)
		require.Equal(t, c.want, w.mutations[0].Kind, c.history)
		require.Equal(t, "k", string(w.mutations[0].Key))
	}
}

func TestCollectPrimary(t *testing.T) {
	for _, c := range []struct {
		name    string
		lines   []string
		primary int
		locked  []string
	}{
		{"the smallest key", []string{"put b 1", "put a 1"}, 0, []string{"a", "b"}},
		{"a deletion is a write", []string{"delete a", "put b 1"}, 0, []string{"a", "b"}},
		{"not one that is only checked", []string{"insert a 1", "delete a", "put b 1", "put c 1"}, 1, []string{"b", "c"}},
		{"unless all are", []string{"insert a 1", "delete a", "insert b 1", "delete b"}, 0, nil},
		{"a check in between", []string{"put a 1", "insert b 1", "delete b", "put c 1"}, 0, []string{"a", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := view(t, c.lines...)
			w := collect(&v)
			require.Equal(t, c.primary, w.primary)
			require.Len(t, w.locked, len(c.locked))
			for i, k := range c.locked {
				require.Equal(t, k, string(w.locked[i]))
			}
		})
	}
	require.Zero(t, collect(&buffer.View{}))
}

// TestCollectProperty compares collect with the newest write of each key, kept in a
// map.
func TestCollectProperty(t *testing.T) {
	type entry struct {
		value    string
		inserted bool
	}
	rapid.Check(t, func(t *rapid.T) {
		var b buffer.Buffer
		model := map[string]entry{}
		for range rapid.IntRange(0, 30).Draw(t, "writes") {
			k := fmt.Sprintf("k%02d", rapid.IntRange(0, 12).Draw(t, "key"))
			switch rapid.IntRange(0, 2).Draw(t, "verb") {
			case 0:
				b.Put([]byte(k), []byte("v"))
				model[k] = entry{"v", model[k].inserted}
			case 1:
				old, written := model[k]
				if b.Insert([]byte(k), []byte("w")) == buffer.Accepted {
					model[k] = entry{"w", !written || old.inserted}
				}
			case 2:
				b.Delete([]byte(k))
				model[k] = entry{"", model[k].inserted}
			}
		}
		v := b.View()
		w := collect(&v)
		if len(w.mutations) != len(model) || len(w.keys) != len(model) {
			t.Fatalf("%d mutations for %d keys", len(w.mutations), len(model))
		}
		size, locked := 0, 0
		for i, m := range w.mutations {
			e := model[string(m.Key)]
			want := map[[2]bool]ports.LockKind{
				{true, true}: ports.KindInsert, {true, false}: ports.KindPut,
				{false, true}: ports.KindCheckNotExists, {false, false}: ports.KindDelete,
			}[[2]bool{e.value != "", e.inserted}]
			if m.Kind != want || string(m.Value) != e.value || string(w.keys[i]) != string(m.Key) {
				t.Fatalf("%s: kind %d, want %d", m.Key, m.Kind, want)
			}
			if i > 0 && string(w.keys[i-1]) >= string(m.Key) {
				t.Fatalf("%s after %s", m.Key, w.keys[i-1])
			}
			size += len(m.Key) + len(m.Value)
			if m.Kind != ports.KindCheckNotExists {
				if string(w.locked[locked]) != string(m.Key) {
					t.Fatalf("%s is not among the locked", m.Key)
				}
				if locked == 0 && w.primary != i {
					t.Fatalf("primary %d, want %d", w.primary, i)
				}
				locked++
			}
		}
		if size != w.size || locked != len(w.locked) {
			t.Fatalf("size %d, want %d; %d locked, want %d", w.size, size, len(w.locked), locked)
		}
	})
}
