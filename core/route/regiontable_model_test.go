package route

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// TestRegionTableAgainstCells compares the table with an array that says for each of
// a few cells of the key space which region holds it.
func TestRegionTableAgainstCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { againstCells(t, 8, 40) })
}

// TestRegionTableChunks does the same with as many regions as fill several chunks.
func TestRegionTableChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { againstCells(t, 6*chunkSize, 8) })
}

func againstCells(t *rapid.T, cells, steps int) {
	m := newCellModel(t, cells)
	for range steps {
		m.step()
		m.check()
	}
	// Views are as they were when they were taken.
	for _, v := range m.views {
		m.compare(v.view, v.cells, v.now)
	}
}

// cellModel is the dumb table. Cell i holds the keys from bound i to bound i+1; the
// first bound is open, and so is the last.
type cellModel struct {
	*bench
	t     *rapid.T
	table *RegionTable
	cells []*cell
	views []cellView
	ids   ports.RegionID
}

type cell struct {
	version ports.RegionVersion
	leader  ports.StoreID
	expiry  ports.Instant
	gone    bool
}

// cellView is a view with what it must show for ever.
type cellView struct {
	view  sm.RegionView
	cells []cell
	now   ports.Instant
}

func newCellModel(t *rapid.T, cells int) *cellModel {
	table := &RegionTable{}
	m := &cellModel{bench: newBench(table), t: t, table: table, cells: make([]*cell, cells), ids: 1}
	m.env.Knobs.RegionTTLJitter = 0
	if cells > 100 {
		// A table with gaps to begin with, filled in key order as loads do it, so that
		// its chunks are full.
		for i := 0; i < cells; i += 2 {
			m.insert(i, i+1, ports.RegionVersion{ID: m.ids, Epoch: ports.Epoch{ConfVer: 1, Version: 1}}, 1)
			m.ids++
		}
	}
	return m
}

func (m *cellModel) bound(i int) []byte {
	if i == 0 || i == len(m.cells) {
		return nil
	}
	return fmt.Appendf(nil, "k%05d", i)
}

func (m *cellModel) step() {
	switch rapid.IntRange(0, 9).Draw(m.t, "action") {
	case 0:
		m.now = m.now.Add(rapid.SampledFrom([]time.Duration{time.Second, newerTime, m.env.Knobs.RegionTTL}).Draw(m.t, "time"))
	case 1:
		m.fact(ports.FactRegionGone)
	case 2:
		m.fact(ports.FactLeader)
	case 3:
		m.sweep()
	case 4:
		m.views = append(m.views, cellView{m.table.View(), m.shown(), m.now})
	default:
		from := rapid.OneOf(rapid.IntRange(0, len(m.cells)-1), rapid.SampledFrom(m.borders())).Draw(m.t, "from")
		size := rapid.IntRange(1, min(len(m.cells)-from, rapid.SampledFrom([]int{1, 3, len(m.cells)}).Draw(m.t, "most")))
		m.insert(from, from+size.Draw(m.t, "size"), m.anyVersion(), rapid.Uint64Range(0, 2).Draw(m.t, "store"))
	}
}

// borders are the cells on both sides of where the first chunks of a table with gaps
// meet.
func (m *cellModel) borders() []int {
	list := []int{0}
	for i := 2 * chunkSize; i < len(m.cells)-1; i += 2 * chunkSize {
		list = append(list, i-1, i, i+1)
	}
	return list
}

// anyVersion draws versions near those that are there.
func (m *cellModel) anyVersion() ports.RegionVersion {
	small := rapid.Uint64Range(1, 4)
	v := ports.RegionVersion{Epoch: ports.Epoch{ConfVer: small.Draw(m.t, "conf"), Version: small.Draw(m.t, "version")}}
	if c := m.anyCell(); c != nil && rapid.Bool().Draw(m.t, "known") {
		v.ID, v.Epoch.Version = c.version.ID, c.version.Epoch.Version+small.Draw(m.t, "grown")-2
		return v
	}
	m.ids++
	v.ID = m.ids
	return v
}

func (m *cellModel) anyCell() *cell {
	return m.cells[rapid.IntRange(0, len(m.cells)-1).Draw(m.t, "cell")]
}

// insert takes over a region as a store knows it: nothing newer may overlap it. Whoever tells of it leads it or, when
// that is none of its peers, the first of them.
func (m *cellModel) insert(from, to int, v ports.RegionVersion, store uint64) {
	r := ports.Region{RegionVersion: v, Range: ports.KeyRange{Start: m.bound(from), End: m.bound(to)},
		Peers: []ports.Peer{{ID: 1, Store: 1}, {ID: 2, Store: 2}}}
	m.feed(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{
		Kind: ports.FactEpoch, Key: r.Range.Start, Regions: []ports.Region{r}, Store: ports.StoreID(store)}})
	for _, old := range m.cells[from:to] {
		if old == nil || old.expiry <= m.now {
			continue
		}
		newer := old.version.Epoch.Version > v.Epoch.Version ||
			old.version.ID == v.ID && old.version.Epoch.ConfVer > v.Epoch.ConfVer
		if newer || old.version == v && !old.gone {
			return
		}
		if old.version == v {
			break
		}
	}
	c := &cell{version: v, leader: ports.StoreID(max(store, 1)), expiry: m.now.Add(m.env.Knobs.RegionTTL)}
	for i := from; i < to; i++ {
		if m.cells[i] != nil {
			m.remove(m.cells[i])
		}
	}
	for i := from; i < to; i++ {
		m.cells[i] = c
	}
}

// remove takes an entry out of all its cells.
func (m *cellModel) remove(old *cell) {
	for i, c := range m.cells {
		if c == old {
			m.cells[i] = nil
		}
	}
}

// fact feeds a fact about an entry, or about a version that is not there.
func (m *cellModel) fact(kind ports.FactKind) {
	at := rapid.IntRange(0, len(m.cells)-1).Draw(m.t, "cell")
	c := m.cells[at]
	f := &ports.Fact{Kind: kind, Key: m.bound(at), Peer: ports.Peer{ID: 2, Store: 2}}
	strange := rapid.Bool().Draw(m.t, "strange")
	if c != nil {
		f.Region = c.version
	}
	if strange {
		f.Region.Epoch.ConfVer += 7
	}
	m.feed(ports.Event{Kind: ports.EventLearn, Fact: f})
	switch {
	case c == nil || strange:
	case kind == ports.FactRegionGone && !c.gone:
		c.gone, c.expiry = true, min(c.expiry, m.now.Add(newerTime))
	case kind == ports.FactLeader:
		if c.gone {
			c.gone, c.expiry = false, m.now.Add(m.env.Knobs.RegionTTL)
		}
		c.leader = 2
	}
}

// sweep renews every entry, or none. In a full table chunks that swallow others may
// hide some from a sweep, so that there nothing is renewed.
func (m *cellModel) sweep() {
	ev := ports.Event{Kind: ports.EventSweep}
	used := len(m.cells) < 100 && rapid.Bool().Draw(m.t, "used")
	if used {
		ev.Marks = []uint64{^uint64(0)}
	}
	m.feed(ev)
	for _, c := range m.cells {
		switch {
		case c == nil:
		case c.expiry <= m.now:
			m.remove(c)
		case used && !c.gone:
			c.expiry = m.now.Add(m.env.Knobs.RegionTTL)
		}
	}
}

func (m *cellModel) shown() []cell {
	list := make([]cell, len(m.cells))
	for i, c := range m.cells {
		if c != nil && !c.gone {
			list[i] = *c
		}
	}
	return list
}

func (m *cellModel) check() {
	m.compare(m.table.View(), m.shown(), m.now)
	count, last := 0, []byte(nil)
	slots := map[uint32]bool{}
	for i, c := range m.table.index.chunks {
		require.NotEmpty(m.t, c.regions)
		require.LessOrEqual(m.t, len(c.regions), chunkSize)
		for j, r := range c.regions {
			switch {
			case count > 0 && (len(last) == 0 || bytes.Compare(last, r.Range.Start) > 0):
				m.t.Fatalf("entry %d/%d overlaps the one before", i, j)
			case slots[r.Slot] || r.Slot >= m.table.slots:
				m.t.Fatalf("slot %d of entry %d/%d is not its own", r.Slot, i, j)
			}
			slots[r.Slot] = true
			last = r.Range.End
			count++
		}
	}
	require.Equal(m.t, count, m.table.Len())
	require.Equal(m.t, int(m.table.slots), count+len(m.table.free), "slots are in use or free")
}

// compare looks every cell up, from its start and from its end.
func (m *cellModel) compare(view sm.RegionView, cells []cell, now ports.Instant) {
	for i, c := range cells {
		key := m.bound(i)
		for _, r := range []*sm.Region{
			view.Find(key, now), view.Find(append(key, 0), now), view.FindByEnd(m.bound(i+1), now),
		} {
			switch live := c.version.ID != 0 && c.expiry > now; {
			case !live && r == nil:
			case live != (r != nil), r.RegionVersion != c.version, r.Peers[r.Leading].Store != c.leader, r.Expiry != c.expiry:
				m.t.Fatalf("cell %d: %v, want %v", i, r, c)
			}
		}
	}
}
