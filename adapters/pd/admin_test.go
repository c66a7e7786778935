package pd_test

import (
	"context"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/pd"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestAdminContract(t *testing.T) {
	own, shared := ports.Keyspace{ID: 7, Name: "own", OwnGC: true}, ports.Keyspace{ID: 3, Name: "shared"}
	porttest.Admin(t, func(t *testing.T) *porttest.AdminRig {
		w, err := sim.New(sim.Config{Keyspaces: []ports.Keyspace{own, shared}})
		require.NoError(t, err)
		regions := w.Regions()
		cluster, err := serve.Start(w, serve.Config{})
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		r := &rig{t: t, clock: clock.New()}
		r.client, err = pd.Open(t.Context(), pd.Config{Endpoints: []string{cluster.PD()}, Clock: r.clock})
		require.NoError(t, err)
		t.Cleanup(func() {
			r.close()
			r.clock.Close()
		})
		return &porttest.AdminRig{
			Host: r.host(), Admin: r.client, Own: own, Shared: shared,
			Regions:  []ports.RegionID{regions[0].ID, regions[1].ID},
			Silence:  func() { cluster.Do(func(w *sim.World) { w.SilencePD(ports.Forever) }) },
			Continue: func() { cluster.Do(func(w *sim.World) { w.ResumePD() }) },
			Close:    r.close,
		}
	})
}

// GetGCState answers with the error that the test has set.
func (p *fakePD) GetGCState(context.Context, *pdpb.GetGCStateRequest) (*pdpb.GetGCStateResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(); err != nil {
		return nil, err
	}
	h := p.header()
	h.Error = p.gcError
	return &pdpb.GetGCStateResponse{Header: h}, nil
}

// TestWhoRefuses: what PD says against a request is its answer, what keeps the request from PD is not.
func TestWhoRefuses(t *testing.T) {
	r := newRig(t)
	ask := func() ports.Event {
		box := make(porttest.Mailbox, 1)
		deadline := r.clock.Now().Add(5 * time.Second)
		r.client.Administer(&ports.AdminRequest{Kind: ports.AdminGCState}, deadline, ports.Tok{}, box)
		return box.Next(t)
	}
	for err, want := range map[*pdpb.Error]ports.AdminRefusal{
		{Type: pdpb.ErrorType_UNKNOWN, Message: "[PD:gc:ErrDecreasingGCSafePoint]x"}:    ports.AdminRefusedDecreasing,
		{Type: pdpb.ErrorType_NOT_BOOTSTRAPPED, Message: "cluster is not bootstrapped"}: ports.AdminRefusedOther,
	} {
		r.pd.do(func() { r.pd.gcError = err })
		ev := ask()
		require.Equal(t, ports.EventPlaced, ev.Kind)
		require.Equal(t, &ports.AdminReply{Refusal: want}, ev.Admin)
	}
	r.pd.do(func() {
		r.pd.refuse = status.Error(codes.Unknown, "[PD:etcd:ErrEtcdTxnConflict]etcd transaction failed")
	})
	require.Equal(t, ports.AdminRefusedOther, ask().Admin.Refusal)
	for code, cause := range map[codes.Code]ports.CauseKind{
		codes.PermissionDenied: ports.CauseRejected, codes.Unavailable: ports.CauseConnection,
		codes.DeadlineExceeded: ports.CauseTimeout,
	} {
		r.pd.do(func() { r.pd.refuse = status.Error(code, "[PD:x:Err]secret") })
		ev := ask()
		require.Equal(t, ports.EventRefused, ev.Kind)
		require.Equal(t, cause, ev.Cause.Kind)
		require.NotContains(t, ev.Cause.Text, "secret")
	}
}

// TestScatterGroups: PD is told for which group a region is scattered, and refuses to do it for another meanwhile.
func TestScatterGroups(t *testing.T) {
	slow := sim.ChooserFunc(func(site sim.Site, n int) int {
		switch site {
		case sim.SiteScatter:
			return 1
		case sim.SiteDelay:
			return n - 1
		default:
			return 0
		}
	})
	w, err := sim.New(sim.Config{Chooser: slow})
	require.NoError(t, err)
	region := w.Regions()[0].ID
	cluster, err := serve.Start(w, serve.Config{})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	r := &rig{t: t, clock: clock.New()}
	r.client, err = pd.Open(t.Context(), pd.Config{Endpoints: []string{cluster.PD()}, Clock: r.clock})
	require.NoError(t, err)
	t.Cleanup(func() {
		r.close()
		r.clock.Close()
	})
	scatter := func(group string) []ports.RegionID {
		box := make(porttest.Mailbox, 1)
		r.client.Administer(&ports.AdminRequest{
			Kind: ports.AdminScatter, Regions: []ports.RegionID{region}, Group: group,
		}, r.clock.Now().Add(time.Minute), ports.Tok{}, box)
		return box.Next(t).Admin.Failed
	}
	var failed []ports.RegionID
	for i := 0; len(failed) == 0; i++ { // a scatter takes 128 ms of real time
		require.Less(t, i, 100)
		failed = scatter([]string{"g", "h"}[i%2])
	}
	require.Equal(t, []ports.RegionID{region}, failed)
}
