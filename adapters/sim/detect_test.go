package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func waitFor(waiter, holder ports.Timestamp, key string) ports.WaitFor {
	return ports.WaitFor{
		Txn: waiter, WaitForTxn: holder, KeyHash: ports.KeyHash([]byte(key)), Key: []byte(key),
	}
}

// sendKey submits a lock request to the region of its key.
func (s *station) sendKey(q *ports.PessimisticLockRequest) uint32 {
	r := s.w.regions.ordered[s.w.regions.at(s.w.bound(q.Mutations[0].Key))]
	to, hdr := s.address(r, 0)
	return s.sendTo(to, &hdr, q)
}

// forgotten checks that nobody waits, and that the detector knows of nobody.
func (s *station) forgotten() {
	s.t.Helper()
	s.noWaits()
	require.Empty(s.t, s.w.deadlocks.table.Waits())
}

func (s *station) holdKey(start ports.Timestamp, key string) {
	s.t.Helper()
	require.Empty(s.t, s.locked(s.sendKey(lockOf(start, key))).Errors)
}

// Two transactions that wait for each other, wherever the regions of their keys are led.
func TestDeadlock(t *testing.T) {
	for name, splits := range map[string][][]byte{
		"in one store": nil, "in two stores": {[]byte("m")}, "away from the detector": {[]byte("a"), []byte("m")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: Boring{}, Splits: splits})
			s.holdKey(10, "k")
			s.holdKey(20, "x")
			first := s.sendKey(lockOf(10, "x"))
			s.pass(2 * time.Millisecond)
			s.waiting(first)
			begun := s.w.now
			e := s.error(s.sendKey(lockOf(20, "k")))
			require.Less(t, s.w.now.Sub(begun), 10*time.Millisecond, "nobody waits for a timeout")
			require.Equal(t, &ports.KeyError{
				Kind: ports.KeyDeadlock, LockTS: 10, Key: []byte("k"), DeadlockKeyHash: ports.KeyHash([]byte("x")),
				WaitChain: []ports.WaitFor{waitFor(10, 20, "x"), waitFor(20, 10, "k")},
			}, e)
			s.waiting(first)
			s.forgotten()
		})
	}
}

// The first lock that a transaction takes closes no cycle, and a cycle of three is one, too.
func TestDeadlockOfThree(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	for start, key := range map[ports.Timestamp]string{10: "a", 20: "b", 30: "c"} {
		s.hold(lockOf(start, key))
	}
	s.wait(lockOf(10, "b"), lockOf(20, "c"))
	first := lockOf(30, "a")
	first.IsFirstLock, first.WaitTimeout = true, 50
	require.Equal(t, ports.KeyLocked, s.error(s.send(first)).Kind)
	e := s.error(s.send(forced(lockOf(30, "a"))))
	require.Equal(t, ports.KeyDeadlock, e.Kind)
	require.Equal(t, []ports.WaitFor{waitFor(10, 20, "b"), waitFor(20, 30, "c"), waitFor(30, 10, "a")}, e.WaitChain)
	require.Equal(t, ports.KeyHash([]byte("c")), e.DeadlockKeyHash)
	s.forgotten()
}

// A wait that is over is none: whoever was woken, timed out or failed is forgotten.
func TestNoDeadlockWithWhoDoesNotWait(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "a"))
	s.hold(lockOf(20, "b"))
	impatient := lockOf(10, "b")
	impatient.WaitTimeout = 30
	s.error(s.send(impatient))
	s.pass(time.Millisecond)
	gens := s.wait(lockOf(20, "a"))
	s.release(10, "a")
	s.error(gens[0])
	s.hold(lockOf(20, "a"))
	gens = s.wait(lockOf(10, "a"))
	s.release(20, "a")
	s.error(gens[0])
	s.forgotten()
}

// A request that locks by force and finds the key locked by another than it thought looks for deadlocks anew; others do
// not, as they are to be told to begin again (waiter_manager.rs: handle_update_wait_for).
func TestDeadlockWithTheNextHolder(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	s.hold(lockOf(30, "x"))
	gens := s.wait(forced(lockOf(20, "k")), forced(lockOf(30, "k")))
	s.release(10, "k")
	require.Empty(t, s.locked(gens[0]).Errors)
	s.pass(time.Millisecond)
	e := s.error(s.send(lockOf(20, "x")))
	require.Equal(t, ports.KeyDeadlock, e.Kind)
	require.Equal(t, []ports.WaitFor{waitFor(30, 20, "k"), waitFor(20, 30, "x")}, e.WaitChain)
	s.forgotten()
}

// Every holder of a shared lock is waited for.
func TestDeadlockWithSharedLocks(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(sharing(lockOf(10, "k")))
	s.hold(sharing(lockOf(20, "k")))
	s.hold(lockOf(30, "x"))
	s.error(s.send(lockOf(30, "k"))) // closes the set
	gens := s.wait(lockOf(20, "x"))
	e := s.error(s.send(lockOf(30, "k")))
	require.Equal(t, ports.KeyDeadlock, e.Kind)
	require.EqualValues(t, 20, e.LockTS)
	require.Equal(t, []ports.WaitFor{waitFor(20, 30, "x"), waitFor(30, 20, "k")}, e.WaitChain)
	s.pass(time.Millisecond)
	require.Equal(t, []ports.WaitFor{waitFor(20, 30, "x")}, s.w.deadlocks.table.Waits(), "the wait for 10 is over as well")
	s.waiting(gens...)
	s.forgotten()
}

// The detector knows nothing any more when it changes its leader, its region or its process, and nothing reaches it
// where there is none. A deadlock is then met when the waits have begun anew.
func TestDetectorForgets(t *testing.T) {
	for name, c := range map[string]func(w *World, r *region){
		"transfer": func(w *World, r *region) { w.Transfer(r.ID, r.Peers[1].Store) },
		"transfer there and back": func(w *World, r *region) {
			w.Transfer(r.ID, r.Peers[1].Store)
			w.Transfer(r.ID, r.Peers[0].Store)
		},
		"split": func(w *World, _ *region) { w.Split(w.bound([]byte("a"))) },
		"crash": func(w *World, r *region) {
			leader, _ := r.leader()
			w.Crash(leader.Store)
		},
		"silence": func(w *World, r *region) {
			w.Sever(r.Peers[0].Store, r.Peers[1].Store)
			w.After(w.now+ports.Instant(2*time.Second), func() { w.Mend(r.Peers[0].Store, r.Peers[1].Store) })
		},
		"silence of the detector": func(w *World, r *region) {
			w.After(w.now+2*travelTime, func() { w.Sever(r.Peers[0].Store, r.Peers[1].Store) })
			w.After(w.now+ports.Instant(2*time.Second), func() { w.Mend(r.Peers[0].Store, r.Peers[1].Store) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("j")}})
			s.holdKey(10, "k")
			s.holdKey(20, "x")
			first := s.sendKey(lockOf(10, "x"))
			s.pass(2 * time.Millisecond)
			require.Len(t, s.w.deadlocks.table.Waits(), 1)
			c(s.w, s.w.regions.ordered[0])
			second := s.sendKey(lockOf(20, "k"))
			require.Equal(t, ports.KeyLocked, s.error(first).Kind)
			require.Equal(t, ports.KeyLocked, s.error(second).Kind)
			s.w.Run(s.w.now.Add(2*time.Second), nil)
			s.sendKey(lockOf(10, "x"))
			s.pass(2 * time.Millisecond)
			require.Equal(t, ports.KeyDeadlock, s.error(s.sendKey(lockOf(20, "k"))).Kind)
			s.forgotten()
		})
	}
}

// What is on its way to a detector that stands still arrives when it goes on, in its order.
func TestDetectorHangs(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("j")}})
	s.holdKey(10, "k")
	s.holdKey(20, "x")
	detector, _ := s.w.regions.ordered[0].leader()
	s.w.Hang(detector.Store)
	first := s.sendKey(lockOf(10, "x"))
	second := s.sendKey(lockOf(20, "k"))
	s.pass(5 * time.Millisecond)
	s.waiting(first, second)
	s.w.Resume(detector.Store)
	require.Equal(t, ports.KeyDeadlock, s.error(second).Kind)
	s.waiting(first)
	s.forgotten()
}

// What is on its way to a detector that is none by the time of its arrival is lost.
func TestDetectorIsGone(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("j")}})
	s.holdKey(10, "k")
	r := s.w.regions.ordered[0]
	waiting, _ := s.w.regions.ordered[1].leader()
	gen := s.sendKey(lockOf(20, "k"))
	require.True(t, s.w.Run(s.w.now.Add(time.Second), func() bool {
		return len(s.w.store(waiting.Store).waits.list) > 0
	}))
	s.w.Transfer(r.ID, r.Peers[1].Store)
	s.pass(5 * time.Millisecond)
	require.Empty(t, s.w.deadlocks.table.Waits())
	s.waiting(gen)
	s.noWaits()
}

// A store's messages to the detector keep their order, however long each is under way: the end of a wait is not
// overtaken by its beginning.
func TestMessagesToTheDetectorKeepTheirOrder(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}, Splits: [][]byte{[]byte("j")}})
	s.holdKey(10, "k")
	gen := s.sendKey(lockOf(20, "k"))
	waiting, _ := s.w.regions.ordered[1].leader()
	list := &s.w.store(waiting.Store).waits.list
	require.True(t, s.w.Run(s.w.now.Add(time.Second), func() bool { return len(*list) > 0 }))
	s.w.store(waiting.Store).waits.told += travelTime * 16
	late := s.w.store(waiting.Store).waits.told
	s.w.forget(s.w.store(waiting.Store), (*list)[0])
	require.Equal(t, late, s.w.store(waiting.Store).waits.told)
	s.w.Run(late-1, nil)
	require.Len(t, s.w.deadlocks.table.Waits(), 1, "the end of the wait is still under way")
	s.w.Run(late, nil)
	require.Empty(t, s.w.deadlocks.table.Waits())
	s.waiting(gen)
}

// A process that has been started anew does nothing that the last one was about to do; one that goes on does all, in
// its order.
func TestInProcess(t *testing.T) {
	s := newStation(t, Config{Chooser: chosen{SiteExecute: {7, 0}}})
	var did []int
	plan := func(n int) { s.w.inProcess(s.w.store(1), s.w.now+travelTime, func() { did = append(did, n) }) }
	plan(1)
	s.w.Crash(1)
	s.w.Restart(1, "")
	plan(2)
	s.w.Hang(1)
	plan(3)
	s.pass(time.Millisecond)
	require.Empty(t, did)
	s.w.Resume(1)
	s.pass(0)
	require.Equal(t, []int{2, 3}, did)
	plan(4)
	s.w.Hang(1)
	s.pass(time.Millisecond)
	s.w.Crash(1)
	s.rest()
	require.Equal(t, []int{2, 3}, did)
}

// The first lock of a transaction closes no cycle with the next holder either.
func TestFirstLockIsNotDetectedAnew(t *testing.T) {
	s := newStation(t, Config{Chooser: Boring{}})
	s.hold(lockOf(10, "k"))
	first := forced(lockOf(30, "k"))
	first.IsFirstLock = true
	gens := s.wait(forced(lockOf(20, "k")), first)
	s.release(10, "k")
	require.Empty(t, s.locked(gens[0]).Errors)
	s.pass(5 * time.Millisecond)
	require.Empty(t, s.w.deadlocks.table.Waits())
	e := s.error(gens[1])
	require.EqualValues(t, 20, e.Lock.StartTS)
	s.forgotten()
}
