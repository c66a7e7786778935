package sim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// do sends a request to the leader of the first region and awaits its reply.
func (s *station) do(req ports.Request) ports.Reply {
	s.t.Helper()
	ev := s.await(s.send(req))
	require.Equal(s.t, ports.EventReply, ev.Kind)
	return ev.Reply
}

func encoded(key string) []byte { return mvcc.AppendEncoded(nil, []byte(key)) }

// faultOf is the kind of the region error of a reply.
func faultOf(r ports.Reply) ports.FaultKind {
	if f := r.Region(); f != nil {
		return f.Kind
	}
	return ports.FaultNone
}

func TestSplitRegion(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("m")}})
	r := s.w.regions.ordered[0]
	reply := s.do(&ports.SplitRegionRequest{Keys: [][]byte{[]byte("g"), []byte("c")}}).(*ports.SplitRegionReply)
	require.Len(t, reply.Regions, 3)
	for i, want := range []ports.KeyRange{
		{End: encoded("c")}, {Start: encoded("c"), End: encoded("g")}, {Start: encoded("g"), End: encoded("m")},
	} {
		got := reply.Regions[i]
		require.Equal(t, want, got.Range)
		require.EqualValues(t, 3, got.Epoch.Version, "two keys, two versions for all of them")
		require.Zero(t, got.Leader, "TiKV names no leaders")
		require.Equal(t, s.w.Regions()[i].Peers, got.Peers)
	}
	require.Equal(t, r.ID, reply.Regions[2].ID, "the old region keeps the upper end")
	old := ports.Header{Region: r.RegionVersion, Peer: r.Peers[0]}
	old.Region.Epoch.Version = 1
	late := s.fault(s.sendTo(ports.Endpoint{Store: 1, Address: "store-1:20160"}, &old, &ports.SplitRegionRequest{
		Keys: [][]byte{[]byte("h")},
	}))
	require.Equal(t, ports.FaultEpochNotMatch, late.Kind)
	require.Len(t, late.Regions, 1, "without its siblings")
	for name, c := range map[string]struct {
		keys []string
		want ports.FaultKind
	}{
		"no key": {nil, ports.FaultOther}, "another region's": {[]string{"c"}, ports.FaultKeyNotInRegion},
		"twice the same": {[]string{"b", "b"}, ports.FaultOther},
	} {
		req := &ports.SplitRegionRequest{}
		for _, k := range c.keys {
			req.Keys = append(req.Keys, []byte(k))
		}
		require.Equal(t, c.want, faultOf(s.do(req)), name)
	}
	require.Len(t, s.w.Regions(), 4)
	s.w.SilencePD(ports.Forever)
	require.Equal(t, ports.FaultOther, faultOf(s.do(&ports.SplitRegionRequest{Keys: [][]byte{[]byte("b")}})))
	require.Len(t, s.w.Regions(), 4, "PD has no ids for new regions")

	s = newStation(t, raw(Boring{}, 0, "m"))
	split := s.do(&ports.SplitRegionRequest{Keys: [][]byte{[]byte("c")}, Raw: true}).(*ports.SplitRegionReply)
	require.Equal(t, "c", string(split.Regions[0].Range.End))
	s.w.Transfer(split.Regions[0].ID, 2)
	start := s.do(&ports.SplitRegionRequest{Keys: [][]byte{{}}, Raw: true})
	require.Equal(t, ports.FaultOther, faultOf(start), "the start of the region")
}

func TestDeleteRangeOfRegions(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("m")}})
	ts := s.write("b", "1")
	remove := func(from, to string, notify bool) ports.FaultKind {
		r := ports.KeyRange{Start: []byte(from), End: []byte(to)}
		return faultOf(s.do(&ports.DeleteRangeRequest{Range: r, NotifyOnly: notify}))
	}
	require.Equal(t, ports.FaultNone, remove("a", "c", true))
	require.Equal(t, "1", s.see("b", ts))
	require.Equal(t, ports.FaultKeyNotInRegion, remove("a", "n", false))
	require.Equal(t, ports.FaultKeyNotInRegion, remove("n", "o", false))
	require.Equal(t, ports.FaultOther, remove("a", "", false), "no end is the empty key")
	require.Equal(t, ports.FaultOther, remove("c", "b", false))
	require.Equal(t, ports.FaultOther, remove("b", "b", false))
	require.Equal(t, "1", s.see("b", ts))
	require.Equal(t, ports.FaultNone, remove("", "m", false))
	require.Empty(t, s.see("b", ts))
}

// TestDestroyRange: a store is asked, whatever regions the range touches and the header says.
func TestDestroyRange(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("b")}})
	s.write("a", "1")
	s.w.engine.PutLock([]byte("c"), mvcc.Lock{StartTS: 5, Kind: ports.KindPut})
	destroy := func(r ports.KeyRange) *ports.RangeReply {
		to := ports.Endpoint{Store: 2, Address: "store-2:20160"}
		gen := s.sendTo(to, &ports.Header{}, &ports.UnsafeDestroyRangeRequest{Range: r})
		return s.await(gen).Reply.(*ports.RangeReply)
	}
	require.NotEmpty(t, destroy(ports.KeyRange{Start: []byte("a")}).Text)
	require.NotEmpty(t, destroy(ports.KeyRange{End: []byte("a")}).Text)
	require.Equal(t, 2, s.w.engine.Len())
	require.Empty(t, destroy(ports.KeyRange{Start: []byte("a"), End: []byte("x")}).Text)
	require.Zero(t, s.w.engine.Len())
}

func TestFlashbackOfRegions(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("m")}})
	r := s.w.regions.ordered[0]
	old := s.write("a", "old")
	s.write("a", "new")
	start := s.w.allocate()
	finish := &ports.FlashbackToVersionRequest{StartTS: start, CommitTS: start + 1, Version: old}
	require.Equal(t, ports.FaultFlashbackNotPrepared, faultOf(s.do(finish)))
	prepare := &ports.PrepareFlashbackToVersionRequest{StartTS: start, Version: old}
	require.Equal(t, ports.FaultNone, faultOf(s.do(prepare)))

	require.Equal(t, "new", s.see("a", start-1), "reads below the flashback are served")
	for _, req := range []ports.Request{
		&ports.GetRequest{Key: []byte("a"), TS: start}, &ports.BatchGetRequest{TS: ports.MaxTimestamp},
		&ports.ScanRequest{TS: start + 1}, &ports.PrewriteRequest{}, &ports.TxnHeartBeatRequest{Primary: []byte("a")},
		&ports.SplitRegionRequest{Keys: [][]byte{[]byte("b")}},
	} {
		require.Equal(t, ports.FaultFlashbackInProgress, faultOf(s.do(req)), "%T", req)
	}
	for _, req := range []ports.Request{
		&ports.BatchGetRequest{TS: old}, &ports.ScanRequest{TS: old},
	} {
		require.Equal(t, ports.FaultNone, faultOf(s.do(req)), "%T", req)
	}
	require.False(t, s.w.Split(encoded("b")))
	require.False(t, s.w.Transfer(r.ID, r.Peers[1].Store))
	require.False(t, s.w.Merge(r.ID, s.w.regions.ordered[1].ID))
	require.False(t, s.w.ChangePeers(r.ID))

	wrong := *finish
	wrong.CommitTS = start
	require.NotEmpty(t, s.do(&wrong).(*ports.RangeReply).Text)
	require.True(t, r.inFlashback)
	for range 2 {
		require.Equal(t, ports.FaultNone, faultOf(s.do(finish)))
	}
	require.Equal(t, "old", s.see("a", ports.MaxTimestamp))
	require.True(t, s.w.Split(encoded("b")))
	out := ports.KeyRange{Start: []byte("x")}
	for _, req := range []ports.Request{
		&ports.PrepareFlashbackToVersionRequest{Range: out}, &ports.FlashbackToVersionRequest{Range: out},
	} {
		require.Equal(t, ports.FaultKeyNotInRegion, faultOf(s.do(req)))
	}
}

// TestFlashbackForgetsLocksInMemory: they leave no rollback behind, as those in the data do.
func TestFlashbackForgetsLocksInMemory(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteKeep: {0, 1}}, Faults: FaultsOf(FaultLostLock)})
	lock := func(key string, start ports.Timestamp) {
		require.Empty(t, s.do(&ports.PessimisticLockRequest{
			Mutations: []ports.Mutation{{Kind: ports.KindPessimisticLock, Key: []byte(key)}}, Primary: []byte(key),
			StartTS: start, ForUpdateTS: start, TTL: 1000,
		}).(*ports.PessimisticLockReply).Errors)
	}
	lock("a", 10)
	lock("b", 10)
	require.True(t, s.w.engine.InMemory(mvcc.Extent{}))
	s.do(&ports.PrepareFlashbackToVersionRequest{StartTS: 20, Version: 5})
	require.Empty(t, s.w.Locks())
	require.Equal(t, [2]int{1, 0}, [2]int{len(s.w.engine.Writes([]byte("a"))), len(s.w.engine.Writes([]byte("b")))})
}

func TestChecksumOfRegions(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	s.do(put("a", "1"))
	sum := func(starts ...string) ports.Reply {
		req := &ports.RawChecksumRequest{}
		for _, k := range starts {
			req.Ranges = append(req.Ranges, ports.KeyRange{Start: []byte(k)})
		}
		return s.do(req)
	}
	require.EqualValues(t, 1, sum("").(*ports.RawChecksumReply).Pairs)
	require.Zero(t, sum("b").(*ports.RawChecksumReply).Pairs)
	require.Equal(t, ports.FaultKeyNotInRegion, faultOf(sum("", "n")))
}

func TestBatchScanOfRegions(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0, "m"))
	s.do(put("a", "1"))
	s.do(put("b", "2"))
	span := func(from, to string) ports.KeyRange { return ports.KeyRange{Start: []byte(from), End: []byte(to)} }
	scan := func(req ports.RawBatchScanRequest) *ports.RawBatchScanReply {
		return s.do(&req).(*ports.RawBatchScanReply)
	}
	pairs := scan(ports.RawBatchScanRequest{EachLimit: 9, Ranges: []ports.KeyRange{span("b", "c"), span("a", "")}}).Pairs
	require.Equal(t, []string{"b", "a", "b"}, []string{string(pairs[0].Key), string(pairs[1].Key), string(pairs[2].Key)})
	for _, c := range []struct {
		limit   uint32
		ranges  []ports.KeyRange
		reverse bool
		want    ports.FaultKind
	}{
		{1, []ports.KeyRange{span("a", "b"), span("n", "o")}, false, ports.FaultKeyNotInRegion},
		{1, []ports.KeyRange{span("a", "n")}, true, ports.FaultKeyNotInRegion},
		{1, []ports.KeyRange{span("a", "m")}, true, ports.FaultNone},
		{0, []ports.KeyRange{span("n", "o")}, false, ports.FaultNone},
		{1, []ports.KeyRange{span("o", "n")}, false, ports.FaultNone},
	} {
		reply := scan(ports.RawBatchScanRequest{EachLimit: c.limit, Ranges: c.ranges, Reverse: c.reverse})
		require.Equal(t, c.want, faultOf(reply), "%v", c)
	}
	unknown := scan(ports.RawBatchScanRequest{CF: "raft"})
	require.Equal(t, "invalid cf name: raft", unknown.Pairs[0].Err.Text)
}
