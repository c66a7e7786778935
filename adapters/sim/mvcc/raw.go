package mvcc

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// rawFamilies is the number of column families that raw data can use.
const rawFamilies = 3

type rawValue struct {
	value []byte
	// expires is the second since 1970 from which on the value is gone, 0 for never.
	expires uint64
}

func (v *rawValue) alive(now uint64) bool { return v.expires == 0 || v.expires > now }

// Raw is the raw half of an engine at one moment: raw data has a clock of its own, the store's, in seconds since 1970
// (components/api_version/src/api_v1ttl.rs, components/engine_traits/src/raw_ttl.rs). Of API v1 it is the variant with
// TTL. API v2 differs in what nobody sees who reads: it keeps timestamps, and writes tombstones; and it knows only the
// default family, by no name.
type Raw struct {
	engine *Engine
	now    uint64
}

// Raw returns the raw half at the given second.
func (e *Engine) Raw(now uint64) Raw { return Raw{e, now} }

// family returns a column family by name (src/storage/mod.rs: rawkv_cf), and the error text of an unknown one.
func (r Raw) family(cf string) (*ordered[rawValue], string) {
	switch cf {
	case "", "default":
		return &r.engine.raw[0], ""
	case "lock":
		return &r.engine.raw[1], ""
	case "write":
		return &r.engine.raw[2], ""
	}
	return nil, "invalid cf name: " + cf
}

func (r Raw) find(family *ordered[rawValue], key []byte) *rawValue {
	if e := family.get(key); e != nil && e.value.alive(r.now) {
		return &e.value
	}
	return nil
}

func (r Raw) put(family *ordered[rawValue], key, value []byte, ttl uint64) {
	v := rawValue{value: append(make([]byte, 0, len(value)), value...)}
	switch {
	case ttl > math.MaxUint64-r.now:
		v.expires = math.MaxUint64
	case ttl > 0:
		v.expires = r.now + ttl
	}
	if e := family.get(key); e != nil {
		e.value = v
		return
	}
	family.insert(&entry[rawValue]{key: slices.Clone(key), value: v})
}

// maxKeySize is TiKV's default (src/storage/config.rs: DEFAULT_MAX_KEY_SIZE).
const maxKeySize = 8 << 10

// tooLarge is the error text of a key that is too long for a write that is not atomic (src/storage/mod.rs:
// check_key_size).
func tooLarge(key []byte, atomic bool) string {
	if atomic || len(key) <= maxKeySize {
		return ""
	}
	return fmt.Sprintf("max key size exceeded, size: %d, limit: %d", len(key), maxKeySize)
}

func remove(family *ordered[rawValue], key []byte) {
	if at, found := family.seek(key); found {
		family.remove(at)
	}
}

// Get reads one key.
func (r Raw) Get(req *ports.RawGetRequest, reply *ports.RawGetReply) {
	family, text := r.family(req.CF)
	if reply.Text = text; family == nil {
		return
	}
	v := r.find(family, req.Key)
	if reply.NotFound = v == nil; v != nil {
		reply.Value = v.value
	}
}

// BatchGet reads keys; absent ones have no pair. An unknown family is one pair with an error
// (src/storage/errors.rs: extract_kv_pairs).
func (r Raw) BatchGet(req *ports.RawBatchGetRequest, reply *ports.RawBatchGetReply) {
	family, text := r.family(req.CF)
	if family == nil {
		reply.Pairs = append(reply.Pairs, ports.Pair{Err: abort("%s", text)})
		return
	}
	for _, key := range req.Keys {
		if e := family.get(key); e != nil && e.value.alive(r.now) {
			reply.Pairs = append(reply.Pairs, ports.Pair{Key: e.key, Value: e.value.value})
		}
	}
}

// Put writes one key.
func (r Raw) Put(req *ports.RawPutRequest, reply *ports.RawWriteReply) {
	if reply.Text = tooLarge(req.Key, req.ForCAS); reply.Text != "" {
		return
	}
	family, text := r.family(req.CF)
	if reply.Text = text; family != nil {
		r.put(family, req.Key, req.Value, req.TTL)
	}
}

// BatchPut writes pairs.
func (r Raw) BatchPut(req *ports.RawBatchPutRequest, reply *ports.RawWriteReply) {
	family, text := r.family(req.CF)
	if reply.Text = text; family == nil {
		return
	}
	for i := range req.Pairs {
		if reply.Text = tooLarge(req.Pairs[i].Key, req.ForCAS); reply.Text != "" {
			return
		}
	}
	for i := range req.Pairs {
		r.put(family, req.Pairs[i].Key, req.Pairs[i].Value, req.Pairs[i].TTL)
	}
}

// Delete deletes one key.
func (r Raw) Delete(req *ports.RawDeleteRequest, reply *ports.RawWriteReply) {
	if reply.Text = tooLarge(req.Key, req.ForCAS); reply.Text != "" {
		return
	}
	family, text := r.family(req.CF)
	if reply.Text = text; family != nil {
		remove(family, req.Key)
	}
}

// BatchDelete deletes keys.
func (r Raw) BatchDelete(req *ports.RawBatchDeleteRequest, reply *ports.RawWriteReply) {
	family, text := r.family(req.CF)
	if reply.Text = text; family == nil {
		return
	}
	for _, key := range req.Keys {
		if reply.Text = tooLarge(key, req.ForCAS); reply.Text != "" {
			return
		}
	}
	for _, key := range req.Keys {
		remove(family, key)
	}
}

// DeleteRange deletes the keys of a range, which lies in the extent; with an empty end, all up to the extent's. A range
// that cannot hold a key is refused (raftstore: store/fsm/apply.rs: handle_delete_range).
func (r Raw) DeleteRange(req *ports.RawDeleteRangeRequest, x Extent, reply *ports.RawWriteReply) {
	for _, bound := range [...][]byte{req.Range.Start, req.Range.End} {
		if reply.Text = tooLarge(bound, false); reply.Text != "" {
			return
		}
	}
	family, text := r.family(req.CF)
	switch reply.Text = text; {
	case family == nil:
		return
	case req.Range.Empty():
		reply.Fault = &ports.RegionFault{Kind: ports.FaultOther, Text: "invalid delete range command"}
		return
	}
	at, _ := family.seek(req.Range.Start)
	for {
		e := family.at(at)
		if e == nil || !req.Range.Contains(e.key) || !x.ContainsRaw(e.key) {
			return
		}
		at = family.remove(at)
	}
}

// Scan reads at most Limit pairs inside the extent.
func (r Raw) Scan(req *ports.RawScanRequest, x Extent, reply *ports.RawScanReply) {
	family, text := r.family(req.CF)
	if family == nil {
		reply.Pairs = append(reply.Pairs, ports.Pair{Err: abort("%s", text)})
		return
	}
	take := func(e *entry[rawValue]) bool {
		if !e.value.alive(r.now) {
			return true
		}
		value := e.value.value
		if req.KeyOnly {
			value = nil
		}
		reply.Pairs = append(reply.Pairs, ports.Pair{Key: e.key, Value: value})
		return len(reply.Pairs) < int(req.Limit)
	}
	if req.Limit == 0 {
		return
	}
	if req.Reverse {
		scanDown(family, req.Range, x.ContainsRaw, x.rawEnd, take)
	} else {
		scanUp(family, req.Range, x.ContainsRaw, x.rawStart, take)
	}
}

func (x Extent) rawStart(key []byte) bool { return bytes.Compare(key, x.Start) >= 0 }

func (x Extent) rawEnd(key []byte) bool { return len(x.End) > 0 && bytes.Compare(key, x.End) >= 0 }

// GetKeyTTL returns the seconds that a key has left, 0 for ever (src/storage/raw/raw_mvcc.rs).
func (r Raw) GetKeyTTL(req *ports.RawGetKeyTTLRequest, reply *ports.RawGetKeyTTLReply) {
	family, text := r.family(req.CF)
	if reply.Text = text; family == nil {
		return
	}
	v := r.find(family, req.Key)
	if reply.NotFound = v == nil; v != nil && v.expires > 0 {
		reply.TTL = v.expires - r.now
	}
}

// CompareAndSwap writes or deletes a key if its value is the expected one (txn/commands/compare_and_swap.rs).
func (r Raw) CompareAndSwap(req *ports.RawCompareAndSwapRequest, reply *ports.RawCompareAndSwapReply) {
	family, text := r.family(req.CF)
	if reply.Text = text; family == nil {
		return
	}
	v := r.find(family, req.Key)
	if reply.PreviousAbsent = v == nil; v != nil {
		reply.Previous = v.value
	}
	reply.Succeeded = req.PreviousAbsent == (v == nil) && (v == nil || bytes.Equal(v.value, req.Previous))
	switch {
	case !reply.Succeeded:
	case req.Delete:
		remove(family, req.Key)
	default:
		r.put(family, req.Key, req.Value, req.TTL)
	}
}
