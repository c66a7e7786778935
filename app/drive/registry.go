package drive

import (
	"cmp"
	"slices"
	"sync"
)

// registry finds operations by id, for the answers of tables. Ids are never used
// twice, so that an answer for an operation that is gone reaches nobody.
type registry struct {
	mu   sync.RWMutex
	last uint64
	ops  map[uint64]*operation
}

func (r *registry) add(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ops == nil {
		r.ops = make(map[uint64]*operation)
	}
	r.last++
	o.id = r.last
	r.ops[o.id] = o
}

func (r *registry) remove(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ops, o.id)
}

func (r *registry) find(id uint64) *operation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ops[id]
}

// all returns every operation in the order of the ids.
func (r *registry) all() []*operation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*operation, 0, len(r.ops))
	for _, o := range r.ops {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *operation) int { return cmp.Compare(a.id, b.id) })
	return list
}
