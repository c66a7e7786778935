package buffer

import "github.com/tikvx/tikvx/ports"

// Want says what an [Overlay] has or needs.
type Want uint8

// The answers of Overlay.Next.
const (
	// Pair: a pair is returned.
	Pair Want = iota
	// Page: the next page of the snapshot is needed (Overlay.Feed).
	Page
	// End: the range is exhausted.
	End
)

// Overlay is the ordered union of a view and a snapshot that is read page by
// page. On equal keys the view wins; its tombstones hide.
type Overlay struct{}

// InitAscending begins at the start of the range.
func (o *Overlay) InitAscending(v View, rng ports.KeyRange) {}

// InitDescending begins at the end of the range.
func (o *Overlay) InitDescending(v View, rng ports.KeyRange) {}

// Next returns the next pair, or says what is needed first.
func (o *Overlay) Next() (ports.KV, Want) { return ports.KV{}, End }

// Feed gives the next page in the direction of the overlay; more says that
// further pages follow. The pairs are borrowed until Next asks for another page.
func (o *Overlay) Feed(page []ports.KV, more bool) {}
