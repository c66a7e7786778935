package mvcc

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

func wait(waiter, holder ports.Timestamp, key string) ports.WaitFor {
	return ports.WaitFor{
		Txn: waiter, WaitForTxn: holder, KeyHash: ports.KeyHash([]byte(key)), Key: []byte(key),
	}
}

// deadlock.rs: test_detector, whose answers these are.
func TestDetector(t *testing.T) {
	var d Detector
	require.Nil(t, d.Detect(1, wait(1, 2, "a")), "1 waits for 2")
	chain := d.Detect(2, wait(2, 1, "b"))
	require.Equal(t, []ports.WaitFor{wait(1, 2, "a"), wait(2, 1, "b")}, chain)
	require.Equal(t, []ports.WaitFor{wait(1, 2, "a")}, d.Waits(), "the wait that failed is no wait")

	require.Nil(t, d.Detect(3, wait(2, 3, "c")))
	require.Nil(t, d.Detect(3, wait(2, 3, "d")), "for a second key of the same transaction")
	chain = d.Detect(4, wait(3, 1, "e"))
	require.Equal(t, []ports.WaitFor{wait(1, 2, "a"), wait(2, 3, "c"), wait(3, 1, "e")}, chain)

	d.Forget(wait(2, 3, "c"))
	require.NotNil(t, d.Detect(4, wait(3, 1, "e")), "2 still waits for d")
	d.Forget(wait(2, 3, "x"))
	d.Forget(wait(2, 3, "d"))
	require.Nil(t, d.Detect(4, wait(3, 1, "e")))
	d.Forget(wait(7, 8, "d"))
	d.Clear()
	require.Empty(t, d.Waits())
}

// A wait that nobody reports again is believed in for as long as a store lets requests wait.
func TestWaitsExpire(t *testing.T) {
	life := ports.Instant(time.Second)
	var d Detector
	require.Nil(t, d.Detect(0, wait(1, 2, "a")))
	require.NotNil(t, d.Detect(life-1, wait(2, 1, "b")))
	require.Nil(t, d.Detect(life, wait(2, 1, "b")))
	require.NotNil(t, d.Detect(life, wait(1, 2, "a")), "the first wait is gone")

	require.Nil(t, d.Detect(2*life-1, wait(2, 1, "b")), "known already, and known anew")
	require.NotNil(t, d.Detect(3*life-2, wait(1, 2, "a")))
}

func TestDeadlockError(t *testing.T) {
	chain := []ports.WaitFor{wait(3, 2, "x"), wait(2, 1, "a"), wait(1, 3, "c")}
	require.Equal(t, &ports.KeyError{
		Kind: ports.KeyDeadlock, LockTS: 3, Key: []byte("c"), DeadlockKeyHash: ports.KeyHash([]byte("a")), WaitChain: chain,
	}, Deadlock(chain), "transaction 1 waits for 3, which another keeps from going on that waits for a")
}

// waiting is one transaction that waits for another: since when it was last said, and for which keys.
type waiting struct {
	waiter, holder ports.Timestamp
}

// waitGraph is a detector that knows its waits by heart and looks at every way through them.
type waitGraph struct {
	reported map[waiting]ports.Instant
	keys     map[waiting]map[string]bool
}

func (g *waitGraph) live(now ports.Instant, e waiting) bool {
	at, known := g.reported[e]
	return known && now-at < ports.Instant(WaitLimit)
}

// leads reports whether live waits lead from one transaction to another, by closing the relation step by step.
func (g *waitGraph) leads(now ports.Instant, from, to ports.Timestamp) bool {
	seen := map[ports.Timestamp]bool{from: true}
	for range len(g.reported) {
		for e := range g.reported {
			if seen[e.waiter] && g.live(now, e) {
				seen[e.holder] = true
			}
		}
	}
	return seen[to]
}

func (g *waitGraph) forget(e waiting) {
	delete(g.reported, e)
	delete(g.keys, e)
}

// lose forgets the waits that the detector has dropped, which must have expired.
func (g *waitGraph) lose(t *rapid.T, now ports.Instant, d *Detector) {
	kept := map[waiting]bool{}
	for _, w := range d.Waits() {
		kept[waiting{w.Txn, w.WaitForTxn}] = true
	}
	for e := range g.reported {
		if !kept[e] {
			require.False(t, g.live(now, e), "a wait that is forgotten too early")
			g.forget(e)
		}
	}
	require.Len(t, kept, len(g.reported))
}

// A deadlock is a cycle in the graph of waits, and the chain is one that is there.
func TestDetectorAgainstGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Detector
		g := waitGraph{map[waiting]ports.Instant{}, map[waiting]map[string]bool{}}
		now := ports.Instant(1)
		draw := func(t *rapid.T) (waiting, string) {
			pair := rapid.SliceOfNDistinct(rapid.IntRange(1, 6), 2, 2, rapid.ID[int]).Draw(t, "waiter and holder")
			return waiting{ports.Timestamp(pair[0]), ports.Timestamp(pair[1])},
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
		}
		t.Repeat(map[string]func(*rapid.T){
			"detect": func(t *rapid.T) {
				now += ports.Instant(rapid.IntRange(0, 300).Draw(t, "ms")) * ports.Instant(time.Millisecond)
				e, key := draw(t)
				_, known := g.reported[e]
				cycle := g.leads(now, e.holder, e.waiter)
				chain := d.Detect(now, wait(e.waiter, e.holder, key))
				require.Equal(t, cycle && !known, chain != nil, "cycle %t, known %t", cycle, known)
				if chain == nil {
					if !known {
						g.keys[e] = map[string]bool{}
					}
					g.reported[e], g.keys[e][key] = now, true
					g.lose(t, now, &d)
					return
				}
				at := e.holder
				for _, w := range chain[:len(chain)-1] {
					require.Equal(t, at, w.Txn)
					at = w.WaitForTxn
					require.True(t, g.live(now, waiting{w.Txn, at}))
					require.True(t, g.keys[waiting{w.Txn, at}][string(w.Key)])
				}
				require.Equal(t, wait(at, e.holder, key), chain[len(chain)-1])
				g.lose(t, now, &d)
			},
			"forget": func(t *rapid.T) {
				e, key := draw(t)
				d.Forget(wait(e.waiter, e.holder, key))
				if delete(g.keys[e], key); len(g.keys[e]) == 0 {
					g.forget(e)
				}
			},
		})
	})
}
