package drive

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/core/key"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/ports"
)

// get reads a key through the real routed call and the real tables.
func get(t *testing.T, d *Driver, pool *Pool[raw.Point], ctx context.Context) {
	t.Helper()
	op := pool.Op()
	defer op.Release()
	op.Machine.InitGet([]byte("k"), raw.Options{}, d.Deadline(ctx, time.Minute))
	require.NoError(t, op.Run(ctx))
	require.False(t, op.Machine.Failure().Failed())
	v, ok := op.Machine.Value()
	require.True(t, ok)
	require.Equal(t, "v", string(v))
}

func points(d *Driver) *Pool[raw.Point] { return NewPool[raw.Point](d, key.Codec{Mode: key.Raw}) }

func TestTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		f.submit = request.reply
		pool := points(d)
		for range 3 {
			get(t, d, pool, context.Background())
		}
		require.Equal(t, 2, f.get(&f.queries), "the region and its store, once")
		require.NotNil(t, d.views.Load().stores.Store(1))

		// What the network learns by itself reaches the tables.
		f.sink.Post(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactStoreFailed, Store: 1}})
		synctest.Wait()
		require.Equal(t, 1, f.get(&f.probes))
		require.Equal(t, 3, f.get(&f.queries), "the failed store may have moved")
		f.sink.Post(ports.Event{Kind: ports.EventLearn, Now: d.Now(), Fact: &ports.Fact{
			Kind: ports.FactRegionGone, Region: ports.RegionVersion{ID: 2, Epoch: ports.Epoch{ConfVer: 1, Version: 1}},
		}})
		f.sink.Post(ports.Event{Kind: ports.EventLearn})
		f.sink.Post(ports.Event{Kind: ports.EventLearn, Fact: &ports.Fact{Kind: ports.FactKind(ports.FactKinds)}})
		synctest.Wait()
		require.Nil(t, d.views.Load().regions.Find([]byte("k"), d.Now()))
		get(t, d, pool, context.Background())
		require.Equal(t, 4, f.get(&f.queries))
		finish(t, d)
	})
}

// What a machine asks with is its own again as soon as the pump is done.
func TestQuestionsAreCopied(t *testing.T) {
	f := &fake{Timers: &clock{time.Now()}}
	d := build(Config{Network: f, Oracle: f, Placement: f, Timers: f, Host: Host{NewWaiter: newBlocking}})
	ask := ports.Ask{Kind: ports.AskRegion, Key: []byte("k"), Until: []byte("u")}
	for _, until := range [][]byte{[]byte("u"), {}, nil} {
		ask.Until = until
		d.ask(&ask, ports.Waiter{Op: 7, Tok: ports.Tok{Gen: 8}}, 9)
	}
	ask.Key[0] = 'x'
	kept := d.tables.regionOp.events
	require.Len(t, kept, 3)
	want := ports.Ask{Kind: ports.AskRegion, Key: []byte("k"), Waiter: ports.Waiter{Op: 7, Tok: ports.Tok{Gen: 8}}}
	for i, until := range [][]byte{[]byte("u"), {}, nil} {
		want.Until = until
		require.Equal(t, want, *kept[i].Ask)
	}
}

// Many operations that miss the same region cause one load.
func TestLoadsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		f.submit = request.reply
		slow := &slowPlacement{fake: f}
		d.cfg.Placement = slow
		var done sync.WaitGroup
		for range 20 {
			done.Go(func() { get(t, d, points(d), context.Background()) })
		}
		done.Wait()
		require.Equal(t, 2, f.get(&f.queries))
		finish(t, d)
	})
}

type slowPlacement struct{ *fake }

func (p *slowPlacement) Ask(q *ports.Query, at ports.Instant, tok ports.Tok, sink ports.Sink) {
	kept := *q
	time.AfterFunc(time.Second, func() { p.fake.Ask(&kept, at, tok, sink) })
}

// What is used lives on, what is not used is loaded anew after its time.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		f.submit = request.reply
		pool := points(d)
		get(t, d, pool, context.Background())
		loads := f.get(&f.queries)
		life := d.cfg.Knobs.RegionTTL + d.cfg.Knobs.RegionTTLJitter
		for range 10 {
			pass(life / 2)
			get(t, d, pool, context.Background())
		}
		require.Equal(t, loads, f.get(&f.queries), "access prolongs life")
		require.Equal(t, Usage{Regions: 1}, d.Usage())
		pass(life + 2*time.Second)
		synctest.Wait()
		require.Equal(t, Usage{}, d.Usage(), "what nobody uses is swept away")
		get(t, d, pool, context.Background())
		require.Equal(t, loads+1, f.get(&f.queries))
		finish(t, d)
	})
}

// The clock ticks by itself, and hears of timestamps that operations were given
// when they are worth it.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := start(nil)
		synctest.Wait()
		first := d.Clock()
		require.Equal(t, ports.ComposeTimestamp(1, 0), first.TS)
		learn := func(ts ports.Timestamp) {
			f.sink.Post(ports.Event{Fact: &ports.Fact{Kind: ports.FactTimestamp, CommitTS: ts}})
			synctest.Wait()
		}
		learn(ports.ComposeTimestamp(1, 1))
		require.Equal(t, first, d.Clock(), "not worth it")
		pass(d.cfg.Knobs.ClockInterval / clockGrain)
		require.False(t, d.news(first.TS, d.Now()))
		learn(first.TS)
		require.Equal(t, first, d.Clock(), "no news")
		learn(ports.ComposeTimestamp(1, 2))
		require.Equal(t, ports.ComposeTimestamp(1, 2), d.Clock().TS)
		pass(2 * d.cfg.Knobs.ClockInterval)
		require.LessOrEqual(t, d.Now().Sub(d.Clock().At), d.cfg.Knobs.ClockInterval)
		finish(t, d)
	})
}

func TestMarks(t *testing.T) {
	var m marks
	require.Nil(t, m.collect())
	for _, slot := range []uint32{0, 63, 64, pageSlots - 1, pageSlots, 3*pageSlots + 70, 0} {
		m.set(slot)
	}
	bits := m.collect()
	set := ""
	for i, word := range bits {
		if word != 0 {
			set += fmt.Sprintf("%d:%x ", i, word)
		}
	}
	require.Equal(t, "0:8000000000000001 1:1 511:8000000000000000 512:1 1537:40 ", set)
	require.Nil(t, m.collect(), "collecting clears")
}

// No mark is lost while others grow the pages; run with -race.
func TestMarksRace(t *testing.T) {
	var m marks
	var done sync.WaitGroup
	for g := range uint32(4) {
		done.Go(func() {
			for i := range uint32(64) {
				m.set(i*pageSlots/4 + g)
			}
		})
	}
	done.Wait()
	bits := m.collect()
	for g := range uint32(4) {
		for i := range uint32(64) {
			slot := i*pageSlots/4 + g
			require.NotZero(t, bits[slot/64]&(1<<(slot%64)), "slot %d", slot)
		}
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := start(nil)
		now := d.Now()
		require.Equal(t, now.Add(time.Minute), d.Deadline(context.Background(), time.Minute))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.Equal(t, now.Add(time.Second), d.Deadline(ctx, time.Minute))
		past, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Hour))
		defer cancel()
		require.EqualValues(t, 1, d.Deadline(past, time.Minute), "an instant, and one that is over")
		finish(t, d)
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := start(nil)
		began := time.Now()
		require.NoError(t, d.Sleep(context.Background(), time.Second))
		require.Equal(t, time.Second, time.Since(began))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, d.Sleep(ctx, time.Minute))
		require.Equal(t, 2*time.Second, time.Since(began))
		finish(t, d)
	})
}
