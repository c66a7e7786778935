package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Collect drops records at or below the safe point inside the extent, and returns how many
// (src/server/gc_worker/compaction_filter.rs: do_filter). Of each key the newest version stays, unless it is a
// deletion and deletions are to be dropped as well, which TiKV does later, once nothing lies below them
// (txn/actions/gc.rs). What carries no data, that is committed locks and rollbacks, protected ones included, is dropped
// as long as it is newer than that version; so is whatever is older. Locks stay.
//
// After it, a read below the safe point sees holes, and a late request of a transaction that old finds no evidence of
// conflicts and rollbacks any more.
func (e *Engine) Collect(x Extent, safePoint ports.Timestamp, deletions bool) int {
	dropped := 0
	for at := e.keys.seekFunc(x.txnStart); ; {
		entry := e.keys.at(at)
		if entry == nil || !x.Contains(entry.key) {
			return dropped
		}
		dropped += entry.value.collect(safePoint, deletions)
		if len(entry.value.writes) == 0 && entry.value.lock == nil {
			at = e.keys.remove(at)
		} else {
			at = e.keys.next(at)
		}
	}
}

// collect drops records of one key.
func (c *columns) collect(safePoint ports.Timestamp, deletions bool) int {
	newest := c.newest(safePoint)
	last := newest
	for last >= 0 && !c.writes[last].data() {
		last--
	}
	kept := last >= 0 && (c.writes[last].Kind == ports.KindPut || !deletions)
	records := len(c.writes)
	c.writes = slices.Delete(c.writes, last+1, newest+1)
	if !kept {
		last++
	}
	c.writes = slices.Delete(c.writes, 0, max(last, 0))
	return records - len(c.writes)
}
