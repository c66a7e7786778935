package smtest

import (
	"bytes"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Regions is a region view that never changes: a plain list.
type Regions []*sm.Region

// Find implements [sm.RegionView].
func (v Regions) Find(key []byte, now ports.Instant) *sm.Region {
	for _, r := range v {
		if r.Expiry > now && r.Range.Contains(key) {
			return r
		}
	}
	return nil
}

// FindByEnd implements [sm.RegionView].
func (v Regions) FindByEnd(end []byte, now ports.Instant) *sm.Region {
	for _, r := range v {
		open := len(r.Range.End) == 0
		if r.Expiry <= now || len(end) == 0 && !open {
			continue
		}
		if len(end) == 0 || bytes.Compare(r.Range.Start, end) < 0 && (open || bytes.Compare(end, r.Range.End) <= 0) {
			return r
		}
	}
	return nil
}

// Stores is a store view that never changes: a plain list.
type Stores []*sm.Store

// Store implements [sm.StoreView].
func (v Stores) Store(id ports.StoreID) *sm.Store {
	for _, s := range v {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// Entry makes a region table's entry that never expires from the text that
// [ParseRegion] reads. It panics when the text is wrong: that is the test's fault.
func Entry(text string) *sm.Region {
	r, err := ParseRegion(text)
	if err != nil {
		panic(err)
	}
	e := &sm.Region{Region: r, Expiry: ports.Never}
	for i, p := range r.Peers {
		if p.ID == r.Leader {
			e.Leading = i
		}
	}
	return e
}

// Up makes entries of reachable stores, at the address that their number gives.
func Up(ids ...ports.StoreID) Stores {
	var v Stores
	for _, id := range ids {
		v = append(v, &sm.Store{Store: ports.Store{ID: id, Address: "store" + string(rune('0'+id%10))}})
	}
	return v
}

// Txns is a view of final transaction statuses that never changes: a plain map.
type Txns map[ports.Timestamp]sm.TxnStatus

// Status implements [sm.TxnView].
func (v Txns) Status(start ports.Timestamp) (sm.TxnStatus, bool) {
	s, ok := v[start]
	return s, ok
}
