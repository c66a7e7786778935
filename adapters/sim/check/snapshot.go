package check

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/tikvx/tikvx/ports"
)

// Snapshots reports every read that did not return the newest version at or below
// its timestamp.
func Snapshots(reads []Read, store Store) []string {
	var wrong []string
	versions := remember(store, 0)
	for _, r := range reads {
		want, found := at(versions.Versions(r.Key), r.TS)
		switch {
		case found != r.Found:
			wrong = append(wrong, fmt.Sprintf("read of %q at %d: found=%v, the stores say %v", r.Key, r.TS, r.Found, found))
		case found && !r.Unseen && string(want.Value) != r.Value:
			wrong = append(wrong, fmt.Sprintf("read of %q at %d: not the version committed at %d", r.Key, r.TS, want.Commit))
		}
	}
	return wrong
}

// Writers reports every two versions of a key whose transactions overlapped: each
// must have begun after the one before it was committed.
func Writers(keys []string, store Store) []string {
	var wrong []string
	versions := remember(store, len(keys))
	for _, k := range keys {
		list := versions.Versions(k)
		for i := 1; i < len(list); i++ {
			if list[i].Start < list[i-1].Commit {
				wrong = append(wrong, fmt.Sprintf("writers of %q overlap: %d to %d, and %d to %d", k,
					list[i-1].Start, list[i-1].Commit, list[i].Start, list[i].Commit))
			}
		}
	}
	return wrong
}

// Newest reports every read of the newest version that returned one which was replaced, as somebody had been told,
// before the read began, or one that came after it had ended.
func Newest(reads []Latest, txns []Txn, store Store) []string {
	if len(reads) == 0 {
		return nil
	}
	ended := map[ports.Timestamp]ports.Instant{}
	for _, t := range txns {
		if t.Outcome == Committed {
			ended[t.Start] = t.Ended
		}
	}
	var wrong []string
	versions := remember(store, 0)
	for _, r := range reads {
		fits := !r.Found
		for _, v := range versions.Versions(r.Key) {
			if v.Commit > r.To {
				break
			}
			same := v.Deleted != r.Found && (v.Deleted || string(v.Value) == r.Value)
			if at, known := ended[v.Start]; known && at < r.Began {
				fits = same // what came before is of the past
			}
			fits = fits || same
		}
		if !fits {
			wrong = append(wrong, fmt.Sprintf("read of the newest %q up to %d: not a version of then", r.Key, r.To))
		}
	}
	return wrong
}

// Atomic reports every transaction that is committed at more than one timestamp.
func Atomic(keys []string, store Store) []string {
	var wrong []string
	commits := make(map[ports.Timestamp]ports.Timestamp, len(keys))
	for _, k := range keys {
		for _, v := range store.Versions(k) {
			if at, ok := commits[v.Start]; ok && at != v.Commit {
				wrong = append(wrong, fmt.Sprintf("%d is committed at %d, and on %q at %d", v.Start, at, k, v.Commit))
			}
			commits[v.Start] = v.Commit
		}
	}
	return wrong
}

// at returns the version that a snapshot shows, false when it shows none.
func at(versions []Version, ts ports.Timestamp) (Version, bool) {
	newer := sort.Search(len(versions), func(i int) bool { return versions[i].Commit > ts })
	if newer == 0 {
		return Version{}, false
	}
	v := versions[newer-1]
	return v, !v.Deleted
}

// known is a store that is asked once for each key; its versions are oldest first.
type known struct {
	Store
	versions map[string][]Version
}

// remember returns the store as one that is asked once for each key, of which there will be about so many.
func remember(store Store, keys int) *known {
	if k, ok := store.(*known); ok {
		return k
	}
	return &known{store, make(map[string][]Version, keys)}
}

// Versions implements [Store].
func (k *known) Versions(key string) []Version {
	list, ok := k.versions[key]
	if !ok {
		list = k.Store.Versions(key)
		oldest := func(a, b Version) int { return cmp.Compare(a.Commit, b.Commit) }
		if !slices.IsSortedFunc(list, oldest) {
			list = slices.SortedFunc(slices.Values(list), oldest)
		}
		k.versions[key] = list
	}
	return list
}
