package explore

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// layout is how the key space is cut into regions and who leads them. Immutable, and kept once each. It is also the
// view of a region table, one whose entries never expire.
type layout struct {
	id          uint32
	fingerprint uint64
	regions     []ports.Region
	entries     []*sm.Region
}

// Find implements [sm.RegionView].
func (l *layout) Find(key []byte, _ ports.Instant) *sm.Region {
	for _, r := range l.entries {
		if r.Range.Contains(key) {
			return r
		}
	}
	return nil
}

// FindByEnd implements [sm.RegionView].
func (l *layout) FindByEnd(end []byte, _ ports.Instant) *sm.Region {
	for _, r := range l.entries {
		if len(r.Range.End) == 0 || len(end) > 0 && bytes.Compare(end, r.Range.End) <= 0 {
			return r
		}
	}
	return nil
}

// storeCount is the number of stores. They are always reachable.
const storeCount = 2

type storeView [storeCount]sm.Store

func newStoreView() *storeView {
	var v storeView
	for i := range v {
		v[i].ID, v[i].Address = ports.StoreID(i+1), "store"+string(rune('1'+i))
	}
	return &v
}

// Store implements [sm.StoreView].
func (v *storeView) Store(id ports.StoreID) *sm.Store {
	if id < 1 || id > storeCount {
		return nil
	}
	return &v[id-1]
}

// noStatuses is the cache of clients that remember nothing.
type noStatuses struct{}

// Status implements [sm.TxnView].
func (noStatuses) Status(ports.Timestamp) (sm.TxnStatus, bool) { return sm.TxnStatus{}, false }

// firstLayout cuts the key space at bounds.
func (x *Explorer) firstLayout() *layout {
	var regions []ports.Region
	var start []byte
	for i := 0; i <= len(x.config.Bounds); i++ {
		r := ports.Region{Range: ports.KeyRange{Start: start}}
		if i < len(x.config.Bounds) {
			start = mvcc.AppendEncoded(nil, []byte(x.config.Bounds[i]))
			r.Range.End = start
		}
		r.ID, r.Epoch = ports.RegionID(i+1), ports.Epoch{ConfVer: 1, Version: 1}
		r.Peers = x.peers(r.ID, i)
		r.Leader = r.Peers[0].ID
		regions = append(regions, r)
	}
	return x.layout(regions)
}

// peers makes the peers of a region, the first on the store that takes its turn.
func (x *Explorer) peers(id ports.RegionID, turn int) []ports.Peer {
	var list []ports.Peer
	for i := range max(1, x.config.Peers) {
		list = append(list, ports.Peer{
			ID: ports.PeerID(10*uint64(id) + uint64(i)), Store: ports.StoreID((turn+i)%storeCount + 1),
		})
	}
	return list
}

// layout returns the one layout with these regions.
func (x *Explorer) layout(regions []ports.Region) *layout {
	fingerprint := digestText(identity(regions))
	if l := x.layouts[fingerprint]; l != nil {
		return l
	}
	l := &layout{id: uint32(len(x.layouts)), fingerprint: fingerprint, regions: regions}
	for _, r := range regions {
		entry := &sm.Region{Region: r, Expiry: ports.Never}
		entry.Leading = slices.IndexFunc(r.Peers, func(p ports.Peer) bool { return p.ID == r.Leader })
		l.entries = append(l.entries, entry)
	}
	x.layouts[fingerprint] = l
	return l
}

// find returns the index of a region, -1 when there is none.
func (l *layout) find(id ports.RegionID) int {
	return slices.IndexFunc(l.regions, func(r ports.Region) bool { return r.ID == id })
}

// newer reports whether the region that holds a key is newer than, or another than, a version.
func (l *layout) newer(key []byte, than ports.RegionVersion) bool {
	r := l.Find(key, 0)
	return r.ID != than.ID || r.Epoch.Newer(than.Epoch)
}

// split cuts the region that holds a key; nil when there is nothing to cut. The new region takes the lower half, and
// its leader is on the same store (raftstore: store/fsm/apply.rs: exec_batch_split).
func (x *Explorer) split(l *layout, at string) *layout {
	bound := mvcc.AppendEncoded(nil, []byte(at))
	i := slices.IndexFunc(l.regions, func(r ports.Region) bool { return r.Range.Contains(bound) })
	old := l.regions[i]
	if string(old.Range.Start) == string(bound) {
		return nil
	}
	lower := old
	lower.ID = ports.RegionID(len(l.regions) + 1)
	lower.Peers = slices.Clone(old.Peers)
	for p := range lower.Peers {
		lower.Peers[p].ID = ports.PeerID(10*uint64(lower.ID) + uint64(p))
		if old.Peers[p].ID == old.Leader {
			lower.Leader = lower.Peers[p].ID
		}
	}
	old.Epoch.Version++
	lower.Epoch.Version++
	lower.Range.End, old.Range.Start = bound, bound
	regions := slices.Clone(l.regions)
	regions[i] = old
	return x.layout(slices.Insert(regions, i, lower))
}

// transfer makes the other peer of a region its leader.
func (x *Explorer) transfer(l *layout, region int) *layout {
	regions := slices.Clone(l.regions)
	r := &regions[region]
	for _, p := range r.Peers {
		if p.ID != l.regions[region].Leader {
			r.Leader = p.ID
		}
	}
	return x.layout(regions)
}
