package grpc

// slots hold the calls of one stream whose frames were built, by request id. An id names a slot and how often the slot
// was used before, so that an answer that comes too late finds its slot empty or with another id.
type slots struct {
	list []slot
	free []uint32
	used int
}

type slot struct {
	call *call
	// uses counts the calls that have left the slot.
	uses uint64
}

// indexBits is how many bits of an id name the slot. The others count; ids begin with 1.
const indexBits = 22

// maxSlots bounds the calls in flight on one stream.
const maxSlots = 1<<indexBits - 1

// put gives a call an id; 0 if every slot is taken.
func (s *slots) put(c *call) uint64 {
	var i uint32
	switch {
	case len(s.free) > 0:
		i = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
	case len(s.list) < maxSlots:
		i = uint32(len(s.list))
		s.list = append(s.list, slot{})
	default:
		return 0
	}
	s.list[i].call = c
	s.used++
	return s.list[i].uses<<indexBits | uint64(i+1)
}

// take empties the slot with an id and returns its call, nil if the id is not in use.
func (s *slots) take(id uint64) *call {
	i := id&(1<<indexBits-1) - 1
	if i >= uint64(len(s.list)) {
		return nil
	}
	at := &s.list[i]
	c := at.call
	if c == nil || at.uses != id>>indexBits {
		return nil
	}
	at.call, at.uses = nil, at.uses+1
	s.free = append(s.free, uint32(i))
	s.used--
	return c
}

// peek returns the call of an id that is in use.
func (s *slots) peek(id uint64) *call { return s.list[id&(1<<indexBits-1)-1].call }

// takeIf empties the slots whose calls satisfy a condition.
func (s *slots) takeIf(want func(*call) bool, f func(*call)) {
	for i := range s.list {
		if c := s.list[i].call; c != nil && want(c) {
			f(s.take(s.list[i].uses<<indexBits | uint64(i+1)))
		}
	}
}
