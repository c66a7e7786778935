package pd_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/log"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a client of a fake PD.
type rig struct {
	t      *testing.T
	pd     *fakePD
	clock  *clock.Clock
	client *pd.Client
	closed bool
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, pd: newFakePD(t), clock: clock.New()}
	var err error
	r.client, err = pd.Open(t.Context(), pd.Config{Endpoints: []string{r.pd.address}, Clock: r.clock})
	require.NoError(t, err)
	t.Cleanup(func() {
		r.pd.resume()
		r.close()
		r.clock.Close()
	})
	return r
}

func (r *rig) close() {
	if !r.closed {
		r.closed = true
		r.client.Close()
	}
}

func (r *rig) host() porttest.Host { return porttest.Host{Clock: r.clock} }

func TestOracleContract(t *testing.T) {
	porttest.Oracle(t, func(t *testing.T) *porttest.OracleRig {
		r := newRig(t)
		return &porttest.OracleRig{
			Host: r.host(), Oracle: r.client, Silence: r.pd.silence, Continue: r.pd.resume, Close: r.close,
		}
	})
}

func TestPlacementContract(t *testing.T) {
	for name, batchScans := range map[string]bool{"batch scans": true, "plain scans": false} {
		t.Run(name, func(t *testing.T) {
			porttest.Placement(t, func(t *testing.T) *porttest.PlacementRig {
				r := newRig(t)
				r.pd.batchScans = batchScans
				stores := []ports.Store{wire.Store(r.pd.stores[0]), wire.Store(r.pd.stores[1])}
				return &porttest.PlacementRig{
					Host: r.host(), Placement: r.client, Regions: cluster(), Buckets: buckets(), Stores: stores,
					PlainScans: !batchScans,
					Silence:    r.pd.silence, Continue: r.pd.resume, Close: r.close,
				}
			})
		})
	}
}

func (r *rig) ask(q ports.Query, deadline time.Duration) ports.Event {
	r.t.Helper()
	box := make(porttest.Mailbox, 1)
	r.client.Ask(&q, r.clock.Now().Add(deadline), ports.Tok{}, box)
	return box.Next(r.t)
}

func TestClusterID(t *testing.T) {
	require.EqualValues(t, clusterID, newRig(t).client.ClusterID())
}

// TestScansAreTriedOnce: a PD without batch scans is asked for one only once.
func TestScansAreTriedOnce(t *testing.T) {
	r := newRig(t)
	r.pd.batchScans = false
	for range 3 {
		ev := r.ask(ports.Query{Kind: ports.QueryRegions, Limit: 2}, time.Minute)
		require.Len(t, ev.Regions, 2)
	}
	r.pd.do(func() {
		require.Equal(t, 1, r.pd.batches)
		require.Equal(t, 3, r.pd.scans)
	})
}

func TestRemovedStoreIsATombstone(t *testing.T) {
	ev := newRig(t).ask(ports.Query{Kind: ports.QueryStore, Store: 3}, time.Minute)
	require.Equal(t, []ports.Store{{ID: 3, State: ports.StoreTombstone}}, ev.Stores)
}

// TestAnswersAreWhatPDSays: an old answer is passed on as it is, and nothing at all is an answer without regions.
func TestAnswersAreWhatPDSays(t *testing.T) {
	r := newRig(t)
	old := cluster()[0]
	old.Epoch.Version--
	old.Leader = 0
	r.pd.do(func() { r.pd.regions = []ports.Region{old} })
	ev := r.ask(ports.Query{Kind: ports.QueryRegion, Key: []byte("a")}, time.Minute)
	require.Equal(t, ports.EventPlaced, ev.Kind)
	require.Equal(t, old.RegionVersion, ev.Regions[0].RegionVersion)
	require.Zero(t, ev.Regions[0].Leader)
	ev = r.ask(ports.Query{Kind: ports.QueryRegion, Key: []byte("x")}, time.Minute)
	require.Equal(t, ports.EventPlaced, ev.Kind)
	require.Empty(t, ev.Regions)
	r.pd.do(func() { r.pd.regions[0].Range.End = nil })
	ev = r.ask(ports.Query{Kind: ports.QueryRegionByEnd}, time.Minute)
	require.Len(t, ev.Regions, 1)
}

func TestRefusals(t *testing.T) {
	r := newRig(t)
	queries := []ports.QueryKind{
		ports.QueryRegion, ports.QueryRegionByEnd, ports.QueryRegions, ports.QueryStore, ports.QueryStores,
	}
	for code, cause := range map[codes.Code]ports.CauseKind{
		codes.PermissionDenied: ports.CauseRejected, codes.Unauthenticated: ports.CauseRejected,
		codes.Internal: ports.CauseConnection, codes.DeadlineExceeded: ports.CauseTimeout,
	} {
		r.pd.do(func() { r.pd.refuse = status.Error(code, "secret key") })
		for _, kind := range queries {
			ev := r.ask(ports.Query{Kind: kind, Key: []byte("k"), Limit: 1, Store: 1}, 5*time.Second)
			require.Equal(t, ports.EventRefused, ev.Kind)
			require.Equal(t, cause, ev.Cause.Kind, "%s: %s", code, ev.Cause.Text)
			require.NotContains(t, ev.Cause.Text, "secret", "PD's texts can contain keys")
		}
	}
}

// TestQuestionsThatWait: more questions than are asked at once are refused at their own deadlines, not at those of the
// questions before them.
func TestQuestionsThatWait(t *testing.T) {
	r := newRig(t)
	r.pd.silence()
	slow, quick := make(porttest.Mailbox, 8), make(porttest.Mailbox, 1)
	for range 8 {
		r.client.Ask(&ports.Query{Kind: ports.QueryRegion}, r.clock.Now().Add(time.Minute), ports.Tok{}, slow)
	}
	deadline := r.clock.Now().Add(50 * time.Millisecond)
	r.client.Ask(&ports.Query{Kind: ports.QueryRegion}, deadline, ports.Tok{}, quick)
	ev := quick.Next(t)
	require.Equal(t, ports.CauseTimeout, ev.Cause.Kind)
	require.Less(t, ev.Now.Sub(deadline), time.Second)
	require.Empty(t, slow)
	r.pd.resume()
	for range 8 {
		require.Equal(t, ports.EventPlaced, slow.Next(t).Kind)
	}
}

// TestTimestampsThatWait: the same of timestamps, whose futures come true in order.
func TestTimestampsThatWait(t *testing.T) {
	r := newRig(t)
	r.pd.silence()
	slow, quick := make(porttest.Mailbox, 1), make(porttest.Mailbox, 3)
	r.client.Timestamp(r.clock.Now().Add(time.Minute), ports.Tok{}, slow)
	for i := range 3 {
		deadline := r.clock.Now().Add(time.Duration(20*(i+1)) * time.Millisecond)
		r.client.Timestamp(deadline, ports.Tok{Gen: uint32(i)}, quick)
	}
	for i := range 3 {
		ev := quick.Next(t)
		require.Equal(t, ports.CauseTimeout, ev.Cause.Kind)
		require.EqualValues(t, i, ev.Tok.Gen)
	}
	require.Empty(t, slow)
	r.pd.resume()
	require.Equal(t, ports.EventTimestamp, slow.Next(t).Kind)
}

func TestOpenRefusesEndpoints(t *testing.T) {
	c := clock.New()
	defer c.Close()
	_, err := pd.Open(t.Context(), pd.Config{Clock: c})
	require.ErrorIs(t, err, pd.ErrNoEndpoint)
	for _, endpoint := range []string{
		"", "host", ":2379", "host:", "ftp://host:1", "http://host", "http://host:1/path", "host:1/x", "http://%zz:1",
		"a b:1",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := pd.Open(ctx, pd.Config{Endpoints: []string{"127.0.0.1:1", endpoint}, Clock: c})
		cancel()
		var wrong *pd.EndpointError
		require.ErrorAs(t, err, &wrong, "%q", endpoint)
		require.Equal(t, endpoint, wrong.Endpoint)
		require.Contains(t, err.Error(), endpoint)
		require.Error(t, errors.Unwrap(err))
	}
}

// TestOpenGivesUp: Open returns within its context when no PD answers, and says which it has asked.
func TestOpenGivesUp(t *testing.T) {
	c := clock.New()
	defer c.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	for name, give := range map[string]func(){"it takes connections and says nothing": nil, "nobody listens": func() {
		listener.Close()
	}} {
		t.Run(name, func(t *testing.T) {
			if give != nil {
				give()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := pd.Open(ctx, pd.Config{Endpoints: []string{address}, Clock: c})
			require.ErrorContains(t, err, address)
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

// TestLogger: the library's logger is silenced unless the program has set its own.
func TestLogger(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = write
	r := newRig(t)
	r.ask(ports.Query{Kind: ports.QueryStores}, time.Minute)
	r.close()
	os.Stdout = stdout
	require.NoError(t, write.Close())
	buf := make([]byte, 1)
	n, _ := read.Read(buf)
	require.Zero(t, n, "the library printed something")

	own, silent := zap.NewNop(), log.L()
	restore := log.ReplaceGlobals(own, &log.ZapProperties{})
	defer restore()
	require.NotSame(t, own, silent)
	newRig(t)
	require.Same(t, own, log.L(), "the program's own logger stays")
}

// TestStatesOfStores: what PD says of a store's state.
func TestStatesOfStores(t *testing.T) {
	r := newRig(t)
	r.pd.do(func() { r.pd.stores[0].State = metapb.StoreState_Tombstone })
	ev := r.ask(ports.Query{Kind: ports.QueryStore, Store: 1}, time.Minute)
	require.Equal(t, ports.StoreTombstone, ev.Stores[0].State)
	require.Equal(t, []ports.Label{{Key: "zone", Value: "a"}}, ev.Stores[0].Labels)
}
