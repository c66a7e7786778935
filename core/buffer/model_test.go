package buffer

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// model is a buffer as a child would write it: a map that is copied whole for
// every savepoint and view.
type model struct {
	limits Limits
	now    map[string]modelEntry
	marks  []modelMark
}

type modelEntry struct {
	value    string
	deleted  bool
	inserted bool
}

type modelMark struct {
	mark  Savepoint
	state map[string]modelEntry
	gone  bool
}

type modelView struct {
	view  View
	state map[string]modelEntry
}

func (m *model) size() int {
	n := 0
	for k, e := range m.now {
		n += len(k) + len(e.value)
	}
	return n
}

func (m *model) put(key, value string, deleted, inserted bool) Refusal {
	switch {
	case !deleted && value == "":
		return ValueEmpty
	case key == "":
		return KeyEmpty
	case len(key) > m.limits.Key:
		return KeyTooLarge
	case len(key)+len(value) > m.limits.Entry:
		return EntryTooLarge
	}
	old, found := m.now[key]
	if found && inserted && !old.deleted {
		return KeyExists
	}
	before := m.size()
	next := modelEntry{value, deleted, inserted && !found || old.inserted}
	after := before + len(value) - len(old.value)
	if !found {
		after += len(key)
	}
	if after > m.limits.Total && after > before {
		return TxnTooLarge
	}
	m.now[key] = next
	return Accepted
}

func (m *model) rollback(i int) Refusal {
	if m.marks[i].gone {
		return SavepointGone
	}
	for j := i + 1; j < len(m.marks); j++ {
		m.marks[j].gone = true
	}
	m.now = maps.Clone(m.marks[i].state)
	return Accepted
}

// walk lists the entries of a range in the order of the direction.
func walk(state map[string]modelEntry, rng ports.KeyRange, down bool) []string {
	var keys []string
	for k := range state {
		if rng.Contains([]byte(k)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if down {
		slices.Reverse(keys)
	}
	return keys
}

func checkWalk(t require.TestingT, c Cursor, state map[string]modelEntry, rng ports.KeyRange, down bool) {
	for _, k := range walk(state, rng, down) {
		require.True(t, c.Valid())
		require.Equal(t, k, string(c.Key()))
		e := state[k]
		require.Equal(t, e.value, string(c.Value()))
		require.Equal(t, e.deleted, c.Deleted())
		require.Equal(t, e.deleted, c.Value() == nil)
		require.Equal(t, e.inserted, c.Inserted())
		c.Next()
	}
	require.False(t, c.Valid())
}

func checkView(t require.TestingT, v *modelView, rng ports.KeyRange) {
	require.Equal(t, len(v.state), v.view.Len())
	m := model{now: v.state}
	require.Equal(t, m.size(), v.view.Size())
	checkWalk(t, v.view.Ascend(rng), v.state, rng, false)
	checkWalk(t, v.view.Descend(rng), v.state, rng, true)
}

// checkOverlay walks over a view on top of a snapshot that is fed page by page.
func checkOverlay(t require.TestingT, v *modelView, snapshot map[string]string, rng ports.KeyRange, down bool,
	page int) {
	merged := map[string]modelEntry{}
	for k, value := range snapshot {
		merged[k] = modelEntry{value: value}
	}
	below := walk(merged, rng, down)
	for k, e := range v.state {
		merged[k] = e
		if e.deleted {
			delete(merged, k)
		}
	}
	var o Overlay
	if down {
		o.InitDescending(&v.view, rng)
	} else {
		o.InitAscending(&v.view, rng)
	}
	var got []string
	for {
		kv, want := o.Next()
		if want == WantEnd {
			break
		}
		if want == WantPage {
			n := min(page, len(below))
			var pairs []ports.KV
			for _, k := range below[:n] {
				pairs = append(pairs, ports.KV{Key: []byte(k), Value: []byte(snapshot[k])})
			}
			below = below[n:]
			o.Feed(pairs, len(below) > 0)
			continue
		}
		require.Equal(t, merged[string(kv.Key)].value, string(kv.Value))
		_, written := v.state[string(kv.Key)]
		require.Equal(t, written, o.FromView())
		got = append(got, string(kv.Key))
	}
	require.Equal(t, walk(merged, rng, down), got)
}

var (
	// Keys are drawn so that prefixes of many lengths and both ends of the byte
	// range occur, and so that collisions are frequent.
	genPrefix = rapid.SampledFrom([]string{
		"", "", "t", "table_1_row_", "table_2_row_", "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\xff",
	})
	genKey = rapid.Custom(func(t *rapid.T) string {
		prefix := genPrefix.Draw(t, "prefix")
		return prefix + string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 'c', 0xff}), 0, 4).Draw(t, "rest"))
	})
	genRange = rapid.Custom(func(t *rapid.T) ports.KeyRange {
		return ports.KeyRange{Start: []byte(genKey.Draw(t, "start")), End: []byte(genKey.Draw(t, "end"))}
	})
	genValue = rapid.Custom(func(t *rapid.T) string {
		return string(bytes.Repeat([]byte{'v'}, rapid.IntRange(0, 9).Draw(t, "size")))
	})
)

// pair is a buffer with the model that it must agree with.
type pair struct {
	*Buffer
	model
	views []modelView
}

func TestBufferAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Key: 18, Entry: 24, Total: rapid.SampledFrom([]int{300, 1 << 20}).Draw(t, "total")}
		p := &pair{Buffer: new(Buffer), model: model{limits: limits, now: map[string]modelEntry{}}}
		p.Reset(limits)
		t.Repeat(map[string]func(*rapid.T){
			"put": p.doPut, "run": p.doRun, "insert": p.doInsert, "delete": p.doDelete, "get": p.doGet,
			"savepoint": p.doSavepoint, "rollback": p.doRollback, "reset": p.doReset,
			"view": p.doView, "look": p.doLook, "overlay": p.doOverlay,
			"": func(t *rapid.T) {
				require.Equal(t, len(p.now), p.Len())
				require.Equal(t, p.model.size(), p.Size())
			},
		})
		p.doView(t)
		for i := range p.views {
			checkView(t, &p.views[i], ports.KeyRange{})
		}
	})
}

func (p *pair) doPut(t *rapid.T) {
	key, value := genKey.Draw(t, "key"), genValue.Draw(t, "value")
	require.Equal(t, p.put(key, value, false, false), p.Put([]byte(key), []byte(value)))
}

// doRun fills nodes, in order or against it.
func (p *pair) doRun(t *rapid.T) {
	prefix := genKey.Draw(t, "prefix")
	step := rapid.SampledFrom([]int{1, -1, 7}).Draw(t, "step")
	for i := range rapid.IntRange(1, 150).Draw(t, "n") {
		key := prefix + string([]byte{byte(i * step)})
		require.Equal(t, p.put(key, "v", false, false), p.Put([]byte(key), []byte("v")))
	}
}

func (p *pair) doInsert(t *rapid.T) {
	key, value := genKey.Draw(t, "key"), genValue.Draw(t, "value")
	require.Equal(t, p.put(key, value, false, true), p.Insert([]byte(key), []byte(value)))
}

func (p *pair) doDelete(t *rapid.T) {
	key := genKey.Draw(t, "key")
	require.Equal(t, p.put(key, "", true, false), p.Delete([]byte(key)))
}

func (p *pair) doGet(t *rapid.T) {
	key := genKey.Draw(t, "key")
	value, state := p.Get([]byte(key))
	e, found := p.now[key]
	require.Equal(t, e.value, string(value))
	require.Equal(t, found && !e.deleted, state == Present)
	require.Equal(t, found && e.deleted, state == Deleted)
	require.Equal(t, state == Present, value != nil)
}

func (p *pair) doSavepoint(*rapid.T) {
	p.marks = append(p.marks, modelMark{p.Savepoint(), maps.Clone(p.now), false})
}

func (p *pair) doRollback(t *rapid.T) {
	if len(p.marks) == 0 {
		return
	}
	i := rapid.IntRange(0, len(p.marks)-1).Draw(t, "mark")
	require.Equal(t, p.rollback(i), p.RollbackTo(p.marks[i].mark))
}

func (p *pair) doReset(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
		return
	}
	p.Reset(p.model.limits)
	p.now = map[string]modelEntry{}
	for i := range p.marks {
		p.marks[i].gone = true
	}
}

func (p *pair) doView(*rapid.T) {
	p.views = append(p.views, modelView{p.View(), maps.Clone(p.now)})
}

func (p *pair) doLook(t *rapid.T) {
	if len(p.views) == 0 {
		return
	}
	v := &p.views[rapid.IntRange(0, len(p.views)-1).Draw(t, "view")]
	checkView(t, v, genRange.Draw(t, "range"))
}

func (p *pair) doOverlay(t *rapid.T) {
	snapshot := rapid.MapOfN(genKey, rapid.Just("below"), 0, 20).Draw(t, "snapshot")
	v := modelView{p.View(), p.now}
	checkOverlay(t, &v, snapshot, genRange.Draw(t, "range"), rapid.Bool().Draw(t, "down"),
		rapid.IntRange(1, 5).Draw(t, "page"))
}
