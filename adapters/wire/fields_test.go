package wire

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// exchange is the pair of messages of one verb, and a request that is valid enough to carry every field.
type exchange struct {
	verb        ports.Verb
	request     message
	response    message
	requestBase func() message
}

func exchanges() []exchange {
	return append([]exchange{
		{verb: ports.VerbGet, request: &kvrpcpb.GetRequest{}, response: &kvrpcpb.GetResponse{}},
		{verb: ports.VerbBatchGet, request: &kvrpcpb.BatchGetRequest{}, response: &kvrpcpb.BatchGetResponse{}},
		{verb: ports.VerbScan, request: &kvrpcpb.ScanRequest{}, response: &kvrpcpb.ScanResponse{}},
		{verb: ports.VerbPrewrite, request: &kvrpcpb.PrewriteRequest{}, response: &kvrpcpb.PrewriteResponse{}},
		{verb: ports.VerbCommit, request: &kvrpcpb.CommitRequest{}, response: &kvrpcpb.CommitResponse{}},
		{
			verb: ports.VerbBatchRollback, request: &kvrpcpb.BatchRollbackRequest{},
			response: &kvrpcpb.BatchRollbackResponse{},
		},
		{
			verb: ports.VerbCheckTxnStatus, request: &kvrpcpb.CheckTxnStatusRequest{},
			response: &kvrpcpb.CheckTxnStatusResponse{},
		},
		{verb: ports.VerbResolveLock, request: &kvrpcpb.ResolveLockRequest{}, response: &kvrpcpb.ResolveLockResponse{}},
		{verb: ports.VerbTxnHeartBeat, request: &kvrpcpb.TxnHeartBeatRequest{}, response: &kvrpcpb.TxnHeartBeatResponse{}},
		{
			verb: ports.VerbPessimisticRollback, request: &kvrpcpb.PessimisticRollbackRequest{},
			response: &kvrpcpb.PessimisticRollbackResponse{},
		},
		{verb: ports.VerbRawGet, request: &kvrpcpb.RawGetRequest{}, response: &kvrpcpb.RawGetResponse{}},
		{verb: ports.VerbRawBatchGet, request: &kvrpcpb.RawBatchGetRequest{}, response: &kvrpcpb.RawBatchGetResponse{}},
		{verb: ports.VerbRawPut, request: &kvrpcpb.RawPutRequest{}, response: &kvrpcpb.RawPutResponse{}},
		{
			verb: ports.VerbRawBatchPut, request: &kvrpcpb.RawBatchPutRequest{}, response: &kvrpcpb.RawBatchPutResponse{},
			requestBase: func() message { return &kvrpcpb.RawBatchPutRequest{Pairs: []*kvrpcpb.KvPair{{}}} },
		},
		{verb: ports.VerbRawDelete, request: &kvrpcpb.RawDeleteRequest{}, response: &kvrpcpb.RawDeleteResponse{}},
		{
			verb: ports.VerbRawBatchDelete, request: &kvrpcpb.RawBatchDeleteRequest{},
			response: &kvrpcpb.RawBatchDeleteResponse{},
		},
		{
			verb: ports.VerbRawDeleteRange, request: &kvrpcpb.RawDeleteRangeRequest{},
			response: &kvrpcpb.RawDeleteRangeResponse{},
		},
		{verb: ports.VerbRawScan, request: &kvrpcpb.RawScanRequest{}, response: &kvrpcpb.RawScanResponse{}},
		{verb: ports.VerbRawGetKeyTTL, request: &kvrpcpb.RawGetKeyTTLRequest{}, response: &kvrpcpb.RawGetKeyTTLResponse{}},
		{verb: ports.VerbRawCompareAndSwap, request: &kvrpcpb.RawCASRequest{}, response: &kvrpcpb.RawCASResponse{}},
		{
			verb: ports.VerbCheckSecondaryLocks, request: &kvrpcpb.CheckSecondaryLocksRequest{},
			response: &kvrpcpb.CheckSecondaryLocksResponse{},
		},
		{
			verb: ports.VerbPessimisticLock, request: &kvrpcpb.PessimisticLockRequest{},
			response: &kvrpcpb.PessimisticLockResponse{},
		},
		{verb: ports.VerbScanLock, request: &kvrpcpb.ScanLockRequest{}, response: &kvrpcpb.ScanLockResponse{}},
		{verb: ports.VerbFlush, request: &kvrpcpb.FlushRequest{}, response: &kvrpcpb.FlushResponse{}},
		{
			verb: ports.VerbBufferBatchGet, request: &kvrpcpb.BufferBatchGetRequest{},
			response: &kvrpcpb.BufferBatchGetResponse{},
		},
		{
			verb: ports.VerbStoreSafeTS, request: &kvrpcpb.StoreSafeTSRequest{},
			response: &kvrpcpb.StoreSafeTSResponse{},
		},
		{
			verb: ports.VerbBroadcastTxnStatus, request: &kvrpcpb.BroadcastTxnStatusRequest{},
			response: &kvrpcpb.BroadcastTxnStatusResponse{},
		},
		{verb: ports.VerbMvccGetByKey, request: &kvrpcpb.MvccGetByKeyRequest{}, response: &kvrpcpb.MvccGetByKeyResponse{}},
		{
			verb: ports.VerbMvccGetByStartTS, request: &kvrpcpb.MvccGetByStartTsRequest{},
			response: &kvrpcpb.MvccGetByStartTsResponse{},
		},
	}, adminExchanges()...)
}

// unused says of every field that is deliberately not mapped why it is not.
var unused = map[string]string{
	"Context.Term":                   "TiKV checks it for reads of snapshots taken elsewhere only",
	"Context.SyncLog":                "TiKV ignores it since 2.0",
	"Context.RecordTimeStat":         "execution details are not asked for",
	"Context.RecordScanStat":         "execution details are not asked for",
	"Context.AppliedIndex":           "for TiFlash",
	"Context.TaskId":                 "for coprocessor tasks",
	"Context.ResourceGroupTag":       "top-SQL is TiDB's",
	"Context.ApiVersion":             "API v1, the default, until keyspaces come",
	"Context.TraceContext":           "tracing comes with an adapter of its own",
	"Context.TxnSource":              "for TiCDC's bidirectional replication",
	"Context.BusyThresholdMs":        "comes with replica reads",
	"Context.ResourceControlContext": "comes with resource control",
	"Context.RequestOrigin":          "TiDB marks itself with it",
	"Context.KeyspaceName":           "comes with keyspaces",
	"Context.Keyspace":               "always the null keyspace, until keyspaces come",
	"Context.BucketsVersion":         "TiKV checks it for coprocessor requests only",
	"Context.SourceStmt":             "statements are TiDB's",
	"Context.TraceId":                "tracing comes with an adapter of its own",
	"Context.TraceControlFlags":      "tracing comes with an adapter of its own",

	"GetRequest.NeedCommitTs":                   "no caller wants the commit timestamp of a value",
	"GetResponse.CommitTs":                      "never asked for",
	"BatchGetRequest.NeedCommitTs":              "no caller wants the commit timestamp of a value",
	"KvPair.CommitTs":                           "never asked for",
	"ScanRequest.SampleStep":                    "sampling is for statistics of TiDB",
	"PrewriteRequest.TxnFileChunks":             "file-based transactions are TiDB's",
	"CommitRequest.UseAsyncCommit":              "async commit comes later",
	"CommitRequest.IsTxnFile":                   "file-based transactions are TiDB's",
	"BatchRollbackRequest.IsTxnFile":            "file-based transactions are TiDB's",
	"ResolveLockRequest.IsAsync":                "TiDB marks requests of its background worker with it",
	"TxnHeartBeatRequest.IsTxnFile":             "file-based transactions are TiDB's",
	"GetResponse.ExecDetailsV2":                 "execution details are skipped",
	"BatchGetResponse.ExecDetailsV2":            "execution details are skipped",
	"PrewriteResponse.ExecDetailsV2":            "execution details are skipped",
	"CommitResponse.ExecDetailsV2":              "execution details are skipped",
	"BatchRollbackResponse.ExecDetailsV2":       "execution details are skipped",
	"CheckTxnStatusResponse.ExecDetailsV2":      "execution details are skipped",
	"ResolveLockResponse.ExecDetailsV2":         "execution details are skipped",
	"TxnHeartBeatResponse.ExecDetailsV2":        "execution details are skipped",
	"PessimisticRollbackResponse.ExecDetailsV2": "execution details are skipped",

	"CheckSecondaryLocksResponse.ExecDetailsV2": "execution details are skipped",
	"PessimisticLockResponse.ExecDetailsV2":     "execution details are skipped",
	"PessimisticLockResponse.CommitTs":          "deprecated: TiKV does not set it",
	"PessimisticLockResponse.Value":             "deprecated: TiKV does not set it",
	"ScanLockResponse.ExecDetailsV2":            "execution details are skipped",
	"FlushResponse.ExecDetailsV2":               "execution details are skipped",
	"BufferBatchGetResponse.ExecDetailsV2":      "execution details are skipped",
	"Deadlock.DeadlockKey":                      "TiKV does not set it",
	"WaitForEntry.ResourceGroupTag":             "top-SQL is TiDB's",
	"PessimisticLockRequest.Force":              "deprecated: TiKV ignores it",
	"WaitForEntry.WaitTime":                     "TiKV does not set it",

	"RawBatchPutRequest.Ttl": "deprecated: each pair has its own",
	"KeyError.DebugInfo":     "for humans, and full of keys",

	"NotLeader.RegionId":                   "the request knows its region",
	"IsWitness.RegionId":                   "the request knows its region",
	"RegionNotFound.RegionId":              "the request knows its region",
	"RegionNotInitialized.RegionId":        "the request knows its region",
	"KeyNotInRegion.Key":                   "the request knows its keys",
	"KeyNotInRegion.RegionId":              "the request knows its region",
	"KeyNotInRegion.StartKey":              "the region is loaded anew; the store's bounds come without an epoch",
	"KeyNotInRegion.EndKey":                "the region is loaded anew; the store's bounds come without an epoch",
	"ServerIsBusy.AppliedIndex":            "TiKV does not set it",
	"RaftEntryTooLarge.RegionId":           "the request knows its region",
	"RaftEntryTooLarge.EntrySize":          "the request knows its size",
	"ReadIndexNotReady.RegionId":           "the request knows its region",
	"ProposalInMergingMode.RegionId":       "the request knows its region",
	"DataIsNotReady.RegionId":              "the request knows its region",
	"DataIsNotReady.PeerId":                "the request knows its peer",
	"RecoveryInProgress.RegionId":          "the request knows its region",
	"FlashbackInProgress.RegionId":         "the request knows its region",
	"FlashbackInProgress.FlashbackStartTs": "flashback is TiDB's",
	"SplitRegionRequest.SplitKey":          "deprecated",
	"SplitRegionResponse.Left":             "deprecated",
	"SplitRegionResponse.Right":            "deprecated",
	"SplitRegionResponse.Errors":           "reserved for file-based transactions, which are TiDB's",
	"RawChecksumRequest.Algorithm":         "there is only one",
	"FlashbackNotPrepared.RegionId":        "the request knows its region",
	"MismatchPeerId.RequestPeerId":         "the request knows its peer",
	"MismatchPeerId.StorePeerId":           "the region is loaded anew",
	"StoreNotMatch.RequestStoreId":         "the request knows its store",
	"Region.EncryptionMeta":                "for TiKV itself",
	"Region.IsInFlashback":                 "flashback is TiDB's",
	"Region.FlashbackStartTs":              "flashback is TiDB's",
}

// folded fields become the text of their fault.
var folded = []string{
	"ServerIsBusy.Reason", "DiskFull.Reason", "ReadIndexNotReady.Reason", "UndeterminedResult.Message",
}

// TestEveryFieldIsMappedOrNot sets one field of one message at a time, sends the message through the vocabulary of
// ports, and wants the field back; or finds it in the list of those that are not mapped.
func TestEveryFieldIsMappedOrNot(t *testing.T) {
	met := map[string]bool{}
	for _, x := range exchanges() {
		encoder, decoder := &Encoder{}, &Decoder{}
		request := func(body []byte) ([]byte, error) {
			r, err := DecodeRequest(x.verb, body)
			if err != nil {
				return nil, err
			}
			return encoder.Append(nil, r.Cluster, &r.Header, r.Request), nil
		}
		response := func(body []byte) ([]byte, error) {
			r, err := decoder.Decode(x.verb, body)
			if err != nil {
				return nil, err
			}
			return AppendReply(nil, r), nil
		}
		checkFields(t, x.request, x.requestBase, request, met)
		checkFields(t, x.response, nil, response, met)
	}
	for name := range unused {
		require.True(t, met[name], "the list of unused fields has %s, which no message has", name)
	}
	for _, name := range folded {
		require.True(t, met[name], name)
	}
}

func checkFields(
	t *testing.T, m message, base func() message, through func([]byte) ([]byte, error), met map[string]bool,
) {
	root := reflect.TypeOf(m).Elem()
	if base == nil {
		base = func() message { return reflect.New(root).Interface().(message) }
	}
	for _, path := range leaves(root, nil, nil) {
		var names []string
		for _, step := range path {
			names = append(names, step.name)
			met[step.name] = true
		}
		if names[0] == "RawBatchPutRequest.Pairs" && names[1] == "KvPair.Error" {
			continue // a request shares the message of a reply, and has no errors
		}
		last := names[len(names)-1]
		sent := base()
		set(reflect.ValueOf(sent).Elem(), path)
		body := marshal(t, sent)
		require.NotEmpty(t, body)
		back, err := through(body)
		require.NoError(t, err, "%v", names)
		got := reflect.New(root).Interface().(message)
		require.NoError(t, got.Unmarshal(back))
		survived := reflect.DeepEqual(get(reflect.ValueOf(got).Elem(), path), get(reflect.ValueOf(sent).Elem(), path))
		switch {
		case unused[last] != "":
			require.False(t, survived, "%v is mapped, and listed as unused", names)
		case slices.Contains(folded, last):
			require.Contains(t, string(back), "x", "%v", names)
		default:
			require.True(t, survived, "%v is neither mapped nor listed as unused", names)
		}
	}
}

// step is one field on the way from a message to a leaf.
type step struct {
	name  string
	index int
}

// leaves lists the ways to every field that is no message, and to every message without mapped fields.
func leaves(typ reflect.Type, path []step, above []reflect.Type) [][]step {
	if slices.Contains(above, typ) {
		return nil
	}
	above = append(slices.Clone(above), typ)
	var all [][]step
	for i := range typ.NumField() {
		f := typ.Field(i)
		if strings.HasPrefix(f.Name, "XXX_") {
			continue
		}
		here := append(slices.Clone(path), step{name: typ.Name() + "." + f.Name, index: i})
		inner := messageType(f.Type)
		if inner == nil || unused[typ.Name()+"."+f.Name] != "" || len(above) > 4 {
			all = append(all, here)
			continue
		}
		deeper := leaves(inner, here, above)
		if !slices.ContainsFunc(deeper, func(p []step) bool { return unused[p[len(p)-1].name] == "" }) {
			deeper = append(deeper, here)
		}
		all = append(all, deeper...)
	}
	return all
}

// messageType returns the message that a field holds, or a list of; nil for every other field.
func messageType(typ reflect.Type) reflect.Type {
	if typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct {
		return typ.Elem()
	}
	return nil
}

// set makes the field at the end of the path, and every message on the way, something other than zero.
func set(v reflect.Value, path []step) {
	f := v.Field(path[0].index)
	if len(path) == 1 {
		setLeaf(f)
		return
	}
	if f.Kind() == reflect.Slice {
		f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		f = f.Index(0)
	}
	if f.IsNil() {
		f.Set(reflect.New(f.Type().Elem()))
	}
	set(f.Elem(), path[1:])
}

func setLeaf(f reflect.Value) {
	switch f.Kind() {
	case reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
	case reflect.Bool:
		f.SetBool(true)
	case reflect.String:
		f.SetString("x")
	case reflect.Int32, reflect.Int64:
		f.SetInt(1)
	case reflect.Uint32, reflect.Uint64:
		f.SetUint(7)
	case reflect.Interface:
		f.Set(reflect.ValueOf(&kvrpcpb.Context_KeyspaceId{KeyspaceId: 7}))
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			f.SetBytes([]byte("x"))
			return
		}
		f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		setLeaf(f.Index(0))
	default:
		panic("a kind of field that this test does not know: " + f.Kind().String())
	}
}

// get returns the field at the end of the path, or nil where the path breaks off; of a message only that it is there.
func get(v reflect.Value, path []step) any {
	f := v.Field(path[0].index)
	if len(path) == 1 {
		if f.Kind() == reflect.Pointer {
			return !f.IsNil()
		}
		return f.Interface()
	}
	if f.Kind() == reflect.Slice {
		if f.Len() == 0 {
			return nil
		}
		f = f.Index(0)
	}
	if f.IsNil() {
		return nil
	}
	return get(f.Elem(), path[1:])
}

func marshal(t interface{ Fatal(...any) }, m message) []byte {
	body := make([]byte, m.Size())
	if _, err := m.MarshalToSizedBuffer(body); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestVerbsMatchTheService holds names and field numbers of the commands against TiKV's own description.
func TestVerbsMatchTheService(t *testing.T) {
	client := reflect.TypeFor[tikvpb.TikvClient]()
	requests, responses := map[uint32]string{}, map[uint32]string{}
	collectCommands(&tikvpb.BatchCommandsRequest_Request{}, requests)
	collectCommands(&tikvpb.BatchCommandsResponse_Response{}, responses)
	require.NotEmpty(t, requests)
	for _, x := range exchanges() {
		c := commandOf(x.verb)
		method, ok := client.MethodByName(c.method)
		require.True(t, ok, c.method)
		require.Equal(t, reflect.TypeOf(x.request), method.Type.In(1), c.method)
		require.Equal(t, reflect.TypeOf(x.response), method.Type.Out(0), c.method)
		back, ok := VerbOf(Method(x.verb))
		require.True(t, ok)
		require.Equal(t, x.verb, back)
		require.Equal(t, c.batch != 0, Batchable(x.verb))
		name := reflect.TypeOf(x.request).Elem().Name()
		if c.batch == 0 {
			require.NotContains(t, slices.Collect(maps.Values(requests)), name, "BatchCommands has a command for it")
			continue
		}
		require.Equal(t, name, requests[c.batch], c.method)
		require.Equal(t, reflect.TypeOf(x.response).Elem().Name(), responses[c.batch], c.method)
	}
	_, ok := VerbOf(BatchCommands)
	require.False(t, ok)
	_, ok = VerbOf("")
	require.False(t, ok)
	require.Empty(t, Method(ports.VerbNone))
	require.Equal(t, ports.Verbs-1, len(exchanges()))
}

// collectCommands lists the message types of a batched command by field number.
func collectCommands(m interface{ XXX_OneofWrappers() []any }, to map[uint32]string) {
	for _, w := range m.XXX_OneofWrappers() {
		f := reflect.TypeOf(w).Elem().Field(0)
		parts := strings.Split(f.Tag.Get("protobuf"), ",")
		var number uint32
		for _, c := range parts[1] {
			number = number*10 + uint32(c-'0')
		}
		to[number] = f.Type.Elem().Name()
	}
}
