package ports_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// keyFields says for every byte-string field of the vocabulary in which key space
// it lives: "user" keys are what users write and are translated by core/key once,
// on the way out and on the way in; "pd" keys are region bounds; "value" is no key.
// A field that is added to ports must be added here, so that nobody forgets to
// translate it once keyspaces exist.
var keyFields = map[string]string{
	"KeyRange.Start": "owner", "KeyRange.End": "owner", // as the struct that holds it
	"KV.Key": "user", "KV.Value": "value",
	"Pair.Key": "user", "Pair.Value": "value",
	"Mutation.Key": "user", "Mutation.Value": "value",
	"Lock.Key": "user", "Lock.Primary": "user", "Lock.Secondaries": "user",
	"KeyError.Key": "user", "KeyError.Primary": "user",
	"RegionFault.BucketKeys": "pd",
	"Buckets.Keys":           "pd",
	"Region.Range":           "pd", "StoreSafeTSRequest.Range": "pd",
	"Ask.Key": "pd", "Ask.Until": "pd", "Query.Key": "pd", "Query.End": "pd", "Fact.Key": "pd",

	"GetRequest.Key": "user", "BatchGetRequest.Keys": "user", "ScanRequest.Range": "user",
	"PrewriteRequest.Secondaries": "user", "CheckSecondaryLocksRequest.Keys": "user",
	"PessimisticLockRequest.Primary": "user", "PessimisticLockReply.Values": "value", "LockResult.Value": "value",
	"RawChecksumRequest.Ranges": "user", "RawBatchScanRequest.Ranges": "user",
	"DeleteRangeRequest.Range": "user", "SplitRegionRequest.Keys": "user",
	"UnsafeDestroyRangeRequest.Range": "user", "PrepareFlashbackToVersionRequest.Range": "user",
	"FlashbackToVersionRequest.Range": "user",
	"ScanLockRequest.Range":           "user",
	"FlushRequest.Primary":            "user", "BufferBatchGetRequest.Keys": "user",
	"MvccGetByKeyRequest.Key": "user", "MvccGetByStartTSReply.Key": "user", "MvccValue.Value": "value",
	"MvccLock.Primary": "user", "MvccLock.Secondaries": "user", "MvccLock.ShortValue": "value",
	"MvccWrite.ShortValue":    "value",
	"WaitFor.Key":             "user",
	"PrewriteRequest.Primary": "user", "CommitRequest.Keys": "user", "CommitRequest.Primary": "user",
	"BatchRollbackRequest.Keys": "user", "CheckTxnStatusRequest.Primary": "user",
	"ResolveLockRequest.Keys": "user", "TxnHeartBeatRequest.Primary": "user",
	"PessimisticRollbackRequest.Keys": "user",
	"RawGetRequest.Key":               "user", "RawBatchGetRequest.Keys": "user", "RawPutRequest.Key": "user",
	"RawPutRequest.Value": "value", "RawDeleteRequest.Key": "user", "RawBatchDeleteRequest.Keys": "user",
	"RawDeleteRangeRequest.Range": "user", "RawScanRequest.Range": "user", "RawGetKeyTTLRequest.Key": "user",
	"RawCompareAndSwapRequest.Key": "user", "RawCompareAndSwapRequest.Value": "value",
	"RawCompareAndSwapRequest.Previous": "value",
	"GetReply.Value":                    "value", "RawGetReply.Value": "value", "RawCompareAndSwapReply.Previous": "value",
}

// requests and replies are one value of each request and reply struct.
var (
	requests = []ports.Request{
		&ports.GetRequest{}, &ports.BatchGetRequest{}, &ports.ScanRequest{}, &ports.PrewriteRequest{},
		&ports.CommitRequest{}, &ports.BatchRollbackRequest{}, &ports.CheckTxnStatusRequest{},
		&ports.ResolveLockRequest{}, &ports.TxnHeartBeatRequest{}, &ports.PessimisticRollbackRequest{},
		&ports.RawGetRequest{}, &ports.RawBatchGetRequest{}, &ports.RawPutRequest{}, &ports.RawBatchPutRequest{},
		&ports.RawDeleteRequest{}, &ports.RawBatchDeleteRequest{}, &ports.RawDeleteRangeRequest{},
		&ports.RawScanRequest{}, &ports.RawGetKeyTTLRequest{}, &ports.RawCompareAndSwapRequest{},
		&ports.CheckSecondaryLocksRequest{}, &ports.PessimisticLockRequest{}, &ports.ScanLockRequest{},
		&ports.RawChecksumRequest{}, &ports.RawBatchScanRequest{},
		&ports.DeleteRangeRequest{}, &ports.UnsafeDestroyRangeRequest{},
		&ports.PrepareFlashbackToVersionRequest{}, &ports.FlashbackToVersionRequest{}, &ports.SplitRegionRequest{},
		&ports.LockWaitInfoRequest{},
		&ports.FlushRequest{}, &ports.BufferBatchGetRequest{}, &ports.BroadcastTxnStatusRequest{},
		&ports.StoreSafeTSRequest{},
		&ports.MvccGetByKeyRequest{}, &ports.MvccGetByStartTSRequest{},
	}
	replies = []ports.Reply{
		&ports.GetReply{}, &ports.BatchGetReply{}, &ports.ScanReply{}, &ports.PrewriteReply{},
		&ports.CommitReply{}, &ports.BatchRollbackReply{}, &ports.CheckTxnStatusReply{},
		&ports.ResolveLockReply{}, &ports.TxnHeartBeatReply{}, &ports.PessimisticRollbackReply{},
		&ports.RawGetReply{}, &ports.RawBatchGetReply{}, &ports.RawWriteReply{Of: ports.VerbRawPut},
		&ports.RawScanReply{}, &ports.RawGetKeyTTLReply{}, &ports.RawCompareAndSwapReply{},
		&ports.CheckSecondaryLocksReply{}, &ports.PessimisticLockReply{}, &ports.ScanLockReply{},
		&ports.RawChecksumReply{}, &ports.RawBatchScanReply{},
		&ports.RangeReply{Of: ports.VerbDeleteRange}, &ports.SplitRegionReply{},
		&ports.LockWaitInfoReply{},
		&ports.FlushReply{}, &ports.BufferBatchGetReply{}, &ports.BroadcastTxnStatusReply{},
		&ports.StoreSafeTSReply{},
		&ports.MvccGetByKeyReply{}, &ports.MvccGetByStartTSReply{},
	}
)

func TestEveryKeyFieldIsClassified(t *testing.T) {
	found := map[string]bool{}
	seen := map[reflect.Type]bool{}
	for _, r := range requests {
		collectKeyFields(reflect.TypeOf(r), seen, found)
	}
	for _, r := range replies {
		collectKeyFields(reflect.TypeOf(r), seen, found)
	}
	for _, v := range []any{ports.Region{}, ports.Ask{}, ports.Query{}, ports.Fact{}, ports.Event{}, ports.Header{}} {
		collectKeyFields(reflect.TypeOf(v), seen, found)
	}
	var missing, gone []string
	for f := range found {
		if keyFields[f] == "" {
			missing = append(missing, f)
		}
	}
	for f := range keyFields {
		if !found[f] {
			gone = append(gone, f)
		}
	}
	slices.Sort(missing)
	slices.Sort(gone)
	require.Empty(t, missing, "fields without a key space")
	require.Empty(t, gone, "classified fields that do not exist")
}

func collectKeyFields(typ reflect.Type, seen map[reflect.Type]bool, found map[string]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] {
		return
	}
	seen[typ] = true
	holders := []reflect.Type{
		reflect.TypeFor[[]byte](), reflect.TypeFor[[][]byte](), reflect.TypeFor[ports.KeyRange](),
		reflect.TypeFor[[]ports.KeyRange](),
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if slices.Contains(holders, f.Type) {
			found[typ.Name()+"."+f.Name] = true
		}
		collectKeyFields(f.Type, seen, found)
	}
}

func TestEveryVerbHasItsRequestAndReply(t *testing.T) {
	asked, answered := map[ports.Verb]bool{}, map[ports.Verb]bool{}
	for _, r := range requests {
		require.False(t, asked[r.Verb()], "two requests of verb %d", r.Verb())
		asked[r.Verb()] = true
	}
	for _, r := range replies {
		answered[r.Verb()] = true
		require.Nil(t, r.Region())
	}
	writes := []ports.Verb{
		ports.VerbUnsafeDestroyRange, ports.VerbPrepareFlashbackToVersion, ports.VerbFlashbackToVersion,
		ports.VerbRawPut, ports.VerbRawBatchPut, ports.VerbRawDelete, ports.VerbRawBatchDelete, ports.VerbRawDeleteRange,
	}
	for v := ports.VerbNone + 1; int(v) < ports.Verbs; v++ {
		require.True(t, asked[v], "no request of verb %d", v)
		require.True(t, answered[v] || slices.Contains(writes, v), "no reply of verb %d", v)
	}
}

func TestReplyCarriesItsRegionFault(t *testing.T) {
	fault := &ports.RegionFault{Kind: ports.FaultNotLeader}
	r := &ports.GetReply{ReplyHeader: ports.ReplyHeader{Fault: fault}}
	require.Same(t, fault, ports.Reply(r).Region())
}
