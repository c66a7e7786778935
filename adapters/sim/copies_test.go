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

func TestCopiesOfRequestsAreComplete(t *testing.T) {
	require.Len(t, requests(), ports.Verbs-1, "a verb is missing")
	var c requestCopy
	for _, req := range requests() {
		n := 0
		fill(reflect.ValueOf(req).Elem(), &n)
		copied := c.set(req)
		require.Equal(t, req, copied)
		want := fmt.Sprintf("%+v", copied)
		var found [][]byte
		byteSlices(reflect.ValueOf(req), &found)
		require.NotEmpty(t, found)
		for _, b := range found {
			for i := range b {
				b[i] = 0xee
			}
		}
		require.Equal(t, want, fmt.Sprintf("%+v", copied), "%T shares memory with its copy", req)

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
		b.Release()
		for i := range after {
			require.Equal(t, originals[i], string(before[i]), "the engine's memory is untouched")
			require.Equal(t, bytes.Repeat([]byte{0xdb}, len(after[i])), after[i], "verb %s is not sealed", verbName(verb))
		}
	}
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
				header.Fault = nil
			case "fault":
				header.Fault = &ports.RegionFault{Kind: ports.FaultNotLeader}
			}
			if _, silent := b.reply.(*ports.PessimisticRollbackReply); silent && state == "filled" {
				continue // has nothing to say
			}
			if _, silent := b.reply.(*ports.RawWriteReply); silent && state == "filled" {
				continue
			}
			d := digestStart
			hashReply(&d, b.reply)
			require.Empty(t, seen[d], "%s %s", verbName(verb), state)
			seen[d] = verbName(verb) + " " + state
		}
	}
}
