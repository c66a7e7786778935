package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

func TestRequestsKeepTheirOrder(t *testing.T) {
	var trace strings.Builder
	config := raw(NewSeeded(3, 0), 0)
	config.Trace = &trace
	s := newStation(t, config)
	const n = 200
	for i := range n {
		s.send(put("k", fmt.Sprint(i)))
		if i%20 == 0 {
			s.w.Run(s.w.now.Add(200*time.Microsecond), nil)
		}
	}
	s.rest()
	var arrivals, executions []int
	for line := range strings.Lines(trace.String()) {
		var id, store int
		if _, text, ok := strings.Cut(line, "      s"); ok {
			if k, _ := fmt.Sscanf(text, "%d takes %d", &store, &id); k == 2 {
				arrivals = append(arrivals, id)
			}
			if k, _ := fmt.Sscanf(text, "%d executes %d", &store, &id); k == 2 {
				executions = append(executions, id)
			}
		}
	}
	require.Len(t, arrivals, n)
	require.IsIncreasing(t, arrivals, "one connection is one stream")
	require.Len(t, executions, n)
	require.NotEqual(t, arrivals, executions, "a store executes in its own order")
}

func TestLostRequestHasNoEffect(t *testing.T) {
	s := newStation(t, raw(chosen{SiteRequestLost: {1}}, AllFaults&^disturbances))
	gen := s.send(put("k", "1"))
	ev := s.await(gen)
	require.Equal(t, ports.EventLost, ev.Kind)
	require.Equal(t, ports.CauseTimeout, ev.Cause.Kind)
	require.Empty(t, s.value("k"))
	require.EqualValues(t, 1, s.w.Counts()[FaultRequestLost])
}

func TestLostReplyHasEffect(t *testing.T) {
	s := newStation(t, raw(chosen{SiteReplyLost: {1}}, AllFaults&^disturbances))
	gen := s.send(put("k", "1"))
	s.w.Run(s.w.now.Add(time.Second), nil)
	require.Empty(t, s.events[gen])
	require.Equal(t, "1", s.value("k"))
	require.Equal(t, ports.EventLost, s.await(gen).Kind)
}

func TestDuplicates(t *testing.T) {
	for choice, fault := range map[int]Fault{1: FaultDuplicate, 2: FaultLateDuplicate} {
		c := chosen{SiteDuplicate: {choice}, SiteReplyLost: {1}}
		s := newStation(t, raw(c, AllFaults&^disturbances))
		swap := &ports.RawCompareAndSwapRequest{Key: []byte("k"), Value: []byte("1"), PreviousAbsent: true}
		gen := s.send(swap)
		s.w.Run(s.w.now+3*travelTime, nil)
		require.Equal(t, "1", s.value("k"))
		s.w.engine.Raw(1).Delete(&ports.RawDeleteRequest{Key: []byte("k")}, &ports.RawWriteReply{})
		s.rest()
		require.Equal(t, "1", s.value("k"), "the duplicate is executed, too")
		require.EqualValues(t, 1, s.w.Counts()[fault])
		require.Equal(t, ports.EventLost, s.await(gen).Kind, "but not answered")
		require.Len(t, s.events[gen], 1)
	}
}

// Prewrites may come twice even if the first was answered; TiKV has to bear that.
func TestDuplicatesOfAnsweredRequests(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteDuplicate: {2}}, Faults: FaultsOf(FaultLateDuplicate)})
	s.await(s.send(prewriteOf(10, "a", "a")))
	require.Empty(t, s.w.Counts()[FaultLateDuplicate])
	s.w.engine.ResolveLock(&ports.ResolveLockRequest{StartTS: 10}, mvcc.Extent{}, &ports.ResolveLockReply{})
	s.rest()
	require.EqualValues(t, 1, s.w.Counts()[FaultLateDuplicate])
	require.Empty(t, s.w.Locks(), "the rollback record keeps it out")
}

// A region error proves that a request is not applied, and a raw write that was answered is not delivered again.
func TestDuplicatesThatCannotBe(t *testing.T) {
	for name, c := range map[string]chosen{
		"refused": {SiteDuplicate: {2}, SiteBusy: {1}}, "answered": {SiteDuplicate: {2}},
	} {
		s := newStation(t, raw(c, FaultsOf(FaultLateDuplicate, FaultBusy)))
		s.await(s.send(put("k", "1")))
		s.w.engine.Raw(1).Delete(&ports.RawDeleteRequest{Key: []byte("k")}, &ports.RawWriteReply{})
		s.rest()
		require.Empty(t, s.value("k"), name)
		require.Zero(t, s.w.Counts()[FaultLateDuplicate], name)
	}
	s := newStation(t, raw(chosen{SiteDuplicate: {2}, SiteStale: {1}}, FaultsOf(FaultLateDuplicate, FaultStaleCommand)))
	require.True(t, s.fault(s.send(put("k", "1"))).MayBeApplied())
	require.Empty(t, s.value("k"))
	s.rest()
	require.Equal(t, "1", s.value("k"), "an error that proves nothing")
}

func TestDuplicatesThatAreNotAllowed(t *testing.T) {
	s := newStation(t, raw(chosen{SiteDuplicate: {2}}, FaultsOf(FaultDuplicate)))
	s.await(s.send(put("k", "1")))
	s.rest()
	require.Equal(t, Counts{}, s.w.Counts())
}

func TestReset(t *testing.T) {
	for choice, want := range map[int]string{1: "", 2: "2"} {
		s := newStation(t, raw(chosen{SiteReset: {0, choice}, SiteDelay: {0, 0, 0, 0, 15}}, AllFaults&^disturbances))
		s.send(put("k", "1")) // opens the connection
		s.rest()
		gen := s.send(put("k", "2"))
		ev := s.await(gen)
		require.Equal(t, ports.EventLost, ev.Kind)
		require.Equal(t, ports.CauseConnection, ev.Cause.Kind)
		s.rest()
		require.Equal(t, want, strings.TrimPrefix(s.value("k"), "1"), "choice %d", choice)
		require.Equal(t, ports.EventReply, s.await(s.send(put("k", "3"))).Kind, "a new connection is made")
		require.EqualValues(t, 1, s.w.Counts()[FaultReset])
	}
}

func TestDialFails(t *testing.T) {
	s := newStation(t, raw(chosen{SiteDial: {1}}, AllFaults&^disturbances))
	require.Equal(t, ports.EventUnsent, s.await(s.send(put("k", "1"))).Kind)
	require.Equal(t, ports.EventReply, s.await(s.send(put("k", "2"))).Kind)
	require.Equal(t, "2", s.value("k"))
}

func TestCrashLosesWhatIsNotApplied(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "1")))
	gen := s.send(put("k", "2"))
	leader, _ := s.w.regions.ordered[0].leader()
	s.w.Crash(leader.Store)
	ev := s.await(gen)
	require.Equal(t, ports.EventLost, ev.Kind)
	require.Equal(t, ports.CauseConnection, ev.Cause.Kind)
	to, hdr := s.address(s.w.regions.ordered[0], leader.Store)
	require.Equal(t, ports.EventUnsent, s.await(s.sendTo(to, &hdr, put("k", "3"))).Kind, "nobody listens")
	s.rest()
	require.Equal(t, "1", s.value("k"))

	next, ok := s.w.regions.ordered[0].leader()
	require.True(t, ok)
	require.NotEqual(t, leader.Store, next.Store, "another peer was elected")
	s.w.Restart(leader.Store, "")
	require.Equal(t, ports.EventReply, s.await(s.sendTo(to, &hdr, put("k", "3"))).Kind)
	require.Equal(t, ports.FaultNotLeader, s.fault(s.sendTo(to, &hdr, put("k", "3"))).Kind)
}

func TestCrashOfTwoStoresLeavesNoLeader(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.w.Crash(1)
	s.w.Crash(2)
	s.rest()
	_, ok := s.w.regions.ordered[0].leader()
	require.False(t, ok)
	s.w.Restart(2, "")
	s.rest()
	_, ok = s.w.regions.ordered[0].leader()
	require.True(t, ok)
}

func TestHangingStore(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "1")))
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	inFlight := s.send(put("k", "2"))
	s.w.Hang(to.Store)
	began := s.w.now
	ev := s.await(inFlight)
	require.Equal(t, ports.EventLost, ev.Kind)
	require.Equal(t, ports.CauseHung, ev.Cause.Kind)
	require.LessOrEqual(t, ev.Now.Sub(began), 2*ports.SilenceLimit+100*time.Millisecond)

	later := s.await(s.sendTo(to, &hdr, put("k", "3")))
	require.Equal(t, ports.EventUnsent, later.Kind, "no new connection can be made")
	require.Equal(t, ports.CauseHung, later.Cause.Kind)
	s.rest()
	require.Equal(t, "1", s.value("k"))
	r := s.w.regions.ordered[0]
	leader, _ := r.leader()
	require.NotEqual(t, to.Store, leader.Store)

	s.w.Resume(to.Store)
	s.rest()
	require.Equal(t, "1", s.value("k"), "the store leads no more when it goes on")
}

func TestHangingStoreGoesOn(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "1")))
	to, _ := s.address(s.w.regions.ordered[0], 0)
	executing := s.send(put("a", "2"))
	s.w.Run(s.w.now+travelTime, nil) // it has arrived and waits for its turn
	s.w.Hang(to.Store)
	travelling := s.send(put("b", "2"))
	s.w.Run(s.w.now.Add(100*time.Millisecond), nil)
	require.Empty(t, s.value("a")+s.value("b"))
	s.w.Resume(to.Store)
	require.Equal(t, ports.EventReply, s.await(executing).Kind)
	require.Equal(t, ports.EventReply, s.await(travelling).Kind)
	require.Equal(t, "22", s.value("a")+s.value("b"))
}

func TestCrashWhileHanging(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "1")))
	to, _ := s.address(s.w.regions.ordered[0], 0)
	s.w.Hang(to.Store)
	gen := s.send(put("k", "2"))
	s.w.Run(s.w.now.Add(100*time.Millisecond), nil)
	s.w.Crash(to.Store)
	require.Equal(t, ports.CauseConnection, s.await(gen).Cause.Kind)
	s.w.Restart(to.Store, "")
	s.rest()
	require.Equal(t, "1", s.value("k"))
	s.w.Resume(to.Store) // does not hang
	s.w.Crash(to.Store)
	s.w.Crash(to.Store) // is down
	s.w.Hang(to.Store)
	s.w.Restart(to.Store, "")
	s.w.Restart(to.Store, "elsewhere:1") // is up
	require.NotEqual(t, "elsewhere:1", s.w.store(to.Store).address)
}

func TestWhatWaitsForAConnectionIsUnsent(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	to, _ := s.address(s.w.regions.ordered[0], 0)
	s.w.Hang(to.Store)
	gen := s.send(put("k", "1"))
	s.c.Close()
	ev := s.await(gen)
	require.Equal(t, ports.EventUnsent, ev.Kind)
	require.Equal(t, ports.CauseClosed, ev.Cause.Kind)
	s.w.Resume(to.Store)
	s.rest()
	require.Empty(t, s.value("k"))
}

func TestCrashedClientHearsNothing(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "1")))
	gen := s.send(put("k", "2"))
	s.c.Timestamp(ports.Never, ports.Tok{Gen: 100}, s)
	s.c.Arm(s.w.now+1, ports.Tok{Gen: 101}, s)
	s.c.Probe(ports.Endpoint{}, ports.Never, ports.Tok{Gen: 102}, s)
	s.c.Crash()
	s.rest()
	require.Equal(t, "2", s.value("k"), "what it has sent still arrives")
	for _, g := range []uint32{gen, 100, 101, 102} {
		require.Empty(t, s.events[g])
	}
	s.send(put("k", "3"))
	s.rest()
	require.Equal(t, "2", s.value("k"))
}

func TestReleasedRepliesAreSpoilt(t *testing.T) {
	s := newStation(t, raw(Boring{}, 0))
	s.await(s.send(put("k", "value")))
	ev := s.await(s.send(&ports.RawGetRequest{Key: []byte("k")}))
	reply := ev.Reply.(*ports.RawGetReply)
	kept := reply.Value
	require.Equal(t, "value", string(kept))
	ev.Lease.Release()
	require.NotEqual(t, "value", string(kept))
	require.Nil(t, reply.Value)
	require.Equal(t, "value", s.value("k"), "the store's own copy stands")
}

func TestDeadlineOfExecution(t *testing.T) {
	s := newStation(t, raw(chosen{SiteExecute: {0, 7}}, 0))
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	s.await(s.sendTo(to, &hdr, put("k", "1")))
	hdr.MaxExecution = 50 * time.Microsecond
	f := s.fault(s.sendTo(to, &hdr, put("k", "2")))
	require.Equal(t, ports.FaultServerIsBusy, f.Kind)
	require.True(t, f.Deadline)
	require.Equal(t, "1", s.value("k"))
}

func TestLateRepliesAreDropped(t *testing.T) {
	s := newStation(t, raw(chosen{SiteSlow: {1}}, FaultsOf(FaultSlow)))
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	tok := s.tok()
	s.c.Submit(to, &hdr, put("k", "1"), s.w.now.Add(10*time.Millisecond), tok, s)
	require.Equal(t, ports.EventLost, s.await(tok.Gen).Kind)
	s.rest()
	require.Len(t, s.events[tok.Gen], 1)
	require.Equal(t, "1", s.value("k"))
}
