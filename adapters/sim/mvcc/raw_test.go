package mvcc

import (
	"bytes"
	"hash/crc64"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// rawTwin holds the raw half of an engine against a map.
type rawTwin struct {
	engine Engine
	now    uint64
	model  map[string]rawValue
}

var rawKeys = []string{"a", "ab", "b", "c\x00", "d", "e"}

func (w *rawTwin) raw() Raw { return w.engine.Raw(w.now) }

// live returns the keys of the model that have not expired, in order.
func (w *rawTwin) live(r ports.KeyRange) []string {
	var keys []string
	for k, v := range w.model {
		if r.Contains([]byte(k)) && (v.expires == 0 || v.expires > w.now) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (w *rawTwin) find(key string) (rawValue, bool) {
	v, ok := w.model[key]
	return v, ok && (v.expires == 0 || v.expires > w.now)
}

func (w *rawTwin) store(key, value string, ttl uint64) {
	v := rawValue{value: []byte(value)}
	if ttl > 0 {
		v.expires = w.now + min(ttl, math.MaxUint64-w.now)
	}
	w.model[key] = v
}

func drawRaw(t *rapid.T) (key, value string, ttl uint64) {
	return rapid.SampledFrom(rawKeys).Draw(t, "key"), rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value"),
		rapid.SampledFrom([]uint64{0, 0, 1, 3, math.MaxUint64}).Draw(t, "ttl")
}

func (w *rawTwin) put(t *rapid.T) {
	key, value, ttl := drawRaw(t)
	w.raw().Put(&ports.RawPutRequest{Key: []byte(key), Value: []byte(value), TTL: ttl}, &ports.RawWriteReply{})
	w.store(key, value, ttl)
}

func (w *rawTwin) batchPut(t *rapid.T) {
	req := &ports.RawBatchPutRequest{CF: "default"}
	for range rapid.IntRange(0, 4).Draw(t, "count") {
		key, value, ttl := drawRaw(t)
		req.Pairs = append(req.Pairs, ports.KV{Key: []byte(key), Value: []byte(value), TTL: ttl})
		w.store(key, value, ttl)
	}
	w.raw().BatchPut(req, &ports.RawWriteReply{})
}

func (w *rawTwin) remove(t *rapid.T) {
	keys := rapid.SliceOfN(rapid.SampledFrom(rawKeys), 1, 3).Draw(t, "keys")
	if len(keys) == 1 {
		w.raw().Delete(&ports.RawDeleteRequest{Key: []byte(keys[0])}, &ports.RawWriteReply{})
	} else {
		w.raw().BatchDelete(&ports.RawBatchDeleteRequest{Keys: asBytes(keys)}, &ports.RawWriteReply{})
	}
	for _, k := range keys {
		delete(w.model, k)
	}
}

func drawRange(t *rapid.T) ports.KeyRange {
	bounds := rapid.SampledFrom([]string{"", "a", "aa", "b", "d", "z"})
	r := ports.KeyRange{Start: []byte(bounds.Draw(t, "from")), End: []byte(bounds.Draw(t, "to"))}
	if bytes.Compare(r.Start, r.End) > 0 && len(r.End) > 0 {
		r.Start, r.End = r.End, r.Start
	}
	return r
}

func (w *rawTwin) deleteRange(t *rapid.T) {
	r, x := drawRange(t), Extent{End: []byte("e")}
	w.raw().DeleteRange(&ports.RawDeleteRangeRequest{Range: r}, x, &ports.RawWriteReply{})
	for _, k := range rawKeys {
		if r.Contains([]byte(k)) && k < "e" {
			delete(w.model, k)
		}
	}
}

func (w *rawTwin) swap(t *rapid.T) {
	key, value, ttl := drawRaw(t)
	req := &ports.RawCompareAndSwapRequest{
		Key: []byte(key), Value: []byte(value), TTL: ttl, PreviousAbsent: rapid.Bool().Draw(t, "absent"),
		Previous: []byte(rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "previous")),
		Delete:   rapid.Bool().Draw(t, "delete"),
	}
	var reply ports.RawCompareAndSwapReply
	w.raw().CompareAndSwap(req, &reply)
	v, found := w.find(key)
	require.Equal(t, !found, reply.PreviousAbsent)
	if found {
		require.Equal(t, string(v.value), string(reply.Previous))
	}
	swapped := req.PreviousAbsent && !found || !req.PreviousAbsent && found && bytes.Equal(v.value, req.Previous)
	require.Equal(t, swapped, reply.Succeeded)
	switch {
	case swapped && req.Delete:
		delete(w.model, key)
	case swapped:
		w.store(key, value, ttl)
	}
}

func (w *rawTwin) scan(t *rapid.T) {
	req := &ports.RawScanRequest{
		Range: drawRange(t), Limit: uint32(rapid.IntRange(0, 4).Draw(t, "limit")),
		Reverse: rapid.Bool().Draw(t, "reverse"), KeyOnly: rapid.Bool().Draw(t, "keys only"),
	}
	x := Extent{Start: []byte("a"), End: []byte("d")}
	var reply ports.RawScanReply
	w.raw().Scan(req, x, &reply)
	want := slices.DeleteFunc(w.live(req.Range), func(k string) bool { return !x.ContainsRaw([]byte(k)) })
	if req.Reverse {
		slices.Reverse(want)
	}
	want = want[:min(len(want), int(req.Limit))]
	require.Len(t, reply.Pairs, len(want))
	for i, k := range want {
		require.Equal(t, k, string(reply.Pairs[i].Key))
		if !req.KeyOnly {
			require.Equal(t, string(w.model[k].value), string(reply.Pairs[i].Value))
		}
	}
}

func (w *rawTwin) batchScan(t *rapid.T) {
	req := &ports.RawBatchScanRequest{
		Ranges: []ports.KeyRange{drawRange(t), drawRange(t)}, EachLimit: uint32(rapid.IntRange(0, 3).Draw(t, "limit")),
		Reverse: rapid.Bool().Draw(t, "reverse"),
	}
	var want []string
	a, b := req.Ranges[0], req.Ranges[1]
	sound := true
	for i, r := range []ports.KeyRange{a, b} {
		switch first := i == 0; {
		case first && req.Reverse && len(a.Start) == 0:
			r.Start = b.End
			sound = sound && len(b.End) > 0 // the end of all keys
		case first && !req.Reverse && len(a.End) == 0:
			r.End = b.Start
		}
		sound = sound && (len(r.End) == 0 || string(r.Start) < string(r.End))
		keys := w.live(r)
		if req.Reverse {
			slices.Reverse(keys)
		}
		want = append(want, keys[:min(len(keys), int(req.EachLimit))]...)
	}
	var reply ports.RawBatchScanReply
	w.raw().BatchScan(req, Extent{}, &reply)
	if !sound {
		require.Len(t, reply.Pairs, 1)
		require.Contains(t, reply.Pairs[0].Err.Text, "Invalid KeyRanges")
		return
	}
	var got []string
	for _, p := range reply.Pairs {
		got = append(got, string(p.Key))
		require.Equal(t, string(w.model[string(p.Key)].value), string(p.Value))
	}
	require.Equal(t, want, got)
}

func (w *rawTwin) checksum(t *rapid.T) {
	req := &ports.RawChecksumRequest{Ranges: []ports.KeyRange{drawRange(t), drawRange(t)}}
	var want, got ports.RawChecksumReply
	for _, r := range req.Ranges {
		for _, k := range w.live(r) {
			if k < "d" {
				pair := k + string(w.model[k].value)
				want.Checksum ^= crc64.Checksum([]byte(pair), crc64.MakeTable(crc64.ECMA))
				want.Pairs, want.Bytes = want.Pairs+1, want.Bytes+uint64(len(pair))
			}
		}
	}
	w.raw().Checksum(req, Extent{End: []byte("d")}, &got)
	require.Equal(t, want, got)
}

// same reads every key in each way that there is.
func (w *rawTwin) same(t *rapid.T) {
	var batch ports.RawBatchGetReply
	w.raw().BatchGet(&ports.RawBatchGetRequest{Keys: asBytes(rawKeys)}, &batch)
	var keys []string
	for _, p := range batch.Pairs {
		keys = append(keys, string(p.Key))
	}
	require.Equal(t, w.live(ports.KeyRange{}), keys)
	for _, k := range rawKeys {
		v, found := w.find(k)
		var reply ports.RawGetReply
		w.raw().Get(&ports.RawGetRequest{Key: []byte(k)}, &reply)
		require.Equal(t, found, !reply.NotFound)
		var ttl ports.RawGetKeyTTLReply
		w.raw().GetKeyTTL(&ports.RawGetKeyTTLRequest{Key: []byte(k)}, &ttl)
		require.Equal(t, found, !ttl.NotFound)
		if found {
			require.Equal(t, string(v.value), string(reply.Value))
			require.NotNil(t, reply.Value, "an empty value is a value")
			require.Equal(t, v.expires > 0, ttl.TTL > 0)
			require.True(t, v.expires == 0 || ttl.TTL == v.expires-w.now)
		}
	}
}

func TestRawAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &rawTwin{now: 100, model: map[string]rawValue{}}
		t.Repeat(map[string]func(*rapid.T){
			"put": w.put, "batch put": w.batchPut, "delete": w.remove, "delete range": w.deleteRange, "swap": w.swap,
			"scan": w.scan, "checksum": w.checksum, "batch scan": w.batchScan,
			"": w.same, "wait": func(t *rapid.T) { w.now += uint64(rapid.IntRange(0, 2).Draw(t, "s")) },
		})
	})
}

func TestRawFamilies(t *testing.T) {
	var e Engine
	r := e.Raw(1)
	key := []byte("k")
	for _, cf := range []string{"default", "lock", "write"} {
		var put ports.RawWriteReply
		r.Put(&ports.RawPutRequest{Key: key, Value: []byte(cf), CF: cf}, &put)
		require.Empty(t, put.Text)
	}
	for cf, want := range map[string]string{"": "default", "default": "default", "lock": "lock", "write": "write"} {
		var get ports.RawGetReply
		r.Get(&ports.RawGetRequest{Key: key, CF: cf}, &get)
		require.Equal(t, want, string(get.Value))
	}

	const unknown = "raft"
	var get ports.RawGetReply
	r.Get(&ports.RawGetRequest{Key: key, CF: unknown}, &get)
	var ttl ports.RawGetKeyTTLReply
	r.GetKeyTTL(&ports.RawGetKeyTTLRequest{Key: key, CF: unknown}, &ttl)
	var swap ports.RawCompareAndSwapReply
	r.CompareAndSwap(&ports.RawCompareAndSwapRequest{Key: key, CF: unknown}, &swap)
	texts := []string{get.Text, ttl.Text, swap.Text}
	for _, write := range []func(*ports.RawWriteReply){
		func(w *ports.RawWriteReply) { r.Put(&ports.RawPutRequest{Key: key, CF: unknown}, w) },
		func(w *ports.RawWriteReply) { r.BatchPut(&ports.RawBatchPutRequest{CF: unknown}, w) },
		func(w *ports.RawWriteReply) { r.Delete(&ports.RawDeleteRequest{Key: key, CF: unknown}, w) },
		func(w *ports.RawWriteReply) { r.BatchDelete(&ports.RawBatchDeleteRequest{CF: unknown}, w) },
		func(w *ports.RawWriteReply) { r.DeleteRange(&ports.RawDeleteRangeRequest{CF: unknown}, Extent{}, w) },
	} {
		var reply ports.RawWriteReply
		write(&reply)
		texts = append(texts, reply.Text)
	}
	var batch ports.RawBatchGetReply
	r.BatchGet(&ports.RawBatchGetRequest{CF: unknown}, &batch)
	var scan ports.RawScanReply
	r.Scan(&ports.RawScanRequest{CF: unknown, Limit: 1}, Extent{}, &scan)
	texts = append(texts, batch.Pairs[0].Err.Text, scan.Pairs[0].Err.Text)
	for _, text := range texts {
		require.Contains(t, text, "raft")
	}
}
