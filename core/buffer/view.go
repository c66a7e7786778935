package buffer

import (
	"bytes"

	"github.com/tikvx/tikvx/ports"
)

// View is a buffer as it was at one moment, unmoved by whatever is written later.
// Safe for concurrent use. The zero View is empty.
type View struct {
	root        *node
	common      []byte
	arena       arena
	count, size int
}

// View returns the buffer as it is now.
func (b *Buffer) View() View {
	b.tree.freeze()
	return View{b.tree.root, b.tree.common, b.arena, b.count, b.size}
}

// Len returns the number of entries, tombstones included.
func (v *View) Len() int { return v.count }

// Size returns the bytes of all keys and values.
func (v *View) Size() int { return v.size }

// Ascend returns a cursor at the first entry of the range, for ascending keys.
func (v *View) Ascend(rng ports.KeyRange) Cursor {
	c := Cursor{arena: v.arena}
	if v.root == nil || rng.Empty() {
		return c
	}
	var end [maxDepth]step
	c.last = end[v.seek(rng.End, true, &end)]
	c.last.at--
	c.leafDepth = v.seek(rng.Start, false, &c.path)
	c.enter()
	return c
}

// Descend returns a cursor at the last entry of the range, for descending keys.
func (v *View) Descend(rng ports.KeyRange) Cursor {
	c := Cursor{arena: v.arena, down: true}
	if v.root == nil || rng.Empty() {
		return c
	}
	var end [maxDepth]step
	c.last = end[v.seek(rng.Start, false, &end)]
	c.leafDepth = v.seek(rng.End, true, &c.path)
	c.path[c.leafDepth].at--
	c.enter()
	return c
}

// seek fills in the way down to the first entry that is not smaller than the key,
// and returns the leaf's depth; the place may be one past the leaf's entries. An
// empty key is that end of the tree which beyond names.
func (v *View) seek(key []byte, beyond bool, path *[maxDepth]step) int {
	inside := len(key) > 0 && bytes.HasPrefix(key, v.common)
	if len(key) > 0 && !inside {
		// The key lies on one side of the whole tree.
		beyond = bytes.Compare(key, v.common) > 0
	}
	n := v.root
	for depth := 0; ; depth++ {
		at := 0
		switch {
		case inside && n.kids != nil:
			at = n.child(&v.arena, key)
		case inside:
			at, _ = n.search(&v.arena, key)
		case beyond:
			at = n.n
		}
		path[depth] = step{n, at}
		if n.kids == nil {
			return depth
		}
		n = n.kids[at]
	}
}

// Cursor walks over the entries of a view in one direction. Not safe for
// concurrent use. It may be copied; copies walk on their own.
type Cursor struct {
	arena arena
	down  bool
	path  [maxDepth]step
	// leafDepth is the place of the leaf in the path.
	leafDepth int
	// last is the place where the walk ends. It may lie before the first entry
	// or behind the last one of its leaf; then no entry there is visited.
	last step
	// leaf and at are the present place, stop the last one that is visited in the
	// leaf; the cursor is valid while leaf is set.
	leaf     *node
	at, stop int
}

// enter takes up the leaf at the end of the path, or the next one when the place
// lies beyond its entries.
func (c *Cursor) enter() {
	for {
		s := c.path[c.leafDepth]
		c.leaf, c.at = s.node, s.at
		switch {
		case c.leaf == c.last.node:
			c.stop = c.last.at
		case c.down:
			c.stop = 0
		default:
			c.stop = c.leaf.n - 1
		}
		if c.down && c.at >= c.stop || !c.down && c.at <= c.stop {
			return
		}
		if c.leaf == c.last.node {
			c.leaf = nil
			return
		}
		c.turn()
	}
}

// turn moves the path to the neighbouring leaf. There is one: the walk has not
// come to its last leaf.
func (c *Cursor) turn() {
	d := c.leafDepth - 1
	for c.down && c.path[d].at == 0 || !c.down && c.path[d].at == c.path[d].node.n {
		d--
	}
	if c.down {
		c.path[d].at--
	} else {
		c.path[d].at++
	}
	for ; d < c.leafDepth; d++ {
		n := c.path[d].node.kids[c.path[d].at]
		at := 0
		if c.down {
			at = n.n
			if n.kids == nil {
				at--
			}
		}
		c.path[d+1] = step{n, at}
	}
}

// Valid reports whether the cursor is at an entry. The methods below may be
// called only then.
func (c *Cursor) Valid() bool { return c.leaf != nil }

// Next moves to the next entry in the cursor's direction.
func (c *Cursor) Next() {
	if c.at == c.stop {
		c.cross()
		return
	}
	if c.down {
		c.at--
	} else {
		c.at++
	}
}

// cross leaves the leaf.
func (c *Cursor) cross() {
	if c.leaf == c.last.node {
		c.leaf = nil
		return
	}
	c.turn()
	c.enter()
}

// Key returns the entry's key.
func (c *Cursor) Key() []byte { return c.arena.key(c.leaf.refs[c.at]) }

// Value returns the entry's value, nil for a tombstone.
func (c *Cursor) Value() []byte {
	e := c.arena.read(c.leaf.refs[c.at])
	if e.flags&flagDeleted != 0 {
		return nil
	}
	return e.value
}

// Deleted reports whether the entry is a tombstone.
func (c *Cursor) Deleted() bool {
	return c.arena.read(c.leaf.refs[c.at]).flags&flagDeleted != 0
}

// Inserted reports whether the key must not exist when the transaction commits.
// A tombstone of such a key is nothing but that check.
func (c *Cursor) Inserted() bool {
	return c.arena.read(c.leaf.refs[c.at]).flags&flagInserted != 0
}
