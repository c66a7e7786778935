package buffer

import (
	"bytes"
	"encoding/binary"
)

// The tree is a B+tree over an arena, made for many keys with long common
// prefixes. Each node keeps, beside the refs of its keys, the eight bytes of each
// key that follow the prefix which all keys in the node's range share (the head),
// so that a search compares integers in one array and reads a key only where
// heads are equal.
//
//	root      heads  ▸ kids                  separators: the smallest key right of them
//	            │
//	leaves    heads, refs ──▶ arena: key, value, flags
//
// The shared prefix follows from the two separators around a node, so it need not
// be checked on the way down. Nodes at the left and right edges have one separator
// or none; all that their keys share is what all keys of the tree share (common).
//
// Nodes are copied before they are changed when they belong to an older epoch:
// a view or a savepoint is the root of its time. Nothing is ever removed.

// fan is the number of keys in a full node; a power of two, so that an index can
// be masked instead of checked.
const fan = 32

// tellingBits is the number of leading bits that the heads of a new node must not all
// have in common: with more, they tell too little and are computed anew, which reads
// every key.
const tellingBits = 32

// maxDepth is a height that no tree reaches: but for the edges, nodes are at least
// half full, so 10 levels are more than 2³⁷ keys.
const maxDepth = 10

type node struct {
	// kids has one more child than there are keys; nil in leaves.
	kids *[fan + 1]*node
	// epoch is the tree's when the node was made.
	epoch uint64
	// skip is the length of the prefix that all keys in the node's range share.
	skip  int
	n     int
	heads [fan]uint64
	refs  [fan]ref
}

type tree struct {
	root   *node
	common []byte
	epoch  uint64
}

// step is one node on the way down with the child taken, or the place in a leaf.
type step struct {
	node *node
	at   int
}

// spot is the place of a key: the way down, and in the leaf the first key that is
// not smaller.
type spot struct {
	path  [maxDepth]step
	depth int
	found bool
	ref   ref
}

// head returns the eight bytes of a key behind the skipped ones, zero-padded.
func head(key []byte, skip int) uint64 {
	if len(key) >= skip+8 {
		return binary.BigEndian.Uint64(key[skip:])
	}
	var b [8]byte
	copy(b[:], key[min(skip, len(key)):])
	return binary.BigEndian.Uint64(b[:])
}

// search returns the place of the first key that is not smaller, and whether it
// is equal.
func (n *node) search(a *arena, key []byte) (int, bool) {
	h := head(key, n.skip)
	lo, rest := 0, n.n
	for rest > 0 {
		half := rest >> 1
		if n.heads[(lo+half)&(fan-1)] < h {
			lo += half + 1
			rest -= half + 1
		} else {
			rest = half
		}
	}
	if lo == n.n || n.heads[lo&(fan-1)] != h {
		return lo, false
	}
	switch order := bytes.Compare(a.key(n.refs[lo&(fan-1)])[n.skip:], key[n.skip:]); {
	case order == 0:
		return lo, true
	case order > 0:
		return lo, false
	}
	return n.searchKeys(a, key, h, lo+1)
}

// searchKeys goes on from a place where the heads may still be equal but the keys are
// not: those before are smaller.
func (n *node) searchKeys(a *arena, key []byte, h uint64, lo int) (int, bool) {
	for hi := n.n; lo < hi; {
		m := int(uint(lo+hi) >> 1)
		order := 1
		if n.heads[m] == h {
			order = bytes.Compare(a.key(n.refs[m])[n.skip:], key[n.skip:])
		}
		switch {
		case order == 0:
			return m, true
		case order < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return lo, false
}

// child returns which child's range holds the key.
func (n *node) child(a *arena, key []byte) int {
	at, equal := n.search(a, key)
	if equal {
		at++
	}
	return at
}

func (t *tree) get(a *arena, key []byte) (ref, bool) {
	n := t.root
	if n == nil || !bytes.HasPrefix(key, t.common) {
		return 0, false
	}
	for n.kids != nil {
		n = n.kids[n.child(a, key)]
	}
	at, found := n.search(a, key)
	if !found {
		return 0, false
	}
	return n.refs[at], true
}

// seek finds the place of a key that is about to be put: the tree's common prefix
// is shortened to what the key shares.
func (t *tree) seek(a *arena, key []byte, s *spot) {
	if t.root == nil {
		return
	}
	if !bytes.HasPrefix(key, t.common) {
		t.shorten(a, shared(key, t.common))
	}
	n := t.root
	for n.kids != nil {
		at := n.child(a, key)
		s.path[s.depth] = step{n, at}
		s.depth++
		n = n.kids[at]
	}
	at, found := n.search(a, key)
	s.path[s.depth] = step{n, at}
	s.depth++
	if found {
		s.found, s.ref = true, n.refs[at]
	}
}

// shared returns the length of the longest common prefix.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// shorten makes all keys of the tree share n bytes only: the nodes at the edges
// get new heads.
func (t *tree) shorten(a *arena, n int) {
	t.common = t.common[:n:n]
	t.root = t.own(t.root)
	t.root.rehead(a, n)
	for left := t.root; left.kids != nil; left = left.kids[0] {
		left.kids[0] = t.own(left.kids[0])
		left.kids[0].rehead(a, n)
	}
	for right := t.root; right.kids != nil; right = right.kids[right.n] {
		right.kids[right.n] = t.own(right.kids[right.n])
		right.kids[right.n].rehead(a, n)
	}
}

// rehead computes the heads behind another shared prefix.
func (n *node) rehead(a *arena, skip int) {
	n.skip = skip
	for i := range n.n {
		n.heads[i] = head(a.key(n.refs[i]), skip)
	}
}

// own returns the node if it belongs to the present epoch, else a copy that does.
func (t *tree) own(n *node) *node {
	if n.epoch == t.epoch {
		return n
	}
	c := *n
	c.epoch = t.epoch
	if n.kids != nil {
		kids := *n.kids
		c.kids = &kids
	}
	return &c
}

// freeze makes the present nodes immutable.
func (t *tree) freeze() { t.epoch++ }

// put stores an entry at the spot that seek found for its key.
func (t *tree) put(a *arena, key []byte, r ref, s *spot) {
	if t.root == nil {
		t.common = a.key(r)
		t.root = &node{epoch: t.epoch, skip: len(t.common), n: 1}
		t.root.refs[0] = r
		return
	}
	t.claim(s)
	leaf := &s.path[s.depth-1]
	if s.found {
		leaf.node.refs[leaf.at] = r
		return
	}
	if leaf.node.n == fan {
		t.makeRoom(a, s, r)
		leaf = &s.path[s.depth-1]
	}
	leaf.node.insert(leaf.at, head(key, leaf.node.skip), r)
}

// claim makes the nodes on the way down the tree's own.
func (t *tree) claim(s *spot) {
	t.root = t.own(t.root)
	s.path[0].node = t.root
	for i := 1; i < s.depth; i++ {
		parent := s.path[i-1]
		n := t.own(parent.node.kids[parent.at])
		parent.node.kids[parent.at] = n
		s.path[i].node = n
	}
}

// insert puts a key into a node that is not full.
func (n *node) insert(at int, head uint64, r ref) {
	copy(n.heads[at+1:n.n+1], n.heads[at:n.n])
	copy(n.refs[at+1:n.n+1], n.refs[at:n.n])
	n.heads[at], n.refs[at] = head, r
	n.n++
}

// makeRoom splits the full nodes at the lower end of the path, the upper ones
// first, so that a split node's parent always has room for the separator. r is
// the entry for which room is made.
func (t *tree) makeRoom(a *arena, s *spot, r ref) {
	top := s.depth - 1
	for top > 0 && s.path[top-1].node.n == fan {
		top--
	}
	if top == 0 {
		old := t.root
		t.root = &node{kids: &[fan + 1]*node{old}, epoch: t.epoch, skip: len(t.common)}
		copy(s.path[1:], s.path[:s.depth])
		s.path[0] = step{t.root, 0}
		s.depth++
		top = 1
	}
	for d := top; d < s.depth; d++ {
		t.split(a, s, d, r)
	}
}

// split halves the full node at depth d of the path, and moves the path to the
// half that the key belongs to. Where a run of keys is appended or prepended at
// the edge of the tree, the node is left full instead.
func (t *tree) split(a *arena, s *spot, d int, r ref) {
	n, at := s.path[d].node, s.path[d].at
	right := &node{epoch: t.epoch, skip: n.skip}
	low, high, lowest, highest := s.fences(d)
	m := fan / 2
	var sep ref
	if n.kids == nil {
		switch {
		case highest && at == fan:
			m, sep = fan, r
		case lowest && at == 0:
			m = 0
		}
		if m < fan {
			sep = n.refs[m]
		}
		right.n = copy(right.refs[:], n.refs[m:])
		copy(right.heads[:], n.heads[m:])
	} else {
		switch {
		case highest && at == fan:
			m = fan - 1
		case lowest && at == 0:
			m = 0
		}
		sep = n.refs[m]
		right.n = copy(right.refs[:], n.refs[m+1:])
		copy(right.heads[:], n.heads[m+1:])
		right.kids = new([fan + 1]*node)
		copy(right.kids[:], n.kids[m+1:])
		clear(n.kids[m+1:])
	}
	n.n = m
	if !lowest {
		n.tighten(a, low, sep)
	}
	if !highest {
		right.tighten(a, sep, high)
	}

	parent := &s.path[d-1]
	parent.node.insertKid(parent.at, head(a.key(sep), parent.node.skip), sep, right)
	if at > m || m == fan {
		parent.at++
		if n.kids == nil {
			at -= m
		} else {
			at -= m + 1
		}
		s.path[d] = step{right, at}
	}
}

// insertKid puts a separator and the child to its right into a node that is not
// full.
func (n *node) insertKid(at int, head uint64, sep ref, kid *node) {
	copy(n.kids[at+2:n.n+2], n.kids[at+1:n.n+1])
	n.kids[at+1] = kid
	n.insert(at, head, sep)
}

// fences returns the separators around the node at depth d of the path; at the
// edges of the tree there are none.
func (s *spot) fences(d int) (low, high ref, lowest, highest bool) {
	lowest, highest = true, true
	for i := d - 1; i >= 0 && (lowest || highest); i-- {
		n, at := s.path[i].node, s.path[i].at
		if lowest && at > 0 {
			low, lowest = n.refs[at-1], false
		}
		if highest && at < n.n {
			high, highest = n.refs[at], false
		}
	}
	return low, high, lowest, highest
}

// tighten computes the heads behind all that the keys between two separators share,
// if those that there are tell little.
func (n *node) tighten(a *arena, low, high ref) {
	if (n.heads[0]^n.heads[n.n-1])>>(64-tellingBits) == 0 {
		n.rehead(a, shared(a.key(low), a.key(high)))
	}
}
