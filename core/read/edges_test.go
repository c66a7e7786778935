package read

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// TiKV names the key of a locked pair in its lock, and that of a set of shared locks
// in its members.
func TestLockedKey(t *testing.T) {
	for _, p := range []ports.Pair{
		{Key: []byte("k"), Err: &ports.KeyError{}},
		{Err: &ports.KeyError{Lock: ports.Lock{Key: []byte("k")}}},
		{Err: &ports.KeyError{Lock: ports.Lock{Shared: []ports.Lock{{Key: []byte("k")}}}}},
	} {
		require.Equal(t, "k", string(lockedKey(&p)))
	}
	require.Empty(t, lockedKey(&ports.Pair{Err: &ports.KeyError{}}))
}

// A set of shared locks names no transaction for which a read of the newest version
// would have to wait.
func TestSharedLocksAreResolved(t *testing.T) {
	m := new(Get)
	m.Init([]byte("k"), ports.MaxTimestamp, Options{}, 20*second)
	r := newRunner(m)
	r.Play("start")
	tok, _ := r.Sent(1)
	member := ports.Lock{Key: []byte("k"), Primary: []byte("p"), StartTS: ms(10), TTL: 3000}
	r.Feed(ports.Event{Kind: ports.EventReply, Tok: tok.Tok, Reply: &ports.GetReply{
		Err: &ports.KeyError{Kind: ports.KeyLocked, Lock: ports.Lock{StartTS: ms(77), Shared: []ports.Lock{member}}},
	}})
	require.Equal(t, readerResolving, m.state)
	require.Zero(t, m.first)
}

// txnRunner is a runner whose regions are in PD's key space, cut at the bounds.
func txnRunner(m root, bounds ...string) *smtest.Runner {
	r := newRunner(m)
	r.Env.Codec = key.Codec{Mode: key.Txn}
	var view smtest.Regions
	start := []byte(nil)
	for i := range len(bounds) + 1 {
		id := uint64(i + 1)
		e := &sm.Region{Region: ports.Region{
			RegionVersion: ports.RegionVersion{ID: ports.RegionID(id), Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
			Range:         ports.KeyRange{Start: start}, Peers: []ports.Peer{{ID: ports.PeerID(id), Store: 1}},
		}, Expiry: ports.Never}
		if i < len(bounds) {
			e.Range.End, start = []byte(bounds[i]), []byte(bounds[i])
		}
		view = append(view, e)
	}
	r.Env.Regions = view
	return r
}

func scanOf(start, end string, reverse bool) *ScanPage {
	m := new(ScanPage)
	m.Init(ports.KeyRange{Start: []byte(start), End: []byte(end)}, ms(100), 5, reverse, false, Options{}, 20*second)
	return m
}

// A bound inside a key separates keys, too. The region above it holds nothing below
// "t", so that no user key leads to the region which the scan must go on with.
func TestReverseScanPassesRegionsWithoutKeys(t *testing.T) {
	m := scanOf("a", "t", true)
	r := txnRunner(m, "t", "t\x00")
	text := r.Play("start")
	require.Contains(t, text, `send #1 to store 1, region 1:1.1 peer 1: ScanRequest{Range:["a","t")`)
	r.Play("scan #1 b=1")
	require.Equal(t, "= b=1, the end", status(m))
}

// What led to a region cannot be beyond its end, whatever the table says.
func TestScanRefusesRegionsThatHoldNothing(t *testing.T) {
	m := scanOf("a", "t", false)
	r := newRunner(m)
	r.Env.Regions = wrongRegion{smtest.Entry("1:1.1 [,a) 11@1*")}
	r.Play("start")
	require.Equal(t, sm.FailProtocol, m.Failure().Code)
}

// wrongRegion is a view that answers every question with the same region.
type wrongRegion struct{ region *sm.Region }

func (v wrongRegion) Find([]byte, ports.Instant) *sm.Region      { return v.region }
func (v wrongRegion) FindByEnd([]byte, ports.Instant) *sm.Region { return v.region }

// The region was split while the locks of a page were resolved, and what is left of
// the page lies beyond the part that the call goes back to.
func TestScanGoesOnBehindASplit(t *testing.T) {
	m := scanOf("b", "h", false)
	r := newRunner(m)
	r.Play("start\nscan #1 b=1 d!T10\npresent #2 T150")
	r.Env.Regions = smtest.Regions{smtest.Entry("1:2.1 [,c) 11@1*"), smtest.Entry("3:2.1 [c,m) 31@1*")}
	text := r.Play("status #3 pushed 3000\nscan #4 d=2")
	require.Contains(t, text, `send #4 to store 1, region 3:2.1 peer 31 {ResolvedLocks:[`)
	require.Contains(t, text, `ScanRequest{Range:["d","h") Limit:4`)
	require.Equal(t, "= b=1 d=2, the end", status(m))
}

// Bounds that can stand between no keys of this client show that the cluster is not
// used as this client thinks.
func TestScanRefusesForeignBounds(t *testing.T) {
	m := scanOf("a", "t", false)
	r := txnRunner(m, "b\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03")
	r.Play("start")
	require.Equal(t, sm.FailProtocol, m.Failure().Code)
}

// What was read before a failure is not given out.
func TestFailedReadsGiveOutNothing(t *testing.T) {
	scan := scanOf("b", "h", false)
	newRunner(scan).Play("start\nscan #1 b=1 d!T10\ncancel")
	require.Empty(t, scan.Pairs())
	_, more := scan.Next()
	require.False(t, more)

	batch := new(BatchGet)
	batch.Init([][]byte{[]byte("a"), []byte("z")}, ms(100), Options{}, 20*second)
	r := newRunner(batch)
	r.Play("start\nbatch #1 a=1")
	require.Empty(t, batch.Pairs())
	r.Play("cancel")
	require.Equal(t, sm.FailCancelled, batch.Failure().Code)
	require.Empty(t, batch.Pairs())
}
