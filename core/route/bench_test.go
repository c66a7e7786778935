package route

import (
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// rowBound is the bound of a region of table rows: 't', table id, "_r", row id, as an
// SQL layer cuts them, encoded for PD.
func rowBound(i int) []byte {
	b := append([]byte{'t'}, make([]byte, 8)...)
	binary.BigEndian.PutUint64(b[1:], uint64(i/1000))
	b = append(b, "_r"...)
	b = binary.BigEndian.AppendUint64(b, uint64(i%1000)<<20)
	return key.AppendMemcomparable(nil, b)
}

// rowRegion is a region with three peers as a load brings it: all memory is its own.
func rowRegion(i int) ports.Region {
	id := uint64(4 * (i + 1))
	return ports.Region{
		RegionVersion: ports.RegionVersion{ID: ports.RegionID(id), Epoch: ports.Epoch{ConfVer: 5, Version: 10}},
		Range:         ports.KeyRange{Start: rowBound(i), End: rowBound(i + 1)},
		Peers: []ports.Peer{
			{ID: ports.PeerID(id + 1), Store: ports.StoreID(1 + i%9)},
			{ID: ports.PeerID(id + 2), Store: ports.StoreID(1 + (i+1)%9)},
			{ID: ports.PeerID(id + 3), Store: ports.StoreID(1 + (i+2)%9)}},
		Leader: ports.PeerID(id + 1),
	}
}

// fill makes a table of n regions, loaded in key order by pages of 128.
func fill(n int) *bench {
	b := newBench(&RegionTable{})
	t := b.m.(*RegionTable)
	for i := range n {
		r := rowRegion(i)
		t.insert(&b.env, b.now, &r, r.Leader)
		if i%128 == 127 {
			t.View()
		}
	}
	return b
}

// TestRegionTableMemory: a region costs at most 300 bytes, keys included.
func TestRegionTableMemory(t *testing.T) {
	const n = 100_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b := fill(n)
	perRegion := float64(heap()-before) / n
	require.Equal(t, n, b.m.(*RegionTable).Len())
	t.Logf("%.0f bytes a region", perRegion)
	require.Less(t, perRegion, 300.0)
}

// BenchmarkRegionTable measures a table of a million regions: what an update costs with
// the view that is taken after it, and what a look-up does.
func BenchmarkRegionTable(b *testing.B) {
	const n = 1_000_000
	bench := fill(n)
	t := bench.m.(*RegionTable)
	at := func(i int) int { return int(uint64(i) * 0x9E3779B97F4A7C15 % n) }
	b.Run("leader", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			r := rowRegion(at(i))
			fact := &ports.Fact{Kind: ports.FactLeader, Region: r.RegionVersion, Key: r.Range.Start, Peer: r.Peers[1+i&1]}
			bench.feed(ports.Event{Kind: ports.EventLearn, Fact: fact})
			t.View()
		}
	})
	b.Run("split", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			r := rowRegion(at(i))
			left, right := r, r
			middle := append(r.Range.Start[:len(r.Range.Start):len(r.Range.Start)], 1)
			left.Range.End, right.Range.Start = middle, middle
			left.Epoch.Version += uint64(1 + i/n)
			right.Epoch.Version, right.ID = left.Epoch.Version, r.ID+1
			fact := &ports.Fact{Kind: ports.FactEpoch, Region: r.RegionVersion, Key: r.Range.Start,
				Regions: []ports.Region{left, right}, Store: r.Peers[0].Store}
			bench.feed(ports.Event{Kind: ports.EventLearn, Fact: fact})
			t.View()
		}
	})
	b.Run("find", func(b *testing.B) {
		b.ReportAllocs()
		view, keys := t.View(), make([][]byte, 1<<14)
		for i := range keys {
			keys[i] = rowBound(at(i))
		}
		b.ResetTimer()
		for i := range b.N {
			if view.Find(keys[i%len(keys)], bench.now) == nil {
				b.Fatal("not found")
			}
		}
	})
}

// BenchmarkCall measures a call that is served at once, without its parent.
func BenchmarkCall(b *testing.B) {
	bench := fill(1000)
	stores := sm.StoreView(&storeView{})
	for id := range ports.StoreID(10) {
		stores.(*storeView).stores = append(stores.(*storeView).stores, &sm.Store{Store: storeMeta(id)})
	}
	bench.env.Regions, bench.env.Stores = bench.m.(*RegionTable).View(), stores
	bench.env.Codec = key.Codec{}
	var c Call
	req, reply := &ports.GetRequest{}, &ports.GetReply{}
	user := []byte("t\x00\x00\x00\x00\x00\x00\x00\x00_r\x00\x00\x00\x00\x01")
	b.ReportAllocs()
	for range b.N {
		bench.out.Reset()
		c.Start(&bench.env, bench.now, Spec{Key: user, Deadline: ports.Never}, &bench.out)
		c.Send(&bench.env, bench.now, req, &bench.out)
		ev := ports.Event{Kind: ports.EventReply, Tok: ports.Tok{Gen: c.wait}, Now: bench.now, Reply: reply}
		c.Step(&bench.env, &ev, &bench.out)
		if c.Result().Kind != Replied || !c.Done() {
			b.Fatal(c.String())
		}
	}
}

// BenchmarkGroups splits 10,000 keys over 1,000 regions that are known.
func BenchmarkGroups(b *testing.B) {
	bench := fill(1000)
	bench.env.Regions, bench.env.Codec = bench.m.(*RegionTable).View(), key.Codec{}
	keys := make([][]byte, 10_000)
	for i := range keys {
		keys[i] = binary.BigEndian.AppendUint64([]byte("t\x00\x00\x00\x00\x00\x00\x00\x00_r"), uint64(i)<<20/10)
	}
	var g Groups
	b.ReportAllocs()
	for range b.N {
		g.Start(&bench.env, bench.now, keys, ports.RegionVersion{}, ports.Never, &bench.out)
		if !g.Done() || len(g.List()) != 1000 {
			b.Fatal(g.String())
		}
	}
}
