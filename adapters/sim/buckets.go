package sim

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// bucketing is how a region's leader cuts the region into buckets.
//
//	none ──▶ worked out ──▶ worked out under a higher version, if a bound has changed
//	  ▲          │
//	  └──────────┘ the region is split, takes a neighbour's range, or another peer leads
//
// PD hears of buckets apart from regions, and goes on telling of those that it has heard of, whatever bounds the region
// has by then.
type bucketing struct {
	// current is nil while there are none. It is never changed.
	current *ports.Buckets
	// last is the version of those that were there last, so that versions never go back
	// (raftstore: store/worker/split_check.rs: BucketStatsInfo).
	last uint64
}

// bucketTime is the unit of the time between two looks at a region's buckets, and until PD hears of them. TiKV takes
// 10 s for each (split-region-check-tick-interval, report-region-buckets-tick-interval).
const bucketTime = ports.Instant(5 * time.Millisecond)

func (w *World) bucketPause() ports.Instant {
	return bucketTime * ports.Instant(1+w.choose(SiteBuckets, 16))
}

// bucketsLater plans when a leader looks at its region's buckets next.
func (w *World) bucketsLater() {
	if w.config.BucketKeys == 0 || w.healed {
		return
	}
	w.After(w.now+w.bucketPause(), func() {
		if !w.healed {
			w.RefreshBuckets(w.regions.ordered[w.choose(SiteVictim, len(w.regions.ordered))].ID)
			w.bucketsLater()
		}
	})
}

// RefreshBuckets lets a region's leader work out the region's buckets now, and report them to PD some time later.
// False: the cluster has none ([Config.BucketKeys]), or the region has no leader that could.
func (w *World) RefreshBuckets(id ports.RegionID) bool {
	r := w.regions.byID[id]
	if r == nil || w.config.BucketKeys == 0 {
		return false
	}
	if _, led := w.serving(r); !led {
		return false
	}
	b := &r.buckets
	if keys, changed := cutBuckets(b.current, r.Range, w.keysIn(r.Range), w.config.BucketKeys); changed {
		b.last = nextBucketVersion(r.term, b.last)
		b.current = &ports.Buckets{Version: b.last, Keys: keys}
		w.note(noteBuckets, uint64(r.ID), b.last, uint64(len(keys)))
	}
	w.After(w.now+w.bucketPause(), func() { w.reportBuckets(r) })
	return true
}

// Buckets returns a region's buckets as its leader has them, nil when it has none; PD may know others. Nothing of them
// may be changed.
func (w *World) Buckets(id ports.RegionID) *ports.Buckets {
	if r := w.regions.byID[id]; r != nil {
		return r.buckets.current
	}
	return nil
}

// nextBucketVersion returns the version that follows: the leader's term, and a counter that begins anew with each
// (raftstore: store/util.rs: gen_bucket_version).
func nextBucketVersion(term, last uint64) uint64 {
	if last>>32 == term {
		return last + 1
	}
	return term << 32
}

// cutBuckets returns the bounds of buckets that hold about size keys, given those that there are, and whether they are
// others. Bounds stay where they are, but for two rules (raftstore: store/worker/split_check.rs: init_buckets,
// update_buckets): a bucket of twice the size is cut evenly (coprocessor/split_check/mod.rs: approximate_bucket_keys),
// and one of at most a third becomes part of the one before (region-bucket-merge-size-ratio), if the two are smaller
// than twice the size. TiKV looks only at buckets that much was written to; here everyone is looked at.
func cutBuckets(old *ports.Buckets, bounds ports.KeyRange, data [][]byte, size int) (keys [][]byte, changed bool) {
	if old == nil {
		keys = append([][]byte{bounds.Start}, cuts(data, size)...)
		return append(keys, bounds.End), true
	}
	inner := old.Keys[1 : len(old.Keys)-1]
	keys = append(keys, bounds.Start)
	before := 0
	for i := range len(inner) + 1 {
		held := data
		if i < len(inner) {
			end := sort.Search(len(data), func(n int) bool { return bytes.Compare(data[n], inner[i]) >= 0 })
			held, data = data[:end], data[end:]
		}
		at := cuts(held, size)
		if i > 0 && len(at) == 0 && 3*len(held) <= size && before+len(held) < 2*size {
			before += len(held)
			changed = true
			continue
		}
		if i > 0 {
			keys = append(keys, inner[i-1])
		}
		keys = append(keys, at...)
		before = len(held) / (len(at) + 1)
		changed = changed || len(at) > 0
	}
	return append(keys, bounds.End), changed
}

// cuts returns the keys at which data is cut into even parts of at least size keys, none if there is only one part.
func cuts(data [][]byte, size int) [][]byte {
	var at [][]byte
	parts := len(data) / size
	for i := 1; i < parts; i++ {
		at = append(at, data[i*len(data)/parts])
	}
	return at
}

// keysIn returns the keys in a range of PD's key space that hold data, in that space.
func (w *World) keysIn(r ports.KeyRange) [][]byte {
	n, key := w.engine.Len(), w.engine.KeyAt
	if w.config.RawKeys {
		n, key = w.engine.RawLen(), w.engine.RawKeyAt
	}
	var list [][]byte
	for i := range n {
		if k := w.bound(key(i)); r.Contains(k) {
			list = append(list, k)
		}
	}
	return list
}

// forgetBuckets takes away a region's buckets, because they do not fit it any more (raftstore: store/peer.rs:
// post_split; store/fsm/peer.rs: on_ready_commit_merge), or because a peer leads that does not have them. That one may
// have buckets of its own, but under a version of the term in which it came to be, which PD does not take.
func (r *region) forgetBuckets() { r.buckets.current = nil }

// reportBuckets brings a region's buckets to PD, which takes them if they are newer than those that it has, and if it
// knows the region (raftstore: store/fsm/peer.rs: on_report_region_buckets_tick; PD: server/cluster/cluster.go:
// processRegionBuckets, pkg/core/region.go: CompareAndSetReportBuckets).
func (w *World) reportBuckets(r *region) {
	_, led := w.serving(r)
	if b := r.buckets.current; led && b != nil && w.regions.byID[r.ID] == r && !w.pd.silent && !w.pd.refusing {
		w.hearBuckets(r.ID, b)
	}
}

func (w *World) hearBuckets(id ports.RegionID, b *ports.Buckets) {
	d := &w.pd
	known := d.known[len(d.known)-1].regions
	if !slices.ContainsFunc(known, func(r ports.Region) bool { return r.ID == id }) {
		return
	}
	if d.buckets == nil {
		d.buckets = map[ports.RegionID]*ports.Buckets{}
	}
	if old := d.buckets[id]; old == nil || old.Version < b.Version {
		d.buckets[id] = b
		w.note(noteBucketsKnown, uint64(id), b.Version, 0)
	}
}

// keepBuckets lets PD forget the buckets of regions that are gone. Those that are there keep theirs, even with other
// bounds (PD: pkg/core/region.go: Inherit).
func (d *driver) keepBuckets(regions []ports.Region) {
	if len(d.buckets) == 0 {
		return
	}
	kept := map[ports.RegionID]*ports.Buckets{}
	for i := range regions {
		if b := d.buckets[regions[i].ID]; b != nil {
			kept[regions[i].ID] = b
		}
	}
	d.buckets = kept
}

// bucketsOf returns the buckets of regions as PD tells them, which its followers do not (PD: server/grpc_service.go:
// GetRegion).
func (d *driver) bucketsOf(regions []ports.Region, leads bool) []*ports.Buckets {
	list := make([]*ports.Buckets, len(regions))
	for i := range list {
		if leads {
			list[i] = d.buckets[regions[i].ID]
		}
	}
	return list
}
