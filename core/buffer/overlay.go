package buffer

import (
	"bytes"

	"github.com/tikvx/tikvx/ports"
)

// Want says what an [Overlay] has or needs.
type Want uint8

// The answers of [Overlay.Next].
const (
	// WantNothing: a pair is returned.
	WantNothing Want = iota
	// WantPage: the next page of the snapshot must be fed first.
	WantPage
	// WantEnd: there are no more pairs.
	WantEnd
)

// Overlay is the ordered union of a view and a snapshot that is read page by
// page. Where both have a key the view wins, and its tombstones hide. Not safe for
// concurrent use.
type Overlay struct {
	cursor Cursor
	page   []ports.KV
	at     int
	// more says that pages follow the present one.
	more bool
	// fromView says where the pair came from that Next returned last.
	fromView bool
}

// InitAscending begins at the start of a range of the view. The first Next wants a
// page.
func (o *Overlay) InitAscending(v *View, rng ports.KeyRange) {
	*o = Overlay{cursor: v.Ascend(rng), more: true}
}

// InitDescending begins at the end of a range of the view. The first Next wants a
// page.
func (o *Overlay) InitDescending(v *View, rng ports.KeyRange) {
	*o = Overlay{cursor: v.Descend(rng), more: true}
}

// Feed gives the next page of the snapshot: pairs of the same range in the same
// direction. The page is borrowed until another one is wanted; it may be empty.
// With more false it was the last.
func (o *Overlay) Feed(page []ports.KV, more bool) { o.page, o.at, o.more = page, 0, more }

// Next returns the next pair, or what is needed before there is one. The pair is
// borrowed from the page or from the view.
func (o *Overlay) Next() (ports.KV, Want) {
	for {
		if o.at == len(o.page) && o.more {
			// What the next page holds may come before the view's next entry.
			return ports.KV{}, WantPage
		}
		order := o.order()
		if order == 0 && !o.cursor.Valid() {
			return ports.KV{}, WantEnd
		}
		if order < 0 {
			o.at++
			o.fromView = false
			return o.page[o.at-1], WantNothing
		}
		if order == 0 {
			o.at++
		}
		kv := ports.KV{Key: o.cursor.Key(), Value: o.cursor.Value()}
		deleted := o.cursor.Deleted()
		o.cursor.Next()
		if !deleted {
			o.fromView = true
			return kv, WantNothing
		}
	}
}

// FromView reports whether the pair that Next returned last is the view's, not the
// page's.
func (o *Overlay) FromView() bool { return o.fromView }

// order compares the snapshot's next pair with the view's next entry in the
// overlay's direction: negative when the pair comes first. It is 0 for equal keys
// and when both sides are exhausted.
func (o *Overlay) order() int {
	pair, entry := o.at < len(o.page), o.cursor.Valid()
	switch {
	case pair && entry:
		order := bytes.Compare(o.page[o.at].Key, o.cursor.Key())
		if o.cursor.down {
			return -order
		}
		return order
	case pair:
		return -1
	case entry:
		return 1
	}
	return 0
}
