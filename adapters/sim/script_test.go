package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func scripted(t *testing.T, text string) *station {
	s := newStation(t, Config{Chooser: Boring{}})
	require.NoError(t, s.w.Script(text))
	return s
}

func prewriteOf(start ports.Timestamp, primary string, keys ...string) *ports.PrewriteRequest {
	req := &ports.PrewriteRequest{Primary: []byte(primary), StartTS: start, TTL: 3000}
	for _, k := range keys {
		req.Mutations = append(req.Mutations, ports.Mutation{Kind: ports.KindPut, Key: []byte(k), Value: []byte("v")})
	}
	return req
}

func commitOf(start ports.Timestamp, primary string, keys ...string) *ports.CommitRequest {
	req := &ports.CommitRequest{Primary: []byte(primary), StartTS: start, CommitTS: start + 1}
	for _, k := range keys {
		req.Keys = append(req.Keys, []byte(k))
	}
	return req
}

func TestScriptLosesTheReplyOfAPrimaryCommit(t *testing.T) {
	s := scripted(t, `
		# the commit of b is no primary's
		lose-reply verb=Commit primary`)
	s.await(s.send(prewriteOf(10, "a", "a", "b")))
	require.Equal(t, ports.EventReply, s.await(s.send(commitOf(10, "a", "b"))).Kind)
	require.Equal(t, ports.EventLost, s.await(s.send(commitOf(10, "a", "a"))).Kind)
	require.Equal(t, ports.EventReply, s.await(s.send(commitOf(10, "a", "a"))).Kind, "once")
	require.EqualValues(t, 1, s.w.Counts()[FaultReplyLost])
	require.True(t, s.w.Ambiguous(10))
	require.False(t, s.w.Ambiguous(11))
	require.Equal(t, []Version{{StartTS: 10, CommitTS: 11, Value: []byte("v")}}, s.w.Versions([]byte("a")))
	require.Empty(t, s.w.Locks())
}

func TestScriptCounts(t *testing.T) {
	s := scripted(t, "lose-request verb=Prewrite nth=2 times=2 client=c")
	for i, want := range []ports.EventKind{ports.EventReply, ports.EventLost, ports.EventLost, ports.EventReply} {
		require.Equal(t, want, s.await(s.send(prewriteOf(10, "a", "a"))).Kind, i)
	}
	require.False(t, s.w.Ambiguous(10), "a prewrite decides nothing")
}

func TestScriptBusy(t *testing.T) {
	s := scripted(t, "busy store=2 times=9\nbusy verb=TxnHeartBeat client=other")
	heartbeat := &ports.TxnHeartBeatRequest{Primary: []byte("a"), StartTS: 10}
	require.Nil(t, s.await(s.send(heartbeat)).Reply.Region())
	require.True(t, s.w.Transfer(s.w.regions.ordered[0].ID, 2))
	require.Equal(t, ports.FaultServerIsBusy, s.fault(s.send(heartbeat)).Kind)
	s.w.Heal()
	require.Nil(t, s.await(s.send(heartbeat)).Reply.Region(), "healed worlds have no script")
}

func TestScriptStrikesTheStoreThatExecuted(t *testing.T) {
	s := scripted(t, "crash verb=Prewrite primary")
	ev := s.await(s.send(prewriteOf(10, "a", "a", "b")))
	require.Equal(t, ports.EventLost, ev.Kind)
	require.Len(t, s.w.Locks(), 2, "it was executed first")
	require.False(t, s.w.store(1).up)

	s = scripted(t, "hang verb=CheckTxnStatus primary")
	check := &ports.CheckTxnStatusRequest{Primary: []byte("a"), LockTS: 10, RollbackIfNotExist: true}
	s.await(s.send(check))
	require.True(t, s.w.store(1).hung)

	s = scripted(t, "transfer verb=Get")
	s.await(s.send(&ports.GetRequest{Key: []byte("a"), TS: 10}))
	leader, _ := s.w.regions.ordered[0].leader()
	require.Equal(t, s.w.regions.ordered[0].Peers[1], leader)
}

func TestMalformedScripts(t *testing.T) {
	s := newStation(t, Config{})
	for _, text := range []string{
		"explode", "busy verb=Frobnicate", "busy verb=None", "busy nth=0", "busy times=x", "busy often", "crash store=",
	} {
		require.ErrorIs(t, s.w.Script("busy verb=Get\n\n"+text), ErrScript, text)
		require.ErrorContains(t, s.w.Script("busy verb=Get\n\n"+text), "line 3", text)
	}
}

func TestAmbiguousAfterFaults(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteStale: {0, 1}}, Faults: FaultsOf(FaultStaleCommand)})
	s.await(s.send(prewriteOf(10, "a", "a")))
	s.fault(s.send(commitOf(10, "a", "a")))
	require.True(t, s.w.Ambiguous(10))

	s = newStation(t, Config{Chooser: Boring{}})
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	to.Address = "nowhere:1"
	require.Equal(t, ports.EventUnsent, s.await(s.sendTo(to, &hdr, commitOf(10, "a", "a"))).Kind)
	require.False(t, s.w.Ambiguous(10), "it was not sent")
}

func TestInspection(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.await(s.send(prewriteOf(10, "a", "a", "b")))
	s.await(s.send(commitOf(10, "a", "a")))
	drop := &ports.PrewriteRequest{
		Primary: []byte("a"), StartTS: 20, Mutations: []ports.Mutation{{Kind: ports.KindDelete, Key: []byte("a")}},
	}
	s.await(s.send(drop))
	s.await(s.send(commitOf(20, "a", "a")))
	s.await(s.send(&ports.BatchRollbackRequest{StartTS: 30, Keys: [][]byte{[]byte("a")}}))
	require.Equal(t, []Version{
		{StartTS: 20, CommitTS: 21, Deleted: true}, {StartTS: 10, CommitTS: 11, Value: []byte("v")},
	}, s.w.Versions([]byte("a")))
	require.Empty(t, s.w.Versions([]byte("none")))
	locks := s.w.Locks()
	require.Len(t, locks, 1)
	require.Equal(t, "b", string(locks[0].Key))
	require.Equal(t, 2, s.w.Engine().Len())
	require.Positive(t, s.w.Events())
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{
		{Stores: -1}, {Stores: 65}, {Disturbance: -time.Second}, {Epoch: -1},
		{Splits: [][]byte{[]byte("b"), []byte("a")}}, {Splits: [][]byte{nil}},
	} {
		_, err := New(c)
		require.ErrorIs(t, err, ErrConfig)
	}
	w, err := New(Config{Stores: 5, Splits: [][]byte{[]byte("b")}})
	require.NoError(t, err)
	require.Len(t, w.Stores(), 5)
	require.Len(t, w.Regions()[0].Peers, 3)
	require.NotEqual(t, w.Regions()[0].Peers[0].Store, w.Regions()[1].Peers[0].Store, "leaders take turns")
}

// A chooser that answers out of bounds is a bug of the chooser.
func TestChooserOutOfBounds(t *testing.T) {
	s := newStation(t, raw(wild{}, FaultsOf(FaultBusy)))
	require.Panics(t, func() { s.w.Choose(SiteWorkload, 3) })
}

type wild struct{}

// Choose implements [Chooser].
func (wild) Choose(_ Site, n int) int { return n }
