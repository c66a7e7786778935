package pd

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pdclient "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/clients/router"
	"github.com/tikv/pd/client/opt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tikvx/tikvx/adapters/wire"
	"github.com/tikvx/tikvx/ports"
)

// questions asks PD for regions and stores, and administers it. The library's calls block, so a few
// goroutines, started on demand and gone when idle, make them. A question that has
// to wait for one of them is refused when its deadline passes.
type questions struct {
	source pdclient.Client
	clock  ports.Timers
	life   context.Context

	mu      sync.Mutex
	queue   []question
	workers int
	closed  bool
	done    sync.WaitGroup

	// plainScan: this PD does not implement BatchScanRegions.
	plainScan atomic.Bool
}

type question struct {
	query ports.Query
	// admin, when set, is asked instead of query.
	admin    *ports.AdminRequest
	deadline ports.Instant
	tok      ports.Tok
	sink     ports.Sink
}

// maxWorkers bounds the questions that PD is asked at once.
const maxWorkers = 8

func (q *questions) start(life context.Context, source pdclient.Client, clock ports.Timers) {
	q.source, q.clock, q.life = source, clock, life
}

func (q *questions) request(query *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	kept := *query
	kept.Key, kept.End = slices.Clone(query.Key), slices.Clone(query.End)
	q.add(question{query: kept, deadline: deadline, tok: tok, sink: sink})
}

func (q *questions) add(n question) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		refuse(n.sink, n.tok, q.clock, ports.CauseClosed, "closed")
		return
	}
	q.queue = append(q.queue, n)
	waits := q.workers == maxWorkers
	if !waits {
		q.workers++
		q.done.Add(1)
		go q.work()
	}
	q.mu.Unlock()
	if waits {
		q.clock.Arm(n.deadline, ports.Tok{}, q)
	}
}

// Post implements [ports.Sink] for the alarms of questions that wait.
func (q *questions) Post(ev ports.Event) {
	var late []question
	q.mu.Lock()
	q.queue = slices.DeleteFunc(q.queue, func(n question) bool {
		if n.deadline > ev.Now {
			return false
		}
		late = append(late, n)
		return true
	})
	q.mu.Unlock()
	for _, n := range late {
		refuse(n.sink, n.tok, q.clock, ports.CauseTimeout, lateText)
	}
}

func (q *questions) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.done.Wait()
}

// work answers questions until none is queued.
func (q *questions) work() {
	defer q.done.Done()
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.workers--
			q.mu.Unlock()
			return
		}
		next := q.queue[0]
		q.queue = slices.Delete(q.queue, 0, 1)
		q.mu.Unlock()
		q.answer(&next)
	}
}

func (q *questions) answer(n *question) {
	ctx, cancel := context.WithDeadline(q.life, time.Now().Add(n.deadline.Sub(q.clock.Now())))
	defer cancel()
	ev := ports.Event{Kind: ports.EventPlaced, Tok: n.tok}
	var err error
	if n.admin != nil {
		ev.Admin, err = q.administer(ctx, n.admin)
	} else {
		err = q.place(ctx, n, &ev)
	}
	if err != nil {
		kind, text := causeOf(q.life, err)
		refuse(n.sink, n.tok, q.clock, kind, text)
		return
	}
	ev.Now = q.clock.Now()
	n.sink.Post(ev)
}

// place asks where data lives.
func (q *questions) place(ctx context.Context, n *question, ev *ports.Event) (err error) {
	var found []*router.Region
	switch n.query.Kind {
	case ports.QueryRegion:
		found, err = one(q.source.GetRegion(ctx, n.query.Key, regionOptions(n)...))
	case ports.QueryRegionByEnd:
		found, err = q.regionByEnd(ctx, n)
	case ports.QueryRegions:
		found, err = q.scan(ctx, n)
	case ports.QueryStore:
		ev.Stores, err = q.store(ctx, n.query.Store)
	case ports.QueryStores:
		ev.Stores, err = q.stores(ctx)
	}
	ev.Regions = slices.Grow(ev.Regions, len(found))
	for _, r := range found {
		if r != nil && r.Meta != nil {
			ev.Regions = append(ev.Regions, convertRegion(r))
			if n.query.Buckets {
				ev.Buckets = append(ev.Buckets, convertBuckets(r))
			}
		}
	}
	return err
}

func regionOptions(n *question) []opt.GetRegionOption {
	var list []opt.GetRegionOption
	if n.query.Fresh {
		list = append(list, opt.WithAllowPDLeaderOnly())
	}
	if n.query.Buckets {
		list = append(list, opt.WithBuckets())
	}
	return list
}

// regionByEnd asks for the region whose keys lie just below the key: the one that
// holds the key, unless it begins there. PD has no such question for "the end of
// everything": then it is the region that holds the greatest key PD can be asked for.
func (q *questions) regionByEnd(ctx context.Context, n *question) ([]*router.Region, error) {
	key := n.query.Key
	if len(key) == 0 {
		return one(q.source.GetRegion(ctx, greatest, regionOptions(n)...))
	}
	regions, err := one(q.source.GetRegion(ctx, key, regionOptions(n)...))
	if err == nil && len(regions) > 0 && bytes.Equal(regions[0].Meta.StartKey, key) {
		return one(q.source.GetPrevRegion(ctx, key, regionOptions(n)...))
	}
	return regions, err
}

// greatest lies behind every region bound: bounds are keys of users, which TiKV
// keeps far shorter, and no group of a memcomparable key ends in 0xFF twice.
var greatest = []byte(strings.Repeat("\xff", 16<<10))

func (q *questions) scan(ctx context.Context, n *question) ([]*router.Region, error) {
	if !q.plainScan.Load() {
		ranges := []router.KeyRange{{StartKey: n.query.Key, EndKey: n.query.End}}
		regions, err := q.source.BatchScanRegions(ctx, ranges, n.query.Limit, regionOptions(n)...)
		if status.Code(unwrap(err)) != codes.Unimplemented {
			return regions, err
		}
		q.plainScan.Store(true)
	}
	//lint:ignore SA1019 the fallback for a PD without batch scans
	return q.source.ScanRegions(ctx, n.query.Key, n.query.End, n.query.Limit)
}

func (q *questions) store(ctx context.Context, id ports.StoreID) ([]ports.Store, error) {
	store, err := q.source.GetStore(ctx, uint64(id))
	if err != nil {
		return nil, err
	}
	if store == nil {
		return []ports.Store{{ID: id, State: ports.StoreTombstone}}, nil
	}
	return []ports.Store{wire.Store(store)}, nil
}

func (q *questions) stores(ctx context.Context) ([]ports.Store, error) {
	stores, err := q.source.GetAllStores(ctx, opt.WithExcludeTombstone())
	if err != nil {
		return nil, err
	}
	list := make([]ports.Store, 0, len(stores))
	for _, s := range stores {
		list = append(list, wire.Store(s))
	}
	return list, nil
}

func one(r *router.Region, err error) ([]*router.Region, error) {
	if err != nil || r == nil || r.Meta == nil {
		return nil, err
	}
	return []*router.Region{r}, nil
}

func convertRegion(r *router.Region) ports.Region {
	region := wire.Region(r.Meta)
	region.Leader = ports.PeerID(r.Leader.GetId())
	for _, p := range r.DownPeers {
		region.Down = append(region.Down, ports.PeerID(p.GetId()))
	}
	return region
}

func convertBuckets(r *router.Region) *ports.Buckets {
	keys := r.Buckets.GetKeys()
	if len(keys) == 0 {
		return nil
	}
	return &ports.Buckets{Version: r.Buckets.GetVersion(), Keys: keys}
}

// lateText says that a deadline passed first.
const lateText = "PD did not answer in time"

// causeOf classifies an error of the library. Its texts are not passed on: they
// can contain keys, and their wording is nobody's contract, with one exception
// that PD offers no code for: a store that it does not know.
func causeOf(life context.Context, err error) (ports.CauseKind, string) {
	cause := unwrap(err)
	switch {
	case life.Err() != nil:
		return ports.CauseClosed, "closed"
	case errors.Is(cause, context.DeadlineExceeded) || status.Code(cause) == codes.DeadlineExceeded:
		return ports.CauseTimeout, lateText
	case strings.Contains(err.Error(), "invalid store ID"):
		return ports.CauseNotFound, "PD does not know the store"
	case status.Code(cause) == codes.Unauthenticated || status.Code(cause) == codes.PermissionDenied:
		return ports.CauseRejected, "PD refused: " + status.Code(cause).String()
	}
	return ports.CauseConnection, "PD: " + status.Code(cause).String()
}

// unwrap returns the innermost error.
func unwrap(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func refuse(sink ports.Sink, tok ports.Tok, clock ports.Timers, kind ports.CauseKind, text string) {
	sink.Post(ports.Event{
		Kind: ports.EventRefused, Tok: tok, Now: clock.Now(), Cause: ports.Cause{Kind: kind, Text: text},
	})
}
