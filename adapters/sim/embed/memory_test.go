package embed_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// neighbour is a client of another kind: it prewrites with async commit, and commits what was prewritten.
type neighbour struct {
	world *sim.World
	*sim.Client
	start     ports.Timestamp
	committed bool
}

func (n *neighbour) send(req ports.Request) {
	r := n.world.Regions()[0]
	leader, _ := r.Peer(r.Leader)
	to := ports.Endpoint{Store: leader.Store, Address: n.world.Stores()[leader.Store-1].Address}
	n.Submit(to, &ports.Header{Region: r.RegionVersion, Peer: leader}, req, ports.Never, ports.Tok{}, n)
}

// Post implements [ports.Sink].
func (n *neighbour) Post(ev ports.Event) {
	switch r := ev.Reply.(type) {
	case *ports.PrewriteReply:
		n.send(&ports.CommitRequest{
			Keys: [][]byte{[]byte("m"), []byte("n")}, Primary: []byte("m"), StartTS: n.start, CommitTS: r.MinCommitTS,
			IsPrimary: true,
		})
	case *ports.CommitReply:
		n.committed = r.Err == nil
	}
}

// A store that keeps locks in memory fails a whole read for one of them. The client waits for the transaction, and
// reads what it has written.
func TestReadsOutlastLocksInMemory(t *testing.T) {
	reads := map[string]func(ctx context.Context, s *app.Snapshot) (value string, err error){
		"Get": func(ctx context.Context, s *app.Snapshot) (string, error) {
			v, err := s.Get(ctx, []byte("n"))
			return string(v), err
		},
		"BatchGet": func(ctx context.Context, s *app.Snapshot) (string, error) {
			pairs, err := s.BatchGet(ctx, [][]byte{[]byte("a"), []byte("m"), []byte("n")})
			if len(pairs) != 2 {
				return "", err
			}
			return string(pairs[1].Value), err
		},
		"Scan": func(ctx context.Context, s *app.Snapshot) (value string, err error) {
			for kv, e := range s.Scan(ctx) {
				value, err = string(kv.Value), e
			}
			return value, err
		},
	}
	for verb, read := range reads {
		var trace strings.Builder
		longest := sim.ChooserFunc(func(site sim.Site, n int) int {
			if site == sim.SiteMemoryLock {
				return n - 1
			}
			return 0
		})
		w, err := sim.New(sim.Config{Chooser: longest, Trace: &trace})
		require.NoError(t, err)
		db, _, err := embed.Tasks(w, "reader", 1)
		require.NoError(t, err)
		other := &neighbour{world: w, Client: w.Client("neighbour"), start: w.Reserve(1)}
		other.send(&ports.PrewriteRequest{
			Mutations: []ports.Mutation{{Key: []byte("m"), Value: []byte("m")}, {Key: []byte("n"), Value: []byte("new")}},
			Primary:   []byte("m"), StartTS: other.start, TTL: 3000, UseAsyncCommit: true, Secondaries: [][]byte{[]byte("n")},
		})
		var value string
		done := false
		w.After(w.Now().Add(time.Millisecond), func() {
			w.Go("reader", func(*sim.Task) {
				ctx, cancel := embed.Context(w, 10*time.Second)
				defer cancel()
				s, e := db.Snapshot(ctx)
				if e == nil {
					value, e = read(ctx, s)
				}
				err, done = e, true
			})
		})
		require.True(t, w.Run(w.Now().Add(time.Minute), func() bool { return done && other.committed }), verb)
		require.NoError(t, err, verb)
		require.Equal(t, "new", value, verb)
		require.Contains(t, trace.String(), " "+verb+" ")
		require.Regexp(t, verb+` .*locked "[mn]" by`, trace.String(), "the read met the lock while it was in memory")
		require.Less(t, strings.Index(trace.String(), " locked "), strings.Index(trace.String(), "← 1 Prewrite"), verb)
		w.Go("close", func(*sim.Task) {
			ctx, cancel := embed.Context(w, time.Second)
			defer cancel()
			err = db.Close(ctx)
		})
		w.Run(w.Now().Add(time.Minute), nil)
		require.NoError(t, err)
		w.Close()
	}
}
