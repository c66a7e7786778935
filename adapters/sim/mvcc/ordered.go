package mvcc

import (
	"bytes"
	"slices"
	"sort"
)

// chunkSize bounds what an insertion moves.
const chunkSize = 256

// ordered is a map from keys to values of type T, in key order: an array of chunks, each an array of entries. It keeps
// the keys that it is given.
type ordered[T any] struct {
	chunks [][]*entry[T]
	size   int
	// recent are entries that get has found: a key is met again soon, by the next command about it and by whoever
	// watches. A map of one chunk has none.
	recent *[recentEntries]*entry[T]
}

const recentEntries = 64

// recently returns the place of a key among the recent entries.
func (o *ordered[T]) recently(key []byte) **entry[T] {
	at := len(key)
	for _, b := range key[max(0, len(key)-4):] {
		at = 37*at + int(b)
	}
	return &o.recent[at%recentEntries]
}

type entry[T any] struct {
	key   []byte
	value T
	// kept: the entry is in the map.
	kept bool
}

// place is a position in the map. It is valid until the next change.
type place struct {
	chunk, index int
}

// seek returns the first place that is not below the key, and whether the key is there.
func (o *ordered[T]) seek(key []byte) (place, bool) {
	// The last chunk whose first key is not above the key holds it, if any does.
	lo, hi := 0, len(o.chunks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(o.chunks[mid][0].key, key) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return place{}, false
	}
	at := place{chunk: lo - 1}
	chunk := o.chunks[at.chunk]
	lo, hi = 0, len(chunk)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(chunk[mid].key, key); {
		case c == 0:
			at.index = mid
			return at, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	at.index = lo
	return o.normal(at), false
}

// seekFunc returns the first place for whose key above holds; above must be false, then true, in key order.
func (o *ordered[T]) seekFunc(above func(key []byte) bool) place {
	chunk := sort.Search(len(o.chunks), func(i int) bool { return above(o.chunks[i][0].key) })
	if chunk == 0 {
		return place{}
	}
	entries := o.chunks[chunk-1]
	return o.normal(place{chunk - 1, sort.Search(len(entries), func(i int) bool { return above(entries[i].key) })})
}

// normal moves a place behind the end of a chunk to the next chunk.
func (o *ordered[T]) normal(at place) place {
	if at.chunk < len(o.chunks) && at.index == len(o.chunks[at.chunk]) {
		return place{chunk: at.chunk + 1}
	}
	return at
}

// at returns the entry at a place, nil behind the last.
func (o *ordered[T]) at(p place) *entry[T] {
	if p.chunk >= len(o.chunks) {
		return nil
	}
	return o.chunks[p.chunk][p.index]
}

func (o *ordered[T]) next(p place) place {
	p.index++
	return o.normal(p)
}

// previous returns the place before p, false at the first.
func (o *ordered[T]) previous(p place) (place, bool) {
	if p.index > 0 {
		return place{p.chunk, p.index - 1}, true
	}
	if p.chunk == 0 {
		return p, false
	}
	return place{p.chunk - 1, len(o.chunks[p.chunk-1]) - 1}, true
}

// get returns the entry of a key, nil when there is none.
func (o *ordered[T]) get(key []byte) *entry[T] {
	if o.recent == nil {
		if len(o.chunks) < 2 {
			return o.find(key)
		}
		o.recent = new([recentEntries]*entry[T])
	}
	recent := o.recently(key)
	if e := *recent; e != nil && bytes.Equal(e.key, key) {
		return e
	}
	e := o.find(key)
	if e != nil {
		*recent = e
	}
	return e
}

func (o *ordered[T]) find(key []byte) *entry[T] {
	if at, found := o.seek(key); found {
		return o.chunks[at.chunk][at.index]
	}
	return nil
}

// insert adds an entry whose key is not in the map.
func (o *ordered[T]) insert(e *entry[T]) {
	o.size++
	e.kept = true
	if o.recent != nil {
		*o.recently(e.key) = e
	}
	if len(o.chunks) == 0 {
		o.chunks = [][]*entry[T]{append(make([]*entry[T], 0, chunkSize), e)}
		return
	}
	at, _ := o.seek(e.key)
	// The end of a chunk is as good as the start of the next one, and cheaper.
	if at.index == 0 && at.chunk > 0 {
		at = place{at.chunk - 1, len(o.chunks[at.chunk-1])}
	}
	chunk := slices.Insert(o.chunks[at.chunk], at.index, e)
	o.chunks[at.chunk] = chunk
	if len(chunk) == chunkSize {
		// Ascending keys leave every chunk three quarters full.
		cut := chunkSize * 3 / 4
		upper := append(make([]*entry[T], 0, chunkSize), chunk[cut:]...)
		clear(chunk[cut:])
		o.chunks[at.chunk] = chunk[:cut]
		o.chunks = slices.Insert(o.chunks, at.chunk+1, upper)
	}
}

// remove takes out the entry at a place; the place is then that of the next entry.
func (o *ordered[T]) remove(at place) place {
	o.size--
	e := o.at(at)
	e.kept = false
	if o.recent != nil {
		if recent := o.recently(e.key); *recent == e {
			*recent = nil
		}
	}
	chunk := slices.Delete(o.chunks[at.chunk], at.index, at.index+1)
	o.chunks[at.chunk] = chunk
	if len(chunk) == 0 {
		o.chunks = slices.Delete(o.chunks, at.chunk, at.chunk+1)
	}
	return o.normal(at)
}

// nth returns the entry at an index below size.
func (o *ordered[T]) nth(i int) *entry[T] {
	for _, chunk := range o.chunks {
		if i < len(chunk) {
			return chunk[i]
		}
		i -= len(chunk)
	}
	return nil
}
