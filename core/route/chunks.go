package route

import (
	"bytes"
	"slices"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// chunkSize is the number of entries at which a chunk is full. An update copies one
// chunk and the list of chunks: 8 KiB of pointers each in a table of a million regions,
// which is where the sum of both is least.
const chunkSize = 1024

// chunk is a run of entries in key order.
type chunk struct {
	// owner is the index generation that may change the chunk in place.
	owner   uint64 `fp:"-"`
	regions []*sm.Region
}

func (c *chunk) start() []byte { return c.regions[0].Range.Start }

// fingerprint writes the entries; nil is a chunk, too.
func (c *chunk) fingerprint(h *sm.Hash) {
	h.Bool(c != nil)
	if c == nil {
		return
	}
	h.Int(len(c.regions))
	for _, r := range c.regions {
		r.Fingerprint(h)
	}
}

// chunks is a sorted array of entries that do not overlap, in two levels. What a
// view holds is never changed.
type chunks []*chunk

// place is a position in chunks.
type place struct{ chunk, entry int }

// floor returns the last entry that starts at or below key; false when there is
// none.
func (cs chunks) floor(key []byte) (place, bool) {
	lo, hi := 0, len(cs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(cs[mid].start(), key) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return place{}, false
	}
	at := place{chunk: lo - 1}
	regions := cs[at.chunk].regions
	lo, hi = 1, len(regions)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(regions[mid].Range.Start, key) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	at.entry = lo - 1
	return at, true
}

// below returns the last entry that starts below end, the last of all when end is
// empty; false when there is none.
func (cs chunks) below(end []byte) (place, bool) {
	if len(end) == 0 {
		if len(cs) == 0 {
			return place{}, false
		}
		last := len(cs) - 1
		return place{last, len(cs[last].regions) - 1}, true
	}
	at, ok := cs.floor(end)
	if ok && bytes.Equal(cs.at(at).Range.Start, end) {
		return cs.before(at)
	}
	return at, ok
}

func (cs chunks) at(p place) *sm.Region { return cs[p.chunk].regions[p.entry] }

// before returns the place before p; false when p is the first.
func (cs chunks) before(p place) (place, bool) {
	switch {
	case p.entry > 0:
		return place{p.chunk, p.entry - 1}, true
	case p.chunk > 0:
		return place{p.chunk - 1, len(cs[p.chunk-1].regions) - 1}, true
	}
	return place{}, false
}

// after returns the place after p; false when p is the last.
func (cs chunks) after(p place) (place, bool) {
	switch {
	case p.entry+1 < len(cs[p.chunk].regions):
		return place{p.chunk, p.entry + 1}, true
	case p.chunk+1 < len(cs):
		return place{p.chunk + 1, 0}, true
	}
	return place{}, false
}

// regionView is an immutable snapshot of the table.
type regionView struct {
	chunks chunks
}

// Find implements [sm.RegionView].
func (v *regionView) Find(key []byte, now ports.Instant) *sm.Region {
	return v.chunks.find(key, now)
}

// FindByEnd implements [sm.RegionView].
func (v *regionView) FindByEnd(end []byte, now ports.Instant) *sm.Region {
	return v.chunks.findByEnd(end, now)
}

func (cs chunks) find(key []byte, now ports.Instant) *sm.Region {
	at, ok := cs.floor(key)
	if !ok {
		return nil
	}
	r := cs.at(at)
	if r.Expiry <= now || !beforeEnd(key, r.Range.End) {
		return nil
	}
	return r
}

func (cs chunks) findByEnd(end []byte, now ports.Instant) *sm.Region {
	at, ok := cs.below(end)
	if !ok {
		return nil
	}
	r := cs.at(at)
	if r.Expiry <= now || !reachesEnd(r.Range.End, end) {
		return nil
	}
	return r
}

// beforeEnd reports whether key is below the end of a range.
func beforeEnd(key, end []byte) bool { return len(end) == 0 || bytes.Compare(key, end) < 0 }

// reachesEnd reports whether a range that starts below bound and ends at end
// reaches up to bound.
func reachesEnd(end, bound []byte) bool {
	return len(end) == 0 || len(bound) > 0 && bytes.Compare(bound, end) <= 0
}

// holdsBelow reports whether a range holds the keys just below bound; an empty bound
// is above every key.
func holdsBelow(rng ports.KeyRange, bound []byte) bool {
	return reachesEnd(rng.End, bound) && (len(bound) == 0 || bytes.Compare(rng.Start, bound) < 0)
}

// overlap reports whether two ranges have a key in common.
func overlap(a, b ports.KeyRange) bool { return beforeEnd(a.Start, b.End) && beforeEnd(b.Start, a.End) }

// regionIndex is chunks with the means to change them: copy on write, one chunk
// at a time. Chunks of the index's own generation are in no view.
type regionIndex struct {
	chunks chunks `fp:"shared"`
	// generation is above that of every chunk that a view holds; list is the
	// generation in which the list of chunks was copied.
	generation, list uint64 `fp:"-"`
	count            int    `fp:"-"`
}

// snapshot freezes the present state.
func (x *regionIndex) snapshot() *regionView {
	x.generation++
	return &regionView{chunks: x.chunks}
}

// own makes the list of chunks changeable.
func (x *regionIndex) own() {
	if x.list != x.generation || x.chunks == nil {
		x.chunks = append(make(chunks, 0, len(x.chunks)+1), x.chunks...)
		x.list = x.generation
	}
}

// ownChunk makes one chunk changeable, with room for one entry more.
func (x *regionIndex) ownChunk(i int) *chunk {
	x.own()
	c := x.chunks[i]
	if c.owner == x.generation {
		return c
	}
	room := min(len(c.regions)+1, chunkSize)
	c = &chunk{owner: x.generation, regions: append(make([]*sm.Region, 0, room), c.regions...)}
	x.chunks[i] = c
	return c
}

// replace puts r in the place of an entry that starts at the same key.
func (x *regionIndex) replace(at place, r *sm.Region) { x.ownChunk(at.chunk).regions[at.entry] = r }

// remove takes an entry out. Places behind it move up by one.
func (x *regionIndex) remove(at place) {
	c := x.ownChunk(at.chunk)
	c.regions = slices.Delete(c.regions, at.entry, at.entry+1)
	x.count--
	if len(c.regions) == 0 {
		x.chunks = slices.Delete(x.chunks, at.chunk, at.chunk+1)
		return
	}
	if next := at.chunk + 1; len(c.regions) < chunkSize/4 && next < len(x.chunks) &&
		len(c.regions)+len(x.chunks[next].regions) <= chunkSize/2 {
		c.regions = append(c.regions, x.chunks[next].regions...)
		x.chunks = slices.Delete(x.chunks, next, next+1)
	}
}

// insert puts r where it belongs; no entry starts at the same key.
func (x *regionIndex) insert(r *sm.Region) {
	x.count++
	at, ok := x.chunks.floor(r.Range.Start)
	if !ok {
		if len(x.chunks) == 0 {
			x.own()
			x.chunks = append(x.chunks, &chunk{owner: x.generation, regions: []*sm.Region{r}})
			return
		}
		at.entry = -1
	}
	i, full := at.chunk, len(x.chunks[at.chunk].regions) >= chunkSize
	if !full {
		x.put(i, at.entry+1, r)
		return
	}
	switch half := chunkSize / 2; {
	case at.entry+1 == chunkSize && i+1 < len(x.chunks) && len(x.chunks[i+1].regions) < chunkSize:
		x.put(i+1, 0, r)
	case at.entry+1 == chunkSize:
		// Tables fill in key order: the full chunk stays full.
		x.own()
		x.chunks = slices.Insert(x.chunks, i+1, &chunk{owner: x.generation, regions: []*sm.Region{r}})
	default:
		c := x.ownChunk(i)
		upper := append(make([]*sm.Region, 0, half+1), c.regions[half:]...)
		clear(c.regions[half:])
		c.regions = c.regions[:half]
		x.chunks = slices.Insert(x.chunks, i+1, &chunk{owner: x.generation, regions: upper})
		if at.entry+1 <= half {
			x.put(i, at.entry+1, r)
		} else {
			x.put(i+1, at.entry+1-half, r)
		}
	}
}

// put inserts into a chunk that is not full. Memory grows by doubling up to a full
// chunk and no further.
func (x *regionIndex) put(chunk, entry int, r *sm.Region) {
	c := x.ownChunk(chunk)
	if n := len(c.regions); n == cap(c.regions) {
		c.regions = append(make([]*sm.Region, 0, min(2*n, chunkSize)), c.regions...)
	}
	c.regions = slices.Insert(c.regions, entry, r)
}
