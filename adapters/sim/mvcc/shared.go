package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// sharedLocks are the locks on a key that several transactions hold at once (components/txn_types/src/lock.rs:
// SharedLocks). The [Lock] that carries them has KindSharedLock and nothing else.
type sharedLocks struct {
	// members ascend by StartTS. They are pessimistic locks, or, once they are prewritten, locks of KindLock. The list is
	// never changed in place.
	members []Lock
	// shrinkOnly: somebody wants the key for itself, and nobody is let in any more.
	shrinkOnly bool
}

// Shared returns the locks of which a set of shared locks consists, nil when it is no set, or no lock. They must not be
// kept or changed.
func (l *Lock) Shared() []Lock {
	if !l.isShared() {
		return nil
	}
	return l.shared.members
}

func (l *Lock) isShared() bool { return l != nil && l.shared != nil }

// ShrinkOnly reports whether a set of shared locks takes no further members.
func (l *Lock) ShrinkOnly() bool { return l.isShared() && l.shared.shrinkOnly }

func (s *sharedLocks) index(start ports.Timestamp) (int, bool) {
	return slices.BinarySearchFunc(s.members, start, func(l Lock, start ports.Timestamp) int {
		switch {
		case l.StartTS < start:
			return -1
		case l.StartTS > start:
			return 1
		}
		return 0
	})
}

// of returns the lock of a transaction, nil when it holds none.
func (s *sharedLocks) of(start ports.Timestamp) *Lock {
	if i, ok := s.index(start); ok {
		return &s.members[i]
	}
	return nil
}

// with returns the set with the lock of one transaction, in the place of the one that it had.
func (s *sharedLocks) with(l Lock) *sharedLocks {
	if s == nil {
		return &sharedLocks{members: []Lock{l}}
	}
	n := *s
	i, ok := s.index(l.StartTS)
	n.members = slices.Clone(s.members)
	if ok {
		n.members[i] = l
	} else {
		n.members = slices.Insert(n.members, i, l)
	}
	return &n
}

// without returns the set without the lock of one transaction, nil when nothing is left.
func (s *sharedLocks) without(start ports.Timestamp) *sharedLocks {
	n := *s
	n.members = slices.DeleteFunc(slices.Clone(s.members), func(l Lock) bool { return l.StartTS == start })
	if len(n.members) == 0 {
		return nil
	}
	return &n
}

// set is the lock that carries a set.
func (s *sharedLocks) set() Lock { return Lock{Kind: ports.KindSharedLock, shared: s} }

// concerned returns the lock that a mutation has to do with: that of the key, or, when that is a set, the transaction's
// own in it (txn/actions/prewrite.rs: prewrite_with_generation).
func (k *keyPrewrite) concerned(l *Lock) (*Lock, *ports.KeyError) {
	shared := k.mutation.Kind == ports.KindSharedLock
	if l.shared == nil {
		if shared {
			return nil, keyIsLocked(k.at.key, l)
		}
		return l, nil
	}
	own := l.shared.of(k.req.StartTS)
	switch {
	case own == nil && shared:
		return nil, k.lockNotFound("LockMissingAmendFail")
	case own == nil:
		return nil, keyIsLocked(k.at.key, l)
	case !shared:
		return nil, abort("use Op::SharedLock to prewrite on a shared lock")
	}
	return own, nil
}

// keep adds a mutation's lock to the batch: to a set that has a lock of the transaction already, else as the key's own.
// Shared locks are neither committed at once nor asynchronously, unless the batch has just given that up
// (prewrite.rs: write_lock).
func (k *keyPrewrite) keep(l Lock, asWished bool) *ports.KeyError {
	switch {
	case !k.at.value.lock.isShared():
		k.batch.putLock(k.at, l)
	case k.onePC && asWished:
		return abort("shared lock prewrite is incompatible with one-phase commit")
	case k.async && asWished:
		return abort("shared lock prewrite cannot use async-commit, falling back to 2PC")
	default:
		k.batch.putShared(k.at, l)
	}
	return nil
}
