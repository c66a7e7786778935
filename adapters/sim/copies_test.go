package sim

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// requests has one request of each kind, empty.
func requests() []ports.Request {
	return []ports.Request{
		&ports.GetRequest{}, &ports.BatchGetRequest{}, &ports.ScanRequest{}, &ports.PrewriteRequest{},
		&ports.CommitRequest{}, &ports.BatchRollbackRequest{}, &ports.CheckTxnStatusRequest{}, &ports.ResolveLockRequest{},
		&ports.TxnHeartBeatRequest{}, &ports.PessimisticRollbackRequest{}, &ports.RawGetRequest{},
		&ports.RawBatchGetRequest{}, &ports.RawPutRequest{}, &ports.RawBatchPutRequest{}, &ports.RawDeleteRequest{},
		&ports.RawBatchDeleteRequest{}, &ports.RawDeleteRangeRequest{}, &ports.RawScanRequest{},
		&ports.RawGetKeyTTLRequest{}, &ports.RawCompareAndSwapRequest{},
		&ports.CheckSecondaryLocksRequest{}, &ports.PessimisticLockRequest{}, &ports.ScanLockRequest{},
		&ports.RawChecksumRequest{}, &ports.RawBatchScanRequest{},
		&ports.DeleteRangeRequest{}, &ports.UnsafeDestroyRangeRequest{},
		&ports.PrepareFlashbackToVersionRequest{}, &ports.FlashbackToVersionRequest{}, &ports.SplitRegionRequest{},
		&ports.LockWaitInfoRequest{},
		&ports.FlushRequest{}, &ports.BufferBatchGetRequest{}, &ports.BroadcastTxnStatusRequest{},
		&ports.StoreSafeTSRequest{},
		&ports.MvccGetByKeyRequest{}, &ports.MvccGetByStartTSRequest{},
	}
}

// fill sets everything that can be reached to something.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Appendf(nil, "bytes %d", *n))
			return
		}
		if v.Type().Elem() == v.Type() || *n > 200 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		if v.CanUint() {
			v.SetUint(uint64(*n%200 + 1))
		} else {
			v.SetInt(int64(*n))
		}
	}
}

// byteSlices collects every []byte that can be reached.
func byteSlices(v reflect.Value, found *[][]byte) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			byteSlices(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			byteSlices(v.Field(i), found)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			*found = append(*found, v.Bytes())
			return
		}
		for i := range v.Len() {
			byteSlices(v.Index(i), found)
		}
	default:
	}
}

// places collects the addresses of all lists and structs that can be reached.
func places(v reflect.Value, found map[uintptr]reflect.Type) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			if v.Elem().Type().Size() > 0 { // what has no size has no memory of its own
				found[v.Pointer()] = v.Type()
			}
			places(v.Elem(), found)
		}
	case reflect.Interface:
		places(v.Elem(), found)
	case reflect.Struct:
		for i := range v.NumField() {
			places(v.Field(i), found)
		}
	case reflect.Slice:
		if v.Len() > 0 {
			found[v.Pointer()] = v.Type()
		}
		for i := range v.Len() {
			places(v.Index(i), found)
		}
	default:
	}
}

// shared returns what can be reached from both of two values.
func shared(a, b any) []reflect.Type {
	one, other := map[uintptr]reflect.Type{}, map[uintptr]reflect.Type{}
	places(reflect.ValueOf(a), one)
	places(reflect.ValueOf(b), other)
	var common []reflect.Type
	for at, typ := range one {
		if other[at] != nil {
			common = append(common, typ)
		}
	}
	return common
}

func TestCopiesOfRequestsAreComplete(t *testing.T) {
	require.Len(t, requests(), ports.Verbs-1, "a verb is missing")
	var c requestCopy
	for _, req := range requests() {
		n := 0
		fill(reflect.ValueOf(req).Elem(), &n)
		copied := c.set(req)
		require.Equal(t, req, copied)
		require.Empty(t, shared(req, copied), "%T shares memory with its copy", req)

		empty := reflect.New(reflect.TypeOf(req).Elem()).Interface().(ports.Request)
		require.Equal(t, empty, c.set(empty), "nil stays nil")
	}
	require.Nil(t, c.set(nil))
}

func TestSealedRepliesOwnTheirMemory(t *testing.T) {
	w, err := New(Config{Chooser: Boring{}})
	require.NoError(t, err)
	for verb := ports.VerbNone + 1; verb < ports.Verb(ports.Verbs); verb++ {
		b := w.newReply()
		header := b.header(verb)
		require.Equal(t, verb, b.reply.Verb())
		n := 0
		fill(reflect.ValueOf(b.reply).Elem(), &n)
		if write, ok := b.reply.(*ports.RawWriteReply); ok {
			write.Of = verb
		}
		header.Fault = nil
		var before [][]byte
		byteSlices(reflect.ValueOf(b.reply), &before)
		originals := make([]string, len(before))
		for i := range before {
			originals[i] = string(before[i])
		}
		b.seal()
		var after [][]byte
		byteSlices(reflect.ValueOf(b.reply), &after)
		require.Len(t, after, len(before))
		for i := range after {
			require.Equal(t, originals[i], string(after[i]), "verb %s", verbName(verb))
		}
		reply := b.reply
		b.Release()
		if write, ok := reply.(*ports.RawWriteReply); ok {
			write.Of = 0
		}
		require.True(t, reflect.ValueOf(reply).Elem().IsZero(), "verb %s is not wiped", verbName(verb))
		for i := range after {
			require.Equal(t, originals[i], string(before[i]), "the engine's memory is untouched")
			require.Equal(t, bytes.Repeat([]byte{0xdb}, len(after[i])), after[i], "verb %s is not sealed", verbName(verb))
		}
	}
}

// Hot replies are filled into lists of their buffer. Those of rare ones may be anybody's until they are sealed: sealing
// takes everything over, and whoever keeps a part of it finds it empty once it is released.
func TestSealedRareRepliesShareNothing(t *testing.T) {
	w, err := New(Config{Chooser: Boring{}})
	require.NoError(t, err)
	rare := 0
	for verb := ports.VerbNone + 1; verb < ports.Verb(ports.Verbs); verb++ {
		b := w.newReply()
		header := b.header(verb)
		if b.rare == nil {
			continue
		}
		rare++
		n := 0
		fill(reflect.ValueOf(b.rare).Elem(), &n)
		header.Fault = nil
		before := reflect.New(reflect.TypeOf(b.rare).Elem())
		before.Elem().Set(reflect.ValueOf(b.rare).Elem())
		b.seal()
		require.Equal(t, before.Interface(), b.rare)
		require.Empty(t, shared(before.Interface(), b.rare), "verb %s is not sealed", verbName(verb))

		kept := reflect.New(reflect.TypeOf(b.rare).Elem()).Elem()
		kept.Set(reflect.ValueOf(b.rare).Elem())
		b.Release()
		for i := range kept.NumField() {
			switch f := kept.Field(i); f.Kind() {
			case reflect.Pointer:
				require.True(t, f.Elem().IsZero(), "verb %s: %s", verbName(verb), f.Type())
			case reflect.Slice:
				for j := range f.Len() {
					require.True(t, f.Type().Elem().Kind() == reflect.Uint8 || f.Index(j).IsZero(), "verb %s", verbName(verb))
				}
			default:
			}
		}
	}
	require.NotZero(t, rare)
	require.Panics(t, func() { rareReply(ports.VerbNone) })
}

// A region error tells of the world's own regions.
func TestSealedFaultsShareNothing(t *testing.T) {
	w, err := New(Config{Chooser: Boring{}})
	require.NoError(t, err)
	b := w.newReply()
	header := b.header(ports.VerbGet)
	n := 0
	fill(reflect.ValueOf(&b.fault).Elem(), &n)
	before := b.fault
	header.Fault = &b.fault
	b.seal()
	require.Equal(t, before, b.fault)
	require.Empty(t, shared(&before.Regions, &b.fault.Regions))
	require.Empty(t, shared(&before.BucketKeys, &b.fault.BucketKeys))
	kept := b.fault
	b.Release()
	require.NotZero(t, before.Regions[0].Peers[0])
	require.Zero(t, kept.Regions[0])
	require.Nil(t, kept.BucketKeys[0])
}

// What a reply says is in the hash: no two of these are the same run.
func TestRepliesAreInTheHash(t *testing.T) {
	seen := map[digest]string{}
	for verb := ports.VerbNone + 1; verb < ports.Verb(ports.Verbs); verb++ {
		var b replyBuffer
		header := b.header(verb)
		for _, state := range []string{"empty", "filled", "fault"} {
			n := 0
			switch state {
			case "filled":
				fill(reflect.ValueOf(b.reply).Elem(), &n)
				if write, ok := b.reply.(*ports.RawWriteReply); ok {
					write.Of = verb
				}
				if change, ok := b.reply.(*ports.RangeReply); ok {
					change.Of = verb
				}
				header.Fault = nil
			case "fault":
				header.Fault = &ports.RegionFault{Kind: ports.FaultNotLeader}
			}
			if _, silent := b.reply.(*ports.RawWriteReply); silent && state == "filled" {
				continue
			}
			if _, silent := b.reply.(*ports.BroadcastTxnStatusReply); silent && state == "filled" {
				continue
			}
			d := digestStart
			hashReply(&d, b.reply)
			require.Empty(t, seen[d], "%s %s", verbName(verb), state)
			seen[d] = verbName(verb) + " " + state
		}
	}
}
