package sim_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// replicaReader reads keys from any peer, one after the other, and keeps what it is told. It routes by looking behind
// the scenes.
type replicaReader struct {
	w      *sim.World
	client *sim.Client
	left   int
	key    []byte
	ts     ports.Timestamp
	hdr    ports.Header
	seen   []observed
	// served counts answers of other peers than leaders, refused stale reads that came too early.
	replica, stale, refused int
}

// observed is what a read at a timestamp was told of a key; an empty value is none.
type observed struct {
	key   string
	ts    ports.Timestamp
	value string
	hdr   ports.Header
}

func (r *replicaReader) next() {
	if r.left == 0 {
		return
	}
	r.left--
	if r.left%16 == 0 {
		// Somebody is always behind.
		regions := r.w.Regions()
		region := regions[r.w.Choose(sim.SiteWorkload, len(regions))]
		r.w.Lag(region.ID, region.Peers[r.w.Choose(sim.SiteWorkload, len(region.Peers))].Store, 2e8)
	}
	choose := func(n int) int { return r.w.Choose(sim.SiteWorkload, n) }
	r.key = fmt.Appendf(nil, "k%d", choose(keys))
	region := r.w.RegionOf(r.key)
	peer := region.Peers[choose(len(region.Peers))]
	r.hdr = ports.Header{Region: region.RegionVersion, Peer: peer, ReplicaRead: true}
	r.ts = r.w.Reserve(1)
	if choose(2) == 1 {
		r.hdr.ReplicaRead, r.hdr.StaleRead = false, true
		r.ts = ports.ComposeTimestamp(r.ts.Physical()-int64(choose(8))*25, 0)
	}
	to := ports.Endpoint{Store: peer.Store, Address: r.w.AddressOf(peer.Store)}
	r.client.Submit(to, &r.hdr, &ports.GetRequest{Key: r.key, TS: r.ts}, r.w.Now()+1e9, ports.Tok{}, r)
}

// Post implements [ports.Sink].
func (r *replicaReader) Post(ev ports.Event) {
	if ev.Kind == ports.EventTimer {
		r.next()
		return
	}
	if reply, ok := ev.Reply.(*ports.GetReply); ok {
		switch f := reply.Region(); {
		case f != nil && f.Kind == ports.FaultDataIsNotReady:
			r.refused++
		case f == nil && reply.Err == nil:
			r.seen = append(r.seen, observed{string(r.key), r.ts, string(reply.Value), r.hdr})
			if region := r.w.RegionOf(r.key); region.Leader != r.hdr.Peer.ID {
				r.replica += btoi(r.hdr.ReplicaRead)
				r.stale += btoi(r.hdr.StaleRead)
			}
		}
	}
	if ev.Lease != nil {
		ev.Lease.Release()
	}
	r.client.Arm(r.w.Now()+2e6, ports.Tok{}, r)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

const keys = 8

// Whatever happens to regions, peers and stores, a read that any peer serves sees what is committed at its timestamp,
// then and for ever after.
func TestAnyPeerReadsTheTruth(t *testing.T) {
	var replica, stale, refused int
	for seed := range uint64(30) {
		chooser := sim.NewSwarm(seed, sim.AllFaults)
		w, err := sim.New(sim.Config{
			Chooser: chooser, Faults: chooser.Faults(), Stores: 5, Splits: splits("k3", "k6"),
			Disturbance: 20 * time.Millisecond, SafeTSInterval: 50 * time.Millisecond,
		})
		require.NoError(t, err)
		db, _, err := embed.Tasks(w, "writer", seed)
		require.NoError(t, err)
		var tasks []*sim.Task
		for n := range 3 {
			tasks = append(tasks, w.Go("writer", func(task *sim.Task) { write(w, db, n, task) }))
		}
		r := &replicaReader{w: w, client: w.Client("reader"), left: 500}
		r.next()
		done := func() bool {
			ended := r.left == 0
			for _, task := range tasks {
				ended = ended && task.Done()
			}
			return ended
		}
		w.Run(w.Now().Add(5*time.Second), done)
		w.Heal()
		w.Run(w.Now().Add(time.Minute), done)
		for _, o := range r.seen {
			require.Equal(t, committed(w, o.key, o.ts), o.value, "seed %d: %q at %d, by %+v", seed, o.key, o.ts, o.hdr)
		}
		replica, stale, refused = replica+r.replica, stale+r.stale, refused+r.refused
		w.Close()
	}
	require.Greater(t, replica, 500)
	require.Greater(t, stale, 100)
	require.Greater(t, refused, 100)
}

// write commits numbers, whatever becomes of each.
func write(w *sim.World, db *app.Client, n int, task *sim.Task) {
	for i := range 200 {
		ctx, cancel := embed.Context(w, time.Second)
		key := fmt.Appendf(nil, "k%d", w.Choose(sim.SiteWorkload, keys))
		_ = db.Update(ctx, func(_ context.Context, tx *app.Txn) error {
			return tx.Put(key, []byte(strconv.Itoa(1000*n+i)))
		})
		cancel()
		task.Sleep(time.Millisecond)
	}
}

// committed returns the value of a key at a timestamp.
func committed(w *sim.World, key string, ts ports.Timestamp) string {
	for _, v := range w.Versions([]byte(key)) {
		if v.CommitTS <= ts {
			return string(v.Value)
		}
	}
	return ""
}
