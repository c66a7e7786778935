package drive

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// sweepInterval separates two sweeps of the region table.
const sweepInterval = time.Second

const (
	pageWords = 512
	pageSlots = pageWords * 64
)

type markPage [pageWords]atomic.Uint64

// marks notes which entries of the region table were used: one bit for each slot.
// Setting a bit that is set costs a load. Pages are added and never moved, so that
// no bit is lost.
type marks struct {
	pages atomic.Pointer[[]*markPage]
	mu    sync.Mutex // growth
}

func (m *marks) set(slot uint32) {
	pages := m.pages.Load()
	page := int(slot / pageSlots)
	if pages == nil || page >= len(*pages) {
		pages = m.grow(page)
	}
	word := &(*pages)[page][slot%pageSlots/64]
	bit := uint64(1) << (slot % 64)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

func (m *marks) grow(page int) *[]*markPage {
	m.mu.Lock()
	defer m.mu.Unlock()
	var grown []*markPage
	if old := m.pages.Load(); old != nil {
		grown = append(grown, *old...)
	}
	for len(grown) <= page {
		grown = append(grown, new(markPage))
	}
	m.pages.Store(&grown)
	return &grown
}

// collect returns the marks since the last time and clears them; nil when nothing
// was used.
func (m *marks) collect() []uint64 {
	pages := m.pages.Load()
	if pages == nil {
		return nil
	}
	var bits []uint64
	for p, page := range *pages {
		for w := range page {
			if page[w].Load() == 0 {
				continue
			}
			if bits == nil {
				bits = make([]uint64, len(*pages)*pageWords)
			}
			bits[p*pageWords+w] = page[w].Swap(0)
		}
	}
	return bits
}

// marked is a region view that notes what is found in it.
type marked struct {
	view  sm.RegionView
	marks *marks
}

// Find implements [sm.RegionView].
func (v *marked) Find(key []byte, now ports.Instant) *sm.Region {
	r := v.view.Find(key, now)
	if r != nil {
		v.marks.set(r.Slot)
	}
	return r
}

// FindByEnd implements [sm.RegionView].
func (v *marked) FindByEnd(end []byte, now ports.Instant) *sm.Region {
	r := v.view.FindByEnd(end, now)
	if r != nil {
		v.marks.set(r.Slot)
	}
	return r
}

// sweeper is the machine that lets the region table sweep at intervals.
//
//	asleep ──Timer──▶ asleep
type sweeper struct {
	gen uint32
	due bool
	now ports.Instant
}

// Step implements [sm.Machine].
func (s *sweeper) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("drive.sweeper", "asleep", ev.Kind)
	s.due, s.now = ev.Kind == ports.EventTimer && ev.Tok.Gen == s.gen, ev.Now
	if s.due || ev.Kind == ports.EventStart {
		tok := env.Token()
		s.gen = tok.Gen
		out.Arm(tok, ev.Now.Add(sweepInterval), "")
	}
}

// forward posts the sweep that is due.
func (s *sweeper) forward(d *Driver) {
	if s.due {
		d.tables.regionOp.Post(ports.Event{Kind: ports.EventSweep, Now: s.now, Marks: d.marks.collect()})
	}
}

// Done implements [sm.Machine]: it never ends.
func (s *sweeper) Done() bool { return false }

// Fingerprint implements [sm.Machine].
func (s *sweeper) Fingerprint(h *sm.Hash) { h.Gen(s.gen) }

// String implements [sm.Machine].
func (s *sweeper) String() string { return "drive.sweeper asleep" }
