package lock

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

func newCache(entries int) (*Cache, *smtest.Runner) {
	c := &Cache{}
	r := smtest.NewRunner(c)
	knobs := *r.Env.Knobs
	knobs.TxnStatusEntries = entries
	r.Env.Knobs = &knobs
	return c, r
}

func fact(start, commit ports.Timestamp) ports.Event {
	return ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactTxn, StartTS: start, CommitTS: commit}}
}

// model is the dumb second implementation: a map, and the starts in their order.
type model struct {
	entries        map[ports.Timestamp]ports.Timestamp
	order          []ports.Timestamp
	contradictions int
}

func (m *model) learn(start, commit ports.Timestamp, limit int) {
	if start == 0 || commit != 0 && commit <= start {
		return
	}
	if known, ok := m.entries[start]; ok {
		if known != commit {
			m.contradictions++
		}
		return
	}
	m.entries[start] = commit
	m.order = append(m.order, start)
	if len(m.order) > limit {
		delete(m.entries, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *model) compare(t *rapid.T, view sm.TxnView) {
	for start := range ports.Timestamp(60) {
		got, ok := view.Status(start)
		want, known := m.entries[start]
		if ok != known || got.CommitTS != want {
			t.Fatalf("Status(%d) = %v %v, want %d %v", start, got, ok, want, known)
		}
	}
}

// The cache is a map that forgets the oldest entry; views are what it was when they
// were taken.
func TestCacheAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		c, r := newCache(limit)
		m := &model{entries: map[ports.Timestamp]ports.Timestamp{}}
		type snapshot struct {
			view  sm.TxnView
			model *model
		}
		var views []snapshot
		t.Repeat(map[string]func(*rapid.T){
			"learn": func(t *rapid.T) {
				start := ports.Timestamp(rapid.Uint64Range(0, 30).Draw(t, "start"))
				commit := rapid.SampledFrom([]ports.Timestamp{0, 0, 29, start + 1, start + 2}).Draw(t, "commit")
				_, was := m.entries[start]
				r.Feed(fact(start, commit))
				m.learn(start, commit, limit)
				if _, is := m.entries[start]; is && !was && !c.Changed() {
					t.Fatalf("the cache learnt %d and has not changed", start)
				}
			},
			"view": func(t *rapid.T) {
				copied := &model{entries: map[ports.Timestamp]ports.Timestamp{}}
				for k, v := range m.entries {
					copied.entries[k] = v
				}
				views = append(views, snapshot{c.View(), copied})
				if c.Changed() {
					t.Fatal("changed since this very view")
				}
			},
			"clone": func(t *rapid.T) {
				var clone Cache
				c.CloneInto(&clone)
				// What the clone learns is nothing to the original.
				clone.learn(ports.Timestamp(rapid.Uint64Range(1, 30).Draw(t, "start")), 55, limit)
			},
			"": func(t *rapid.T) {
				m.compare(t, &txnView{buckets: c.buckets})
				for _, v := range views {
					v.model.compare(t, v.view)
				}
				if c.Contradictions() != m.contradictions {
					t.Fatalf("%d contradictions, want %d", c.Contradictions(), m.contradictions)
				}
			},
		})
	})
}

func TestCacheChanges(t *testing.T) {
	c, r := newCache(2)
	require.False(t, c.Changed())
	r.Feed(fact(5, 6))
	require.True(t, c.Changed())
	c.View()
	require.False(t, c.Changed())
	r.Feed(fact(5, 6))
	require.False(t, c.Changed(), "it was known")
	r.Feed(fact(5, 7))
	require.False(t, c.Changed(), "a contradiction is not believed")
	require.Equal(t, 1, c.Contradictions())
	status, ok := c.View().Status(5)
	require.True(t, ok)
	require.Equal(t, sm.TxnStatus{CommitTS: 6}, status)
	require.Equal(t, "lock.Cache of 1 transactions", c.String())
}

// Only facts about transactions teach the cache, and only possible ones.
func TestCacheTransitions(t *testing.T) {
	c, r := newCache(2)
	empty := sum(c)
	for kind := range ports.EventKind(ports.EventKinds) {
		r.Feed(ports.Event{Kind: kind})
		require.Empty(t, r.Effects)
		for f := range ports.FactKind(ports.FactKinds) {
			if kind == ports.EventLearn && f == ports.FactTxn {
				continue
			}
			r.Feed(ports.Event{Kind: kind, Fact: &ports.Fact{Kind: f, StartTS: 5, CommitTS: 6}})
			require.Empty(t, r.Effects)
		}
	}
	for _, impossible := range []ports.Event{fact(0, 0), fact(0, 6), fact(5, 5), fact(5, 4)} {
		r.Feed(impossible)
	}
	require.Equal(t, empty, sum(c))
	require.False(t, c.Done())

	none, r := newCache(0)
	r.Feed(fact(5, 6))
	require.Equal(t, empty, sum(none), "a cache without room remembers nothing")
}

func sum(m sm.Machine) uint64 {
	h := sm.NewHash()
	m.Fingerprint(h)
	return h.Sum()
}

func TestCacheContract(t *testing.T) {
	c, r := newCache(3)
	for start := range ports.Timestamp(7) {
		r.Feed(fact(start, start*2))
	}
	smtest.Contract(t, c)
}

// Starts that differ little, as those of one client do, are spread over buckets.
func TestBucketsAreEven(t *testing.T) {
	const tick = ports.Timestamp(1) << ports.LogicalBits
	for _, step := range []ports.Timestamp{1, tick, 3 * tick, tick + 1} {
		var counts [bucketCount]int
		for i := range ports.Timestamp(2048) {
			counts[bucketOf(ms(1_700_000_000_000)+i*step)]++
		}
		for b, n := range counts {
			require.Less(t, n, 3*2048/bucketCount, fmt.Sprintf("bucket %d, step %d", b, step))
		}
	}
}
