package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// lockOf is a request of a transaction to lock a key, which waits as long as the store lets it.
func lockOf(start ports.Timestamp, key string) *ports.PessimisticLockRequest {
	return &ports.PessimisticLockRequest{
		Mutations: []ports.Mutation{{Kind: ports.KindPessimisticLock, Key: []byte(key)}}, Primary: []byte(key),
		StartTS: start, ForUpdateTS: start, TTL: 3000,
	}
}

func forced(q *ports.PessimisticLockRequest) *ports.PessimisticLockRequest {
	q.ForceLock = true
	return q
}

func sharing(q *ports.PessimisticLockRequest) *ports.PessimisticLockRequest {
	q.Mutations[0].Kind = ports.KindSharedPessimisticLock
	return q
}

// locked awaits the answer to a lock request.
func (s *station) locked(gen uint32) *ports.PessimisticLockReply {
	s.t.Helper()
	ev := s.await(gen)
	require.Equal(s.t, ports.EventReply, ev.Kind)
	require.Nil(s.t, ev.Reply.Region())
	return ev.Reply.(*ports.PessimisticLockReply)
}

// hold locks a key, which must be free.
func (s *station) hold(q *ports.PessimisticLockRequest) {
	s.t.Helper()
	require.Empty(s.t, s.locked(s.send(q)).Errors)
}

// error awaits the error of a lock request.
func (s *station) error(gen uint32) *ports.KeyError {
	s.t.Helper()
	reply := s.locked(gen)
	require.Len(s.t, reply.Errors, 1)
	return &reply.Errors[0]
}

// pass lets time pass.
func (s *station) pass(d time.Duration) { s.w.Run(s.w.now.Add(d), nil) }

// waiting reports that requests have no answer yet.
func (s *station) waiting(gens ...uint32) {
	s.t.Helper()
	for _, gen := range gens {
		require.Empty(s.t, s.events[gen])
	}
}

// wait sends requests one after the other, each of which begins to wait.
func (s *station) wait(list ...*ports.PessimisticLockRequest) []uint32 {
	s.t.Helper()
	var gens []uint32
	for _, q := range list {
		gens = append(gens, s.send(q))
		s.pass(2 * time.Millisecond)
	}
	s.waiting(gens...)
	return gens
}

func (s *station) release(start ports.Timestamp, key string) {
	s.t.Helper()
	s.await(s.send(&ports.PessimisticRollbackRequest{
		Keys: [][]byte{[]byte(key)}, StartTS: start, ForUpdateTS: ports.MaxTimestamp,
	}))
}

// noWaits checks that nobody waits at any store once everything has happened.
func (s *station) noWaits() {
	s.t.Helper()
	s.rest()
	for _, store := range s.w.stores {
		require.Empty(s.t, store.waits.list)
		require.Zero(s.t, store.waits.queues.Len())
	}
}

// Whatever lets a lock go wakes who waits for it; the answer says who has let it go, and when it committed the key.
func TestReleaseWakes(t *testing.T) {
	keys := [][]byte{[]byte("k")}
	for name, c := range map[string]struct {
		release ports.Request
		commit  ports.Timestamp
	}{
		"commit": {release: &ports.CommitRequest{Keys: keys, StartTS: 10, CommitTS: 40}, commit: 40},
		"commit of a prewritten key": {
			release: &ports.ResolveLockRequest{StartTS: 10, CommitTS: 41, Keys: keys}, commit: 41,
		},
		"rollback":             {release: &ports.BatchRollbackRequest{Keys: keys, StartTS: 10}},
		"pessimistic rollback": {release: &ports.PessimisticRollbackRequest{StartTS: 10, ForUpdateTS: 10}},
		"resolving a region":   {release: &ports.ResolveLockRequest{StartTS: 10}},
		"expiry": {release: &ports.CheckTxnStatusRequest{
			Primary: keys[0], LockTS: 10, CurrentTS: ports.ComposeTimestamp(9000, 0),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: Boring{}})
			s.hold(lockOf(10, "k"))
			if c.commit != 0 {
				s.await(s.send(&ports.PrewriteRequest{
					Mutations: []ports.Mutation{{Key: keys[0]}}, Primary: keys[0], StartTS: 10, ForUpdateTS: 10,
					Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
				}))
			}
			gens := s.wait(lockOf(20, "k"))
			s.await(s.send(c.release))
			require.Equal(t, &ports.KeyError{
				Kind: ports.KeyWriteConflict, Key: keys[0], Primary: keys[0], StartTS: 20, ConflictTS: 10,
				ConflictCommitTS: c.commit, Reason: ports.ConflictPessimisticRetry,
			}, s.error(gens[0]))
			require.Nil(t, s.w.Lock(keys[0]), "who is woken begins again, and has locked nothing")
			s.noWaits()
		})
	}
}

// 0 is what the store allows, and the most; less than nothing is no wait (storage/lock_manager/mod.rs: WaitTimeout).
func TestWaitsEnd(t *testing.T) {
	for timeout, want := range map[int64]time.Duration{
		0: time.Second, 5000: time.Second, 1001: time.Second, 300: 300 * time.Millisecond, -1: 0,
	} {
		for _, force := range []bool{false, true} {
			s := newStation(t, Config{Chooser: Boring{}})
			s.hold(lockOf(10, "k"))
			q := lockOf(20, "k")
			q.WaitTimeout, q.ForceLock = timeout, force
			begun := s.w.now
			reply := s.locked(s.send(q))
			require.Equal(t, ports.KeyLocked, reply.Errors[0].Kind)
			require.EqualValues(t, 10, reply.Errors[0].Lock.StartTS)
			require.Zero(t, reply.Errors[0].Lock.DurationToLastUpdate, "nobody else has locked the key")
			require.InDelta(t, want, s.w.now.Sub(begun), float64(time.Millisecond))
			if force {
				require.Equal(t, []ports.LockResult{{Kind: ports.LockResultFailed}}, reply.Results)
			}
			s.noWaits()
		}
	}
}

// The first is woken at once. The others hear of the release a little later, if they were there when it happened:
// they wait for nobody that they know.
func TestOthersHearLater(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(lockOf(30, "k"), lockOf(20, "k"), lockOf(40, "k"))
	s.release(10, "k")
	require.EqualValues(t, 20, s.error(gens[1]).StartTS)
	s.waiting(gens[0], gens[2])
	s.hold(lockOf(20, "k"))
	late := s.wait(lockOf(50, "k"))
	s.pass(25 * time.Millisecond)
	for _, gen := range []uint32{gens[0], gens[2]} {
		require.EqualValues(t, 10, s.error(gen).ConflictTS)
	}
	s.waiting(late...)
	s.release(20, "k")
	require.EqualValues(t, 20, s.error(late[0]).ConflictTS)
	s.noWaits()
	// They have learnt of the second holder, and the detector has not: the first is not taken back, and stays until it is
	// too old (waiter_manager.rs: handle_update_wait_for, handle_remove_lock_wait).
	require.Equal(t, []ports.WaitFor{waitFor(30, 10, "k"), waitFor(40, 10, "k")}, s.w.deadlocks.table.Waits())
}

// Who locks by force goes on when it is woken, and learns what it has missed.
func TestForcedRequestsGoOn(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(forced(lockOf(20, "k")), forced(lockOf(30, "k")))
	s.await(s.send(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("k"), Value: []byte("v")}}, Primary: []byte("k"), StartTS: 10,
		ForUpdateTS: 10, Actions: []ports.PessimisticAction{ports.DoPessimisticCheck},
	}))
	s.await(s.send(&ports.CommitRequest{Keys: [][]byte{[]byte("k")}, StartTS: 10, CommitTS: 40}))
	reply := s.locked(gens[0])
	require.Empty(t, reply.Errors)
	require.Equal(t, []ports.LockResult{
		{Kind: ports.LockResultWithConflict, Value: []byte("v"), Existence: true, ConflictTS: 40},
	}, reply.Results)
	require.EqualValues(t, 20, s.w.Lock([]byte("k")).StartTS)
	require.EqualValues(t, 40, s.w.Lock([]byte("k")).ForUpdateTS)
	s.waiting(gens[1])
	s.release(20, "k")
	require.Empty(t, s.locked(gens[1]).Errors)
	require.EqualValues(t, 30, s.w.Lock([]byte("k")).StartTS)
	s.noWaits()
}

// A request that goes on late may find the key locked again, and waits on, for what is left of its time.
func TestForcedRequestIsLockedOutAgain(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	begun := s.w.now
	gens := s.wait(lockOf(20, "k"), forced(lockOf(30, "k")))
	s.pass(500 * time.Millisecond)
	s.release(10, "k")
	s.error(gens[0])
	s.hold(lockOf(20, "k"))
	s.pass(50 * time.Millisecond)
	s.waiting(gens[1])
	e := s.error(gens[1])
	require.Equal(t, ports.KeyLocked, e.Kind)
	require.EqualValues(t, 20, e.Lock.StartTS, "the lock that is in the way by now")
	require.InDelta(t, 500, e.Lock.DurationToLastUpdate, 10, "which was locked half a second ago")
	require.InDelta(t, time.Second, s.w.now.Sub(begun), float64(3*time.Millisecond))
	s.noWaits()
}

// A region that has changed refuses who wants to go on (raftstore: store/util.rs: check_region_epoch).
func TestForcedRequestMeetsAnotherRegion(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(forced(lockOf(20, "k")))
	require.True(t, s.w.Split(s.w.bound([]byte("a"))))
	to, hdr := s.address(s.w.regions.ordered[1], 0)
	s.await(s.sendTo(to, &hdr, &ports.PessimisticRollbackRequest{StartTS: 10, ForUpdateTS: 10}))
	require.Equal(t, ports.FaultEpochNotMatch, s.fault(gens[0]).Kind)
	require.Nil(t, s.w.Lock([]byte("k")))
	s.noWaits()
}

// Nobody but the store at which a request waits can wake it.
func TestWaitsOutliveTheLeader(t *testing.T) {
	for _, force := range []bool{false, true} {
		s := newStation(t, Config{Chooser: Boring{}})
		s.hold(lockOf(10, "k"))
		begun := s.w.now
		q := lockOf(20, "k")
		q.ForceLock = force
		gens := s.wait(q)
		r := s.w.regions.ordered[0]
		require.True(t, s.w.Transfer(r.ID, r.Peers[1].Store))
		s.release(10, "k")
		s.pass(900 * time.Millisecond)
		s.waiting(gens...)
		require.EqualValues(t, 10, s.error(gens[0]).Lock.StartTS)
		require.InDelta(t, time.Second, s.w.now.Sub(begun), float64(3*time.Millisecond))
		require.Nil(t, s.w.Lock([]byte("k")))
		s.noWaits()
	}
}

func TestCrashEndsWaits(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(lockOf(20, "k"), forced(lockOf(30, "k")))
	leader, _ := s.w.regions.ordered[0].leader()
	s.w.Crash(leader.Store)
	for _, gen := range gens {
		require.Equal(t, ports.EventLost, s.await(gen).Kind)
	}
	s.w.Restart(leader.Store, "")
	s.w.Run(s.w.now.Add(5*time.Second), nil)
	require.Equal(t, []ports.Lock{s.w.Lock([]byte("k")).Info([]byte("k"))}, s.w.Locks(), "who waited has locked nothing")
	s.noWaits()
}

// A store that stands still wakes nobody; its clients give it up. When it goes on, so do its waits, for whoever
// still listens.
func TestHangWithWaits(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(forced(lockOf(20, "k")))
	leader, _ := s.w.regions.ordered[0].leader()
	s.w.Hang(leader.Store)
	begun := s.w.now
	require.Equal(t, ports.CauseHung, s.await(gens[0]).Cause.Kind)
	require.Equal(t, 2*ports.SilenceLimit, s.w.now.Sub(begun))
	require.Len(t, s.w.store(leader.Store).waits.list, 1, "its time is over, but it does not know")
	s.w.Resume(leader.Store)
	s.noWaits()

	s = newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens = s.wait(lockOf(20, "k"))
	leader, _ = s.w.regions.ordered[0].leader()
	s.w.Hang(leader.Store)
	s.pass(1200 * time.Millisecond)
	s.waiting(gens...)
	s.w.Resume(leader.Store)
	require.Equal(t, ports.KeyLocked, s.error(gens[0]).Kind)
	s.w.Hang(leader.Store)
	s.w.Crash(leader.Store)
	s.noWaits()
}

// The store does not hear that a client has given up: the request goes on, and locks for nobody.
func TestWaitWithoutItsClient(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	to, hdr := s.address(s.w.regions.ordered[0], 0)
	tok := s.tok()
	s.c.Submit(to, &hdr, forced(lockOf(20, "k")), s.w.now.Add(100*time.Millisecond), tok, s)
	require.Equal(t, ports.CauseTimeout, s.await(tok.Gen).Cause.Kind)
	s.release(10, "k")
	require.EqualValues(t, 20, s.w.Lock([]byte("k")).StartTS)
	s.noWaits()
	require.Len(t, s.events[tok.Gen], 1, "one answer")
}

// A request that arrives twice waits twice, and whoever of the two is left over locks the key again after it was
// released.
func TestDuplicateWaits(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Faults: FaultsOf(FaultDuplicate)})
	s.hold(lockOf(10, "k"))
	s.w.chooser = chosen{SiteDuplicate: {1}}
	gens := s.wait(forced(lockOf(20, "k")))
	leader, _ := s.w.regions.ordered[0].leader()
	require.Len(t, s.w.store(leader.Store).waits.list, 2)
	s.release(10, "k")
	require.Empty(t, s.locked(gens[0]).Errors)
	s.waiting()
	require.Len(t, s.w.store(leader.Store).waits.list, 1)
	s.release(20, "k")
	require.EqualValues(t, 20, s.w.Lock([]byte("k")).StartTS, "a lock that its transaction does not know of")
	require.Len(t, s.events[gens[0]], 1)
	s.noWaits()
}

// What is proposed and not tracked any more has told those who begin again, before it was proposed; whoever would go on
// waits on (scheduler.rs: on_write_finished).
func TestStaleReleaseLetsNobodyGoOn(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Faults: FaultsOf(FaultStaleCommand)})
	s.hold(lockOf(10, "k"))
	s.hold(lockOf(10, "l"))
	gens := s.wait(lockOf(20, "k"), forced(lockOf(20, "l")))
	s.w.chooser = chosen{SiteStale: {2}}
	fault := s.fault(s.send(&ports.PessimisticRollbackRequest{StartTS: 10, ForUpdateTS: 10}))
	require.Equal(t, ports.FaultStaleCommand, fault.Kind)
	require.Empty(t, s.w.Locks())
	require.Equal(t, ports.KeyWriteConflict, s.error(gens[0]).Kind)
	require.Equal(t, ports.KeyLocked, s.error(gens[1]).Kind)
	s.noWaits()

	// A request that meets a lock is not proposed.
	s.hold(lockOf(10, "k"))
	s.w.chooser = chosen{SiteStale: {2}}
	require.Equal(t, ports.FaultStaleCommand, s.fault(s.send(lockOf(20, "k"))).Kind)
	s.noWaits()
}

// Who shares a lock is woken with all others who would.
func TestSharedLocksAreWaitedFor(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(sharing(lockOf(20, "k")), sharing(lockOf(30, "k")), lockOf(40, "k"))
	s.release(10, "k")
	s.error(gens[0])
	s.error(gens[1])
	s.waiting(gens[2])
	s.hold(sharing(lockOf(20, "k")))
	s.hold(sharing(lockOf(30, "k")))
	s.error(gens[2]) // told of the release
	require.Equal(t, ports.KeyLocked, s.error(s.send(lockOf(40, "k"))).Kind, "who closes a set does not wait")
	require.True(t, s.w.Lock([]byte("k")).ShrinkOnly())
	gens = s.wait(lockOf(40, "k"), sharing(lockOf(50, "k")))
	s.release(20, "k")
	s.waiting(gens...)
	s.release(30, "k")
	require.EqualValues(t, 30, s.error(gens[0]).ConflictTS, "the last lock of the set is gone")
	s.error(gens[1])
	s.noWaits()
}

func TestScriptsStrikeWhereRequestsWait(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	require.NoError(t, s.w.Script("crash verb=PessimisticLock"))
	require.Equal(t, ports.EventLost, s.await(s.send(lockOf(20, "k"))).Kind)
	s.noWaits()
}

// Who goes on late waits for the latch of a prewrite that is under way, whose lock is then in its way.
func TestForcedRequestWaitsForLatches(t *testing.T) {
	choices := chosen{}
	s := newStation(t, Config{Chooser: choices})
	s.hold(lockOf(10, "k"))
	gens := s.wait(lockOf(20, "k"), forced(lockOf(30, "k")))
	s.release(10, "k")
	s.error(gens[0])
	s.pass(18500 * time.Microsecond)
	choices[SiteMemoryLock] = []int{7}
	prewritten := s.await(s.send(&ports.PrewriteRequest{
		Mutations: []ports.Mutation{{Key: []byte("k")}}, Primary: []byte("k"), StartTS: 40, UseAsyncCommit: true, TTL: 9000,
	}))
	require.Empty(t, prewritten.Reply.(*ports.PrewriteReply).Errors)
	s.waiting(gens[1])
	// It does not learn of that lock, which was written while it was not in the queue (waiter_manager.rs: update_waiter).
	require.EqualValues(t, 10, s.error(gens[1]).Lock.StartTS)
	require.EqualValues(t, 40, s.w.Lock([]byte("k")).StartTS)
	s.noWaits()
}

// A leader without a majority lets nobody lock what has become free.
func TestNobodyGoesOnWithoutMajority(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(lockOf(20, "k"), forced(lockOf(30, "k")))
	s.release(10, "k")
	s.error(gens[0])
	leader, _ := s.w.regions.ordered[0].leader()
	s.w.Isolate(leader.Store)
	s.pass(40 * time.Millisecond)
	require.Nil(t, s.w.Lock([]byte("k")))
	require.Equal(t, ports.KeyLocked, s.error(gens[1]).Kind)
	s.noWaits()
}

// A store says who waits there, for whom and for what; of several who share a lock it names none.
func TestLockWaitInfo(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	s.hold(sharing(lockOf(11, "l")))
	s.error(s.send(lockOf(20, "l"))) // closes the set
	gens := s.wait(lockOf(20, "k"), lockOf(30, "l"))
	ask := func(store ports.StoreID) []ports.WaitFor {
		to := ports.Endpoint{Store: store, Address: s.w.store(store).address}
		reply := s.await(s.sendTo(to, &ports.Header{}, &ports.LockWaitInfoRequest{})).Reply.(*ports.LockWaitInfoReply)
		require.Nil(t, reply.Region())
		require.Empty(t, reply.Text)
		return reply.Waits
	}
	leader, _ := s.w.regions.ordered[0].leader()
	require.Equal(t, []ports.WaitFor{waitFor(20, 10, "k"), waitFor(30, 0, "l")}, ask(leader.Store))
	require.Empty(t, ask(leader.Store%3+1))
	s.waiting(gens...)
}

// A key that is let go twice in a short time is heard of once, later.
func TestOthersHearOfTheLastRelease(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	gens := s.wait(lockOf(20, "k"), lockOf(30, "k"), lockOf(40, "k"))
	s.release(10, "k")
	s.error(gens[0])
	s.hold(lockOf(20, "k"))
	s.pass(10 * time.Millisecond)
	s.release(20, "k")
	begun := s.w.now
	s.error(gens[1])
	require.EqualValues(t, 20, s.error(gens[2]).ConflictTS)
	require.InDelta(t, 20*time.Millisecond, s.w.now.Sub(begun), float64(time.Millisecond))
	s.noWaits()
}
