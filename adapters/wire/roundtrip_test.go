package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/coprocessor"
	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

var requestTypes = []ports.Request{
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

// replyTypes are the replies, but for those of raw writes, which look alike, and of a broadcast, which says nothing.
var replyTypes = []ports.Reply{
	&ports.GetReply{}, &ports.BatchGetReply{}, &ports.ScanReply{}, &ports.PrewriteReply{}, &ports.CommitReply{},
	&ports.BatchRollbackReply{}, &ports.CheckTxnStatusReply{}, &ports.ResolveLockReply{}, &ports.TxnHeartBeatReply{},
	&ports.PessimisticRollbackReply{}, &ports.RawGetReply{}, &ports.RawBatchGetReply{}, &ports.RawScanReply{},
	&ports.RawGetKeyTTLReply{}, &ports.RawCompareAndSwapReply{},
	&ports.CheckSecondaryLocksReply{}, &ports.PessimisticLockReply{}, &ports.ScanLockReply{},
	&ports.RawChecksumReply{}, &ports.RawBatchScanReply{}, &ports.SplitRegionReply{},
	&ports.LockWaitInfoReply{},
	&ports.FlushReply{}, &ports.BufferBatchGetReply{}, &ports.MvccGetByKeyReply{}, &ports.MvccGetByStartTSReply{},
}

// fill draws a value of any type of the vocabulary. Times are whole milliseconds, as on the wire.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Duration:
		v.SetInt(int64(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond))
		return
	case ports.KeyError:
		v.Set(reflect.ValueOf(drawKeyError(t)))
		return
	case ports.RegionFault:
		v.Set(reflect.ValueOf(drawFault(t)))
		return
	case ports.LockKind:
		v.SetUint(uint64(rapid.Uint8Range(0, uint8(ports.KindSharedPessimisticLock)).Draw(t, "kind")))
		return
	case ports.TxnAction:
		v.SetUint(uint64(rapid.Uint8Range(0, uint8(ports.ActionLockNotExistDoNothing)).Draw(t, "action")))
		return
	case ports.Priority:
		v.SetUint(uint64(rapid.Uint8Range(0, uint8(ports.PriorityHigh)).Draw(t, "priority")))
		return
	case ports.PeerRole:
		v.SetUint(uint64(rapid.Uint8Range(0, uint8(ports.RoleDemotingVoter)).Draw(t, "role")))
		return
	}
	fillKind(t, v, depth)
}

func fillKind(t *rapid.T, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.String:
		v.SetString(rapid.StringN(0, 6, -1).Draw(t, "string"))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "number"))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<(8*v.Type().Size()-1)).Draw(t, "number"))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes"))
			return
		}
		n := rapid.IntRange(0, 3).Draw(t, "length")
		if depth > 3 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if rapid.IntRange(0, 3).Draw(t, "present") == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "Leader" || name == "Down" {
				continue // of a region that TiKV names
			}
			fill(t, v.Field(i), depth+1)
		}
	default:
		t.Fatalf("a kind of field that this test does not know: %s", v.Kind())
	}
}

// drawFault draws a region fault with the fields that its kind names.
func drawFault(t *rapid.T) ports.RegionFault {
	f := ports.RegionFault{
		Kind: ports.FaultKind(rapid.IntRange(int(ports.FaultOther), ports.FaultKinds-1).Draw(t, "fault")),
		Text: rapid.StringN(1, 6, -1).Draw(t, "text"),
	}
	v := reflect.ValueOf(&f).Elem()
	fields := map[ports.FaultKind][]string{
		ports.FaultNotLeader: {"Leader"}, ports.FaultServerIsBusy: {"Wait", "Backoff", "Deadline"},
		ports.FaultEpochNotMatch: {"Regions"}, ports.FaultStoreNotMatch: {"Store"}, ports.FaultDiskFull: {"Store"},
		ports.FaultDataIsNotReady:        {"SafeTS"},
		ports.FaultBucketVersionNotMatch: {"BucketVersion", "BucketKeys"}, ports.FaultOther: {"Deadline"},
	}
	for _, name := range fields[f.Kind] {
		fill(t, v.FieldByName(name), 1)
	}
	if f.Kind == ports.FaultOther && f.Deadline {
		f.Text = deadlineText
	}
	return f
}

// drawKeyError draws a key error with the fields that its kind names.
func drawKeyError(t *rapid.T) ports.KeyError {
	kinds := rapid.Uint8Range(uint8(ports.KeyErrorOther), uint8(ports.KeyTxnLockNotFound))
	k := ports.KeyError{Kind: ports.KeyErrorKind(kinds.Draw(t, "key error"))}
	v := reflect.ValueOf(&k).Elem()
	fields := map[ports.KeyErrorKind][]string{
		ports.KeyLocked: {"Lock"}, ports.KeyPrimaryMismatch: {"Lock"}, ports.KeyAlreadyExists: {"Key"},
		ports.KeyWriteConflict:    {"Key", "Primary", "StartTS", "ConflictTS", "ConflictCommitTS"},
		ports.KeyDeadlock:         {"LockTS", "DeadlockKeyHash", "Key", "WaitChain"},
		ports.KeyCommitTSTooLarge: {"MinCommitTS"},
		ports.KeyCommitTSExpired: {
			"Key", "StartTS", "AttemptedCommitTS", "MinCommitTS",
		},
		ports.KeyTxnNotFound: {"StartTS", "Primary"}, ports.KeyAssertionFailed: {
			"Key", "StartTS", "Assertion", "ConflictTS", "ConflictCommitTS",
		},
		ports.KeyTxnLockNotFound: {"Key"},
	}
	for _, name := range fields[k.Kind] {
		fill(t, v.FieldByName(name), 2)
	}
	switch k.Kind {
	case ports.KeyRetryable, ports.KeyAbort:
		k.Text = rapid.StringN(1, 6, -1).Draw(t, "text")
	case ports.KeyErrorOther:
		k.Text = keyErrorFromProto(&kvrpcpb.KeyError{}).Text
	case ports.KeyWriteConflict:
		k.Reason = ports.ConflictReason(rapid.IntRange(0, int(ports.ConflictNotLockedKeyConflict)).Draw(t, "reason"))
	default:
	}
	return k
}

// plain makes empty and absent lists the same, which the wire does not tell apart.
func plain(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			plain(v.Index(i))
		}
		if v.Len() == 0 {
			v.SetZero()
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			plain(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			plain(v.Field(i))
		}
	default:
	}
}

func requireSame(t require.TestingT, want, got any) {
	plain(reflect.ValueOf(want))
	plain(reflect.ValueOf(got))
	require.Equal(t, want, got)
}

func drawRequest(t *rapid.T) ports.Request {
	typ := rapid.SampledFrom(requestTypes).Draw(t, "verb")
	v := reflect.New(reflect.TypeOf(typ).Elem())
	fill(t, v.Elem(), 0)
	return v.Interface().(ports.Request)
}

func drawReply(t *rapid.T) ports.Reply {
	if rapid.IntRange(0, 9).Draw(t, "raw write") == 0 {
		verb := ports.Verb(rapid.IntRange(int(ports.VerbRawPut), int(ports.VerbRawDeleteRange)).Draw(t, "verb"))
		r := &ports.RawWriteReply{Of: verb}
		fill(t, reflect.ValueOf(r).Elem().FieldByName("ReplyHeader"), 0)
		r.Text = rapid.StringN(0, 6, -1).Draw(t, "text")
		return r
	}
	if rapid.IntRange(0, 9).Draw(t, "range") == 0 {
		r := &ports.RangeReply{Of: rapid.SampledFrom([]ports.Verb{
			ports.VerbDeleteRange, ports.VerbUnsafeDestroyRange, ports.VerbPrepareFlashbackToVersion,
			ports.VerbFlashbackToVersion,
		}).Draw(t, "verb")}
		fill(t, reflect.ValueOf(r).Elem().FieldByName("ReplyHeader"), 0)
		r.Text = rapid.StringN(0, 6, -1).Draw(t, "text")
		return r
	}
	typ := rapid.SampledFrom(replyTypes).Draw(t, "verb")
	v := reflect.New(reflect.TypeOf(typ).Elem())
	fill(t, v.Elem(), 0)
	return v.Interface().(ports.Reply)
}

func TestRequestsSurviveTheWire(t *testing.T) {
	encoder := &Encoder{}
	rapid.Check(t, func(t *rapid.T) {
		req, hdr := drawRequest(t), ports.Header{}
		fill(t, reflect.ValueOf(&hdr).Elem(), 0)
		cluster := rapid.Uint64().Draw(t, "cluster")
		body := encoder.Append([]byte("before"), cluster, &hdr, req)
		require.Equal(t, "before", string(body[:6]))
		got, err := DecodeRequest(req.Verb(), body[6:])
		require.NoError(t, err)
		if req.Verb() == ports.VerbStoreSafeTS {
			cluster, hdr = 0, ports.Header{} // it has no place for them
		}
		require.Equal(t, cluster, got.Cluster)
		requireSame(t, &hdr, &got.Header)
		requireSame(t, req, got.Request)
	})
}

func TestRepliesSurviveTheWire(t *testing.T) {
	decoder := &Decoder{}
	rapid.Check(t, func(t *rapid.T) {
		reply := drawReply(t)
		body := AppendReply(nil, reply)
		got, err := decoder.Decode(reply.Verb(), body)
		require.NoError(t, err)
		require.Equal(t, reply.Verb(), got.Verb())
		requireSame(t, reply, got)
		decoder.Forget()
	})
}

// TestDecoderAgreesWithKvproto sends what kvproto's own code has read and written once more, and adds fields that
// nobody knows: the decoder must see the same.
func TestDecoderAgreesWithKvproto(t *testing.T) {
	decoder := &Decoder{}
	responses := map[ports.Verb]reflect.Type{}
	for _, x := range exchanges() {
		responses[x.verb] = reflect.TypeOf(x.response).Elem()
	}
	rapid.Check(t, func(t *rapid.T) {
		reply := drawReply(t)
		body := AppendReply(nil, reply)
		m := reflect.New(responses[reply.Verb()]).Interface().(message)
		require.NoError(t, m.Unmarshal(body))
		if f := reflect.ValueOf(m).Elem().FieldByName("ExecDetailsV2"); f.IsValid() {
			f.Set(reflect.ValueOf(&kvrpcpb.ExecDetailsV2{TimeDetail: &kvrpcpb.TimeDetail{WaitWallTimeMs: 7}}))
		}
		again := insertUnknown(t, marshal(t, m))
		require.NoError(t, reflect.New(responses[reply.Verb()]).Interface().(message).Unmarshal(again))
		got, err := decoder.Decode(reply.Verb(), again)
		require.NoError(t, err)
		requireSame(t, reply, got)
	})
}

// insertUnknown puts fields with numbers that no message has before and behind the others.
func insertUnknown(t *rapid.T, body []byte) []byte {
	for range rapid.IntRange(0, 3).Draw(t, "unknown fields") {
		number := rapid.Uint32Range(101, 1<<20).Draw(t, "number")
		var f []byte
		switch rapid.IntRange(0, 3).Draw(t, "type") {
		case 0:
			f = binary.AppendUvarint(appendTag(nil, number, typeVarint), rapid.Uint64().Draw(t, "value"))
		case 1:
			f = appendBytes(nil, number, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes"))
		case 2:
			f = append(appendTag(nil, number, typeFixed8), make([]byte, 8)...)
		case 3:
			f = append(appendTag(nil, number, typeFixed4), make([]byte, 4)...)
		}
		if rapid.Bool().Draw(t, "in front") {
			body = append(f, body...)
		} else {
			body = append(body, f...)
		}
	}
	return body
}

func TestFramesAreKvprotos(t *testing.T) {
	ids := []uint64{1, 300, 1 << 40}
	sent := AppendCommand(nil, ports.VerbGet, []byte("\x12\x01k"))
	sent = AppendIDs(AppendCommand(sent, ports.VerbTxnHeartBeat, nil), ids[1:])
	var request tikvpb.BatchCommandsRequest
	require.NoError(t, request.Unmarshal(sent))
	require.Equal(t, ids[1:], request.RequestIds)
	require.Equal(t, "k", string(request.Requests[0].GetGet().Key))
	require.NotNil(t, request.Requests[1].GetTxnHeartBeat())

	answer := &tikvpb.BatchCommandsResponse{
		Responses: []*tikvpb.BatchCommandsResponse_Response{
			{Cmd: &tikvpb.BatchCommandsResponse_Response_Get{Get: &kvrpcpb.GetResponse{Value: []byte("v")}}},
			{Cmd: &tikvpb.BatchCommandsResponse_Response_Coprocessor{Coprocessor: &coprocessor.Response{}}},
			{},
		},
		RequestIds: ids, TransportLayerLoad: 7, TikvSendTimeNs: 9,
		HealthFeedback: &kvrpcpb.HealthFeedback{StoreId: 4, SlowScore: 90},
	}
	body, err := answer.Marshal()
	require.NoError(t, err)
	var frame Frame
	require.NoError(t, frame.Parse(body))
	require.Len(t, frame.Commands, 3)
	require.Equal(t, Command{ID: 1, Known: true, Verb: ports.VerbGet, Body: []byte("\x1a\x01v")}, frame.Commands[0])
	require.False(t, frame.Commands[1].Known, "a command that this client never sends")
	require.False(t, frame.Commands[1].Empty())
	require.True(t, frame.Commands[2].Empty())
	require.Equal(t, Command{ID: 1 << 40}, frame.Commands[2], "a command that the server does not know")
	require.EqualValues(t, 90, frame.Feedback.SlowScore)

	unpacked := AppendCommand(nil, ports.VerbNone, nil)
	unpacked = append(appendTag(unpacked, fieldIDs, typeVarint), 5)
	require.NoError(t, frame.Parse(unpacked))
	require.Equal(t, []Command{{ID: 5}}, frame.Commands)
	require.Nil(t, frame.Feedback)
}

func TestFramesSurviveTheWire(t *testing.T) {
	var frame Frame
	rapid.Check(t, func(t *rapid.T) {
		var want []Command
		var ids []uint64
		var body []byte
		for range rapid.IntRange(0, 5).Draw(t, "commands") {
			c := Command{ID: rapid.Uint64().Draw(t, "id"), Known: true}
			c.Verb = ports.Verb(rapid.IntRange(1, int(ports.VerbRawScan)).Draw(t, "verb"))
			c.Body = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
			want, ids = append(want, c), append(ids, c.ID)
			body = AppendCommand(body, c.Verb, c.Body)
		}
		body = AppendIDs(body, ids)
		require.NoError(t, frame.Parse(body))
		requireSame(t, &want, &frame.Commands)
	})
}

func TestMalformed(t *testing.T) {
	frames := map[string][]byte{
		"a command without an id":     AppendCommand(nil, ports.VerbGet, nil),
		"an id without a command":     AppendIDs(nil, []uint64{1}),
		"ids of the wrong type":       {fieldIDs<<3 | typeFixed4, 0, 0, 0, 0},
		"an endless id":               {fieldIDs<<3 | typeBytes, 1, 0x80},
		"an unpacked id too many":     {fieldIDs<<3 | typeVarint, 1},
		"commands of the wrong type":  {fieldCommands<<3 | typeVarint, 1},
		"a command that is cut":       {fieldCommands<<3 | typeBytes, 9, 1},
		"a command of garbage":        {fieldCommands<<3 | typeBytes, 1, 0xFF},
		"a group":                     {1<<3 | 3},
		"field zero":                  {0, 0},
		"feedback of garbage":         {fieldFeedback<<3 | typeBytes, 1, 0xFF},
		"a length beyond every bound": append([]byte{fieldCommands<<3 | typeBytes}, binary.AppendUvarint(nil, 1<<63)...),
		"a fixed field that is cut":   {9<<3 | typeFixed8, 1, 2},
		"a varint that is cut":        {9<<3 | typeVarint, 0x80},
	}
	for name, b := range frames {
		require.ErrorIs(t, new(Frame).Parse(b), ErrMalformed, name)
	}
	decoder := &Decoder{}
	for _, x := range exchanges() {
		for name, body := range map[string][]byte{
			"cut": {0x80}, "region error of garbage": {0x0A, 1, 0xFF}, "region error as number": {0x08, 1},
		} {
			_, err := decoder.Decode(x.verb, body)
			if x.verb == ports.VerbBroadcastTxnStatus && name != "cut" {
				require.NoError(t, err, "it knows no field at all")
				continue
			}
			if x.verb == ports.VerbStoreSafeTS && name == "region error as number" {
				require.NoError(t, err, "it is a number")
				continue
			}
			require.ErrorIs(t, err, ErrMalformed, "%T %s", x.response, name)
		}
		_, err := DecodeRequest(x.verb, []byte{0x80})
		require.ErrorIs(t, err, ErrMalformed, "%T", x.request)
	}
	for _, verb := range []ports.Verb{ports.VerbNone, ports.Verb(ports.Verbs), 255} {
		_, err := decoder.Decode(verb, nil)
		require.ErrorIs(t, err, ErrMalformed)
		_, err = DecodeRequest(verb, nil)
		require.ErrorIs(t, err, ErrMalformed)
	}
	for _, body := range [][]byte{{0x12, 1, 0xFF}, {0x10, 1}} {
		for _, verb := range []ports.Verb{ports.VerbGet, ports.VerbBatchGet, ports.VerbPrewrite, ports.VerbCommit} {
			_, err := decoder.Decode(verb, body)
			require.ErrorIs(t, err, ErrMalformed, "verb %d", verb)
		}
	}
	pairWith := func(pair ...byte) []byte { return appendBytes(nil, fieldPairs, pair) }
	for _, body := range [][]byte{pairWith(0x80), pairWith(0x08, 1), pairWith(0x0A, 1, 0xFF), {0x18, 1}} {
		_, err := decoder.Decode(ports.VerbScan, body)
		require.ErrorIs(t, err, ErrMalformed, "%x", body)
	}
	_, err := decoder.Decode(ports.VerbCommit, []byte{0x1A, 0})
	require.ErrorIs(t, err, ErrMalformed, "a number of the wrong type")
	_, err = decoder.Decode(ports.VerbRawGetKeyTTL, []byte{0x1A, 0})
	require.ErrorIs(t, err, ErrMalformed, "a number of the wrong type")
	_, err = decoder.Decode(ports.VerbRawCompareAndSwap, []byte{0x28, 0})
	require.ErrorIs(t, err, ErrMalformed, "a value of the wrong type")
	_, err = decoder.Decode(ports.VerbCheckTxnStatus, []byte{0x28, 77})
	require.ErrorIs(t, err, ErrMalformed, "an action that decides nothing that we know")
	lives := kvrpcpb.RawBatchPutRequest{Pairs: []*kvrpcpb.KvPair{{}, {}, {}}, Ttls: []uint64{1, 2}}
	_, err = DecodeRequest(ports.VerbRawBatchPut, marshal(t, &lives))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestOneLifeIsEveryPairs(t *testing.T) {
	m := kvrpcpb.RawBatchPutRequest{Pairs: []*kvrpcpb.KvPair{{}, {}}, Ttls: []uint64{9}}
	got, err := DecodeRequest(ports.VerbRawBatchPut, marshal(t, &m))
	require.NoError(t, err)
	for _, p := range got.Request.(*ports.RawBatchPutRequest).Pairs {
		require.EqualValues(t, 9, p.TTL)
	}
}

// TestWhatTiKVSaysInWords covers the errors that TiKV has no field for.
func TestWhatTiKVSaysInWords(t *testing.T) {
	busy := faultFromProto(&errorpb.Error{ServerIsBusy: &errorpb.ServerIsBusy{Reason: "Deadline is exceeded"}})
	require.True(t, busy.Deadline && busy.MayBeApplied())
	require.Equal(t, "Deadline is exceeded", busy.Text)
	other := faultFromProto(&errorpb.Error{Message: "Deadline is exceeded"})
	require.True(t, other.Kind == ports.FaultOther && other.Deadline)
	require.False(t, faultFromProto(&errorpb.Error{Message: "something else"}).Deadline)
	require.Equal(t, ports.FaultUndeterminedResult, faultFromProto(&errorpb.Error{
		NotLeader: &errorpb.NotLeader{}, UndeterminedResult: &errorpb.UndeterminedResult{},
	}).Kind, "what leaves a write in doubt counts")
	wait := faultFromProto(&errorpb.Error{ServerIsBusy: &errorpb.ServerIsBusy{BackoffMs: 1 << 63}})
	require.Equal(t, time.Hour, wait.Backoff, "a demand is bounded")
}

// TestReverseScansHaveAnUpperBound: TiKV finds nothing below an empty one.
func TestReverseScansHaveAnUpperBound(t *testing.T) {
	open := &ports.ScanRequest{Range: ports.KeyRange{Start: []byte("a")}, Reverse: true}
	var m kvrpcpb.ScanRequest
	require.NoError(t, m.Unmarshal(new(Encoder).Append(nil, 1, &ports.Header{}, open)))
	require.Equal(t, "a", string(m.EndKey))
	require.Greater(t, string(m.StartKey), string(bytes.Repeat([]byte{0xFF}, 8<<10)), "above the greatest key")

	m.StartKey = nil
	got, err := DecodeRequest(ports.VerbScan, marshal(t, &m))
	require.NoError(t, err)
	require.True(t, got.Request.(*ports.ScanRequest).Range.Empty())
}

// TestUnknownEnumsAreHarmless: a newer TiKV may send what this client has no word for.
func TestUnknownEnumsAreHarmless(t *testing.T) {
	require.Equal(t, ports.KindLock, kindFromProto(99))
	require.Equal(t, ports.KindLock, kindFromProto(-1))
	require.Equal(t, ports.ConflictUnknown, reasonFromProto(99))
	require.Equal(t, ports.RoleLearner, roleFromProto(99))
}

func TestSharedLocksDoNotNestWithoutEnd(t *testing.T) {
	lock := &kvrpcpb.LockInfo{}
	for range 50 {
		lock = &kvrpcpb.LockInfo{SharedLockInfos: []*kvrpcpb.LockInfo{lock}}
	}
	depth := 0
	for l := lockFromProto(lock, 0); len(l.Shared) > 0; l = l.Shared[0] {
		depth++
	}
	require.Equal(t, maxSharedDepth, depth)
}

func TestForeignRequestsAndRepliesEncodeToNothing(t *testing.T) {
	require.Empty(t, new(Encoder).Append(nil, 1, &ports.Header{}, nil))
	require.Empty(t, AppendReply(nil, foreignReply{}))
}

type foreignReply struct{ ports.Reply }

func (foreignReply) Region() *ports.RegionFault { return nil }

// FuzzDecode feeds every decoder with the same bytes: none may panic, every refusal is ErrMalformed, and what was
// understood once is understood again.
func FuzzDecode(f *testing.F) {
	for _, x := range exchanges() {
		f.Add(uint8(x.verb), []byte{0x0A, 2, 0x0A, 0, 0x12, 3, 0x12, 1, 'k', 0x18, 1})
	}
	f.Add(uint8(0), AppendIDs(AppendCommand(nil, ports.VerbGet, []byte("\x12\x01k")), []uint64{1}))
	f.Fuzz(func(t *testing.T, v uint8, body []byte) {
		verb := ports.Verb(v)
		var frame Frame
		if err := frame.Parse(body); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		if r, err := DecodeRequest(verb, body); err == nil {
			again, err := DecodeRequest(verb, new(Encoder).Append(nil, r.Cluster, &r.Header, r.Request))
			require.NoError(t, err)
			requireSame(t, r.Request, again.Request)
		} else if !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		r, err := new(Decoder).Decode(verb, body)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		again, err := new(Decoder).Decode(verb, AppendReply(nil, r))
		require.NoError(t, err)
		require.Equal(t, r.Region() == nil, again.Region() == nil)
	})
}
