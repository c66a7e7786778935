package parity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// The tests beside the ledger's own show behaviours of client-go's integration suite
// on the simulated cluster, where no test of a single package shows them.

// cluster is a simulated cluster in virtual time with one client. Everything that
// waits is a task of its world; what tasks find is judged outside of them.
type cluster struct {
	t  *testing.T
	w  *sim.World
	db *app.Client
	// process is the client's; seen are the requests of which it had an end.
	process *sim.Client
	seen    attempts
}

// open makes a cluster without faults whose regions are bounded by the keys.
func open(t *testing.T, bounds ...string) *cluster {
	return openConfig(t, sim.Config{}, bounds...)
}

// openRaw is open for raw keys.
func openRaw(t *testing.T, bounds ...string) *cluster {
	return openConfig(t, sim.Config{RawKeys: true}, bounds...)
}

func openConfig(t *testing.T, config sim.Config, bounds ...string) *cluster {
	config.Splits = byteKeys(bounds...)
	if config.Chooser == nil {
		config.Chooser = sim.Boring{}
	}
	w, err := sim.New(config)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	c := &cluster{t: t, w: w}
	c.db, c.process = c.client("client")
	return c
}

// client opens one more client; all share the record of requests.
func (c *cluster) client(name string, opts ...app.ClientOption) (*app.Client, *sim.Client) {
	own := []app.ClientOption{app.WithKnobs(smallKnobs()), app.WithObserver(&c.seen)}
	db, process, err := embed.Tasks(c.w, name, 1, append(own, opts...)...)
	require.NoError(c.t, err)
	return db, process
}

// smallKnobs make pages and batches so small that a few keys need several.
func smallKnobs() sm.Knobs {
	k := sm.DefaultKnobs()
	k.ScanPage, k.CommitBatchBytes = 10, 100
	return k
}

// patience bounds every call.
const patience = 60 * time.Second

// start begins a task whose calls have a context of their own.
func (c *cluster) start(f func(ctx context.Context)) *sim.Task {
	return c.w.Go("test", func(*sim.Task) {
		ctx, cancel := embed.Context(c.w, patience)
		defer cancel()
		f(ctx)
	})
}

// await lets the world go on until tasks have ended.
func (c *cluster) await(tasks ...*sim.Task) {
	c.t.Helper()
	for _, task := range tasks {
		require.True(c.t, c.w.Run(c.w.Now().Add(2*patience), task.Done), "a task hangs")
	}
}

// do runs f as a task and returns how long that took.
func (c *cluster) do(f func(ctx context.Context)) time.Duration {
	c.t.Helper()
	began := c.w.Now()
	c.await(c.start(f))
	return c.w.Now().Sub(began)
}

// must runs f as a task that must succeed.
func (c *cluster) must(f func(ctx context.Context) error) time.Duration {
	c.t.Helper()
	var err error
	took := c.do(func(ctx context.Context) { err = f(ctx) })
	require.NoError(c.t, err)
	return took
}

// within lets the world go on until the condition holds, at most so long.
func (c *cluster) within(d time.Duration, holds func() bool, why string) {
	c.t.Helper()
	require.True(c.t, c.w.Run(c.w.Now().Add(d), holds), why)
}

// unlocked waits until no lock is left.
func (c *cluster) unlocked(d time.Duration) {
	c.t.Helper()
	c.within(d, func() bool { return len(c.w.Locks()) == 0 }, "locks are left")
}

// put commits pairs, written "key=value".
func (c *cluster) put(pairs ...string) {
	c.t.Helper()
	c.must(func(ctx context.Context) error { return update(ctx, c.db, pairs...) })
	c.unlocked(time.Second)
}

// update commits pairs, written "key=value".
func update(ctx context.Context, db *app.Client, pairs ...string) error {
	return db.Update(ctx, func(_ context.Context, tx *app.Txn) error { return write(tx, pairs...) })
}

// write puts pairs, written "key=value", into a transaction.
func write(tx *app.Txn, pairs ...string) error {
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		if err := tx.Put([]byte(k), []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a transaction with the given writes.
func (c *cluster) begin(db *app.Client, pairs ...string) *app.Txn {
	c.t.Helper()
	var tx *app.Txn
	c.must(func(ctx context.Context) (err error) {
		if tx, err = db.Begin(ctx); err == nil {
			err = write(tx, pairs...)
		}
		return err
	})
	return tx
}

// commit commits a transaction and returns what it was told.
func (c *cluster) commit(tx *app.Txn) (commit app.Commit, err error) {
	c.t.Helper()
	c.do(func(ctx context.Context) { commit, err = tx.Commit(ctx) })
	return commit, err
}

// now returns a timestamp of the oracle.
func (c *cluster) now() ports.Timestamp {
	c.t.Helper()
	var ts ports.Timestamp
	c.must(func(ctx context.Context) (err error) {
		ts, err = c.db.Timestamp(ctx)
		return err
	})
	return ts
}

// get reads keys one by one in a new snapshot, as "key=value" where there is one.
func (c *cluster) get(keys ...string) string {
	c.t.Helper()
	return c.getAt(c.now(), keys...)
}

// getAt reads keys one by one at a timestamp.
func (c *cluster) getAt(ts ports.Timestamp, keys ...string) string {
	c.t.Helper()
	var found app.Pairs
	c.must(func(ctx context.Context) error {
		for _, k := range keys {
			v, err := c.db.SnapshotAt(ts).Get(ctx, []byte(k))
			switch {
			case err == nil:
				found = append(found, app.KV{Key: []byte(k), Value: v})
			case err != app.ErrNotFound:
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	})
	return show(found)
}

// scan reads a range in a new snapshot.
func (c *cluster) scan(opts ...app.ScanOption) string {
	c.t.Helper()
	var found app.Pairs
	c.must(func(ctx context.Context) error {
		return c.db.View(ctx, func(ctx context.Context, s *app.Snapshot) (err error) {
			found, err = collect(s.Scan(ctx, opts...))
			return err
		})
	})
	return show(found)
}

func collect(seq func(func(app.KV, error) bool)) (found app.Pairs, err error) {
	for kv, e := range seq {
		if e != nil {
			return found, e
		}
		found = append(found, kv)
	}
	return found, nil
}

// show writes pairs as "key=value"; without values as "key".
func show(pairs app.Pairs) string {
	var texts []string
	for _, kv := range pairs {
		if kv.Value == nil {
			texts = append(texts, string(kv.Key))
			continue
		}
		texts = append(texts, string(kv.Key)+"="+string(kv.Value))
	}
	return strings.Join(texts, " ")
}

// leftover is what a client that crashed has left behind.
type leftover struct {
	primary string
	keys    []string
	value   string
	ttl     time.Duration
	// size is how many keys the locks say that their transaction has locked, 1 if 0.
	size uint64
	// commit: the primary was committed.
	commit bool
}

// leave writes a leftover into the stores and returns its timestamps.
func (c *cluster) leave(l leftover) (start, commit ports.Timestamp) {
	c.t.Helper()
	start = c.now()
	req := &ports.PrewriteRequest{
		Primary: []byte(l.primary), StartTS: start, TTL: uint64(l.ttl.Milliseconds()), TxnSize: max(l.size, 1),
		MinCommitTS: start + 1,
	}
	for _, k := range append([]string{l.primary}, l.keys...) {
		req.Mutations = append(req.Mutations, ports.Mutation{Key: []byte(k), Value: []byte(l.value)})
	}
	var reply ports.PrewriteReply
	c.w.Engine().Prewrite(req, &reply)
	require.Empty(c.t, reply.Errors)
	if l.commit {
		commit = c.now()
		var reply ports.CommitReply
		c.w.Engine().Commit(&ports.CommitRequest{
			Keys: byteKeys(l.primary), Primary: req.Primary, StartTS: start, CommitTS: commit, IsPrimary: true,
		}, &reply)
		require.Nil(c.t, reply.Err)
	}
	return start, commit
}

// leader returns the store that leads the region of a transactional key's index.
func (c *cluster) leader(region int) ports.StoreID {
	r := c.w.Regions()[region]
	p, ok := r.Peer(r.Leader)
	require.True(c.t, ok)
	return p.Store
}

func byteKeys(texts ...string) [][]byte {
	var list [][]byte
	for _, k := range texts {
		list = append(list, []byte(k))
	}
	return list
}

// attempts records the requests of clients.
type attempts []ports.Attempt

// count returns how many requests of a verb there were.
func (a attempts) count(verb ports.Verb) int {
	return len(a) - len(slices.DeleteFunc(slices.Clone(a), func(x ports.Attempt) bool { return x.Verb == verb }))
}

// OnAttempt implements [ports.Observer].
func (a *attempts) OnAttempt(x ports.Attempt) { *a = append(*a, x) }

// OnBackoff implements [ports.Observer].
func (a *attempts) OnBackoff(string, time.Duration) {}

// OnRegionLoad implements [ports.Observer].
func (a *attempts) OnRegionLoad(int, time.Duration) {}

// OnCommit implements [ports.Observer].
func (a *attempts) OnCommit(string, int, time.Duration) {}
