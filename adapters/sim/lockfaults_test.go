package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// contention is a crowd of requests for few keys, from a client that takes what it is told and thinks nothing of it.
type contention struct {
	*station
	start ports.Timestamp
	// began are the transactions that have asked for locks.
	began []ports.Timestamp
	sent  map[uint32]ports.Instant
	// gentle: locks are let go, but no transaction is rolled back.
	gentle bool
}

var contended = []string{"a", "k", "x"}

func (c *contention) choose(n int) int { return c.w.choose(SiteWorkload, n) }

// submit sends a request to the leader of the region of a key, or to where one was.
func (c *contention) submit(key string, req ports.Request) {
	r := c.w.regions.ordered[c.w.regions.at(c.w.bound([]byte(key)))]
	to, hdr := c.address(r, r.Peers[0].Store)
	if _, led := r.leader(); led {
		to, hdr = c.address(r, 0)
	}
	tok := c.tok()
	c.sent[tok.Gen] = c.w.now
	c.c.Submit(to, &hdr, req, c.w.now.Add(time.Duration(1+c.choose(20))*100*time.Millisecond), tok, c)
}

// act sends one request: mostly for a lock, else to let go what a transaction may hold.
func (c *contention) act() {
	key := contended[c.choose(len(contended))]
	if len(c.began) == 0 || c.choose(5) < 3 {
		if len(c.began) == 0 || c.choose(2) == 0 {
			c.start += ports.ComposeTimestamp(1, 0)
			c.began = append(c.began, c.start)
		}
		q := lockOf(c.began[c.choose(len(c.began))], key)
		q.ForUpdateTS = c.start
		switch c.choose(4) {
		case 1, 2:
			q.ForceLock = true
		case 3:
			q.Mutations[0].Kind = ports.KindSharedPessimisticLock
		}
		c.submit(key, q)
		return
	}
	i := c.choose(len(c.began))
	start := c.began[i]
	c.began = append(c.began[:i:i], c.began[i+1:]...)
	for _, key := range contended {
		keys := [][]byte{[]byte(key)}
		if c.choose(2) == 0 && !c.gentle {
			c.submit(key, &ports.BatchRollbackRequest{Keys: keys, StartTS: start})
		} else {
			c.submit(key, &ports.PessimisticRollbackRequest{Keys: keys, StartTS: start, ForUpdateTS: ports.MaxTimestamp})
		}
	}
}

// contend runs a crowd for a while, heals the cluster and lets it come to rest.
func contend(t *testing.T, seed uint64) (*contention, map[string]int) {
	s := newStation(t, Config{Chooser: NewSwarm(seed, AllFaults), Faults: AllFaults, Splits: [][]byte{[]byte("m")}})
	c := &contention{station: s, sent: map[uint32]ports.Instant{}}
	for range 400 {
		c.act()
		c.pass(time.Duration(c.choose(30)) * time.Millisecond)
	}
	c.w.Heal()
	c.rest()
	told := map[string]int{}
	for gen := range c.sent {
		require.Len(t, s.events[gen], 1, "seed %d: every request has one answer", seed)
		ev := &s.events[gen][0]
		reply, ok := ev.Reply.(*ports.PessimisticLockReply)
		switch {
		case !ok || reply.Region() != nil:
		case len(reply.Errors) > 0:
			told[fmt.Sprint("error ", reply.Errors[0].Kind)]++
		case len(reply.Results) > 0:
			told[fmt.Sprint("forced ", reply.Results[0].Kind)]++
		default:
			told["locked"]++
		}
	}
	return c, told
}

// However much goes wrong, every request that waits is answered, lost or forgotten with its store, and nobody waits
// when all is over. The run repeats.
func TestWaitsUnderFaults(t *testing.T) {
	seen := map[string]int{}
	var counts Counts
	for seed := range uint64(40) {
		c, told := contend(t, seed)
		hash := c.w.Hash()
		c.noWaits()
		happened := c.w.Counts()
		counts.Add(&happened)
		for what, n := range told {
			seen[what] += n
		}
		if seed < 4 {
			again, _ := contend(t, seed)
			require.Equal(t, hash, again.w.Hash(), "seed %d", seed)
		}
	}
	for _, what := range []string{
		"locked", fmt.Sprint("error ", ports.KeyWriteConflict), fmt.Sprint("error ", ports.KeyLocked),
		fmt.Sprint("error ", ports.KeyDeadlock), fmt.Sprint("forced ", ports.LockResultNormal),
	} {
		require.NotZero(t, seen[what], "%s never happened: %v", what, seen)
	}
	require.NotZero(t, counts[FaultLostLock])
}

// freedom watches how long keys are free while somebody waits for them.
type freedom struct {
	*contention
	since map[string]ports.Instant
	// woken counts the times that a key was let go for which somebody waited.
	woken int
}

// look returns a key that has been free for longer than it takes until all who wait for it have heard of that.
func (f *freedom) look() string {
	for _, key := range contended {
		if f.w.Lock([]byte(key)) != nil {
			delete(f.since, key)
			continue
		}
		leader, _ := f.w.regions.ordered[f.w.regions.at(f.w.bound([]byte(key)))].leader()
		waiting := len(f.w.store(leader.Store).waits.queues.At([]byte(key))) > 0
		if f.since[key] == 0 {
			f.since[key] = f.w.now
			if waiting {
				f.woken++
			}
		}
		if waiting && f.w.now.Sub(f.since[key]) > mvcc.WakeDelay+time.Millisecond {
			return key
		}
	}
	return ""
}

// As long as only messages get lost, late or doubled, nobody waits for a key that is free: who is not woken when it is
// let go hears of it soon.
func TestNobodyWaitsForAFreeKey(t *testing.T) {
	messages := FaultsOf(FaultRequestLost, FaultReplyLost, FaultDuplicate, FaultLateDuplicate, FaultSlow, FaultReset,
		FaultDial, FaultBusy)
	woken := 0
	for seed := range uint64(30) {
		s := newStation(t, Config{Chooser: NewSwarm(seed, messages), Faults: messages, Splits: [][]byte{[]byte("m")}})
		c := &contention{station: s, sent: map[uint32]ports.Instant{}, gentle: true}
		f := &freedom{contention: c, since: map[string]ports.Instant{}}
		for range 300 {
			c.act()
			late := ""
			s.w.Run(s.w.now.Add(time.Duration(c.choose(30))*time.Millisecond), func() bool {
				late = f.look()
				return late != ""
			})
			require.Empty(t, late, "seed %d at %s", seed, time.Duration(s.w.now))
		}
		woken += f.woken
	}
	require.NotZero(t, woken)
}
