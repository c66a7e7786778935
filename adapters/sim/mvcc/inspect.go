package mvcc

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// shortValue is the length up to which a value lies in its lock and record (components/txn_types/src/types.rs:
// SHORT_VALUE_MAX_LEN).
const shortValue = 255

// MvccGetByKey tells everything that is kept for a key (txn/commands/mvcc_by_key.rs).
func (e *Engine) MvccGetByKey(req *ports.MvccGetByKeyRequest, reply *ports.MvccGetByKeyReply) {
	if at := e.keys.get(req.Key); at != nil {
		reply.Info = at.value.info()
	}
}

// MvccGetByStartTS tells everything that is kept for the first key of the extent that has a record of the transaction;
// locks do not count (txn/commands/mvcc_by_start_ts.rs; reader.rs: seek_ts).
func (e *Engine) MvccGetByStartTS(req *ports.MvccGetByStartTSRequest, x Extent, reply *ports.MvccGetByStartTSReply) {
	scanUp(&e.keys, ports.KeyRange{}, x.Contains, x.txnStart, func(at *entry[columns]) bool {
		if !slices.ContainsFunc(at.value.writes, func(w Write) bool { return w.StartTS == req.StartTS }) {
			return true
		}
		reply.Key, reply.Info = at.key, at.value.info()
		return false
	})
}

// info is what TiKV tells of a key; of the lock it tells no more than this, of shared locks the first one, and of
// records never the last change (src/storage/types.rs: into_proto; txn/actions/mvcc.rs). The last change that it tells
// of locks is not kept here.
func (c *columns) info() ports.MvccInfo {
	var info ports.MvccInfo
	if l := c.lock; l != nil {
		if l.shared != nil {
			l = &l.shared.members[0]
		}
		info.Lock = &ports.MvccLock{Kind: l.Kind, StartTS: l.StartTS, Primary: l.Primary}
		info.Lock.ShortValue = keep(&info, l.StartTS, l.Value)
	}
	for i := len(c.writes) - 1; i >= 0; i-- {
		w := &c.writes[i]
		record := ports.MvccWrite{
			Kind: w.Kind, StartTS: w.StartTS, CommitTS: w.CommitTS, HasOverlappedRollback: w.OverlappedRollback,
			HasGCFence: w.fenced, GCFence: w.fence, ShortValue: keep(&info, w.StartTS, w.Value),
		}
		if w.Protected {
			record.ShortValue = []byte("p") // components/txn_types/src/write.rs: PROTECTED_ROLLBACK_SHORT_VALUE
		}
		info.Writes = append(info.Writes, record)
	}
	slices.SortFunc(info.Values, func(a, b ports.MvccValue) int {
		if a.StartTS > b.StartTS {
			return -1
		}
		return 1
	})
	return info
}

// keep returns a short value; a long one it puts where those are.
func keep(info *ports.MvccInfo, start ports.Timestamp, v []byte) []byte {
	if len(v) <= shortValue {
		return v
	}
	info.Values = append(info.Values, ports.MvccValue{StartTS: start, Value: v})
	return nil
}
