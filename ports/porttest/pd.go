package porttest

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

var oracleContract = []clause[*OracleRig]{
	{"timestamps increase", timestampsIncrease},
	{"every call has one answer", timestampsUnique},
	{"a call ends at its deadline", timestampDeadline},
	{"close answers everything", oracleClose},
}

// timestamp expects a timestamp.
func timestamp(t *testing.T, ev ports.Event) ports.Timestamp {
	t.Helper()
	if ev.Kind != ports.EventTimestamp || ev.TS == 0 {
		t.Fatalf("not a timestamp but %s", kinds([]ports.Event{ev}))
	}
	return ev.TS
}

// refused expects a refusal, with a reason.
func refused(t *testing.T, ev ports.Event, cause ports.CauseKind) {
	t.Helper()
	if ev.Kind != ports.EventRefused || ev.Cause.Kind != cause || ev.Cause.Text == "" {
		t.Fatalf("got %s with cause %d instead of %d", kinds([]ports.Event{ev}), ev.Cause.Kind, cause)
	}
}

func timestampsIncrease(t *testing.T, r *OracleRig) {
	box := newInbox(t, r.Host)
	var last ports.Timestamp
	for i := range 50 {
		r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(i), box)
		ts := timestamp(t, box.awaitTok(tok(i)))
		if ts <= last {
			t.Fatalf("%d after %d", ts, last)
		}
		last = ts
	}
}

func timestampsUnique(t *testing.T, r *OracleRig) {
	const n = 500
	box := newInbox(t, r.Host)
	for i := range n {
		r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(i), box)
	}
	box.await(n)
	seen := map[ports.Timestamp]bool{}
	for i := range n {
		ts := timestamp(t, box.awaitTok(tok(i)))
		if seen[ts] {
			t.Fatalf("%d was given twice", ts)
		}
		seen[ts] = true
	}
	r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(n), box)
	last := timestamp(t, box.awaitTok(tok(n)))
	for ts := range seen {
		if ts >= last {
			t.Fatalf("%d was given before %d", ts, last)
		}
	}
}

func timestampDeadline(t *testing.T, r *OracleRig) {
	box := newInbox(t, r.Host)
	r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(0), box)
	timestamp(t, box.awaitTok(tok(0)))
	r.Silence()
	deadline := r.Clock.Now().Add(short)
	r.Oracle.Timestamp(deadline, tok(1), box)
	ev := box.awaitTok(tok(1))
	refused(t, ev, ports.CauseTimeout)
	if early, late := deadline.Sub(ev.Now), ev.Now.Sub(deadline); early > 0 || late > time.Second {
		t.Fatalf("refused %s after the deadline", late)
	}
	r.Continue()
	r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(2), box)
	timestamp(t, box.awaitTok(tok(2)))
	if got := len(box.answers(tok(1))); got != 1 {
		t.Fatalf("%d answers to the call that was refused", got)
	}
}

func oracleClose(t *testing.T, r *OracleRig) {
	if r.Close == nil {
		t.Log("this adapter has no end of its own")
		return
	}
	const n = 20
	box := newInbox(t, r.Host)
	r.Silence()
	for i := range n {
		r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(i), box)
	}
	r.Close()
	for i := range n {
		if ev := box.awaitTok(tok(i)); ev.Kind != ports.EventTimestamp {
			refused(t, ev, ports.CauseClosed)
		}
	}
	r.Oracle.Timestamp(r.Clock.Now().Add(long), tok(n), box)
	refused(t, box.awaitTok(tok(n)), ports.CauseClosed)
	r.Continue()
}

var placementContract = []clause[*PlacementRig]{
	{"the region of a key", placesKeys},
	{"the region before a key", placesByEnd},
	{"consecutive regions", placesRanges},
	{"the buckets of regions", placesBuckets},
	{"stores", placesStores},
	{"nothing of a query is kept", queryNotKept},
	{"a query ends at its deadline", placementDeadline},
	{"close answers everything", placementClose},
}

// ask puts a query and returns its answer.
func (r *PlacementRig) ask(t *testing.T, q ports.Query) ports.Event {
	t.Helper()
	box := newInbox(t, r.Host)
	r.Placement.Ask(&q, r.Clock.Now().Add(long), tok(1), box)
	return box.awaitTok(tok(1))
}

// regions expects regions.
func regions(t *testing.T, ev ports.Event, want ...ports.Region) {
	t.Helper()
	if ev.Kind != ports.EventPlaced || len(ev.Regions) != len(want) {
		t.Fatalf("got %s and %d regions instead of %d", kinds([]ports.Event{ev}), len(ev.Regions), len(want))
	}
	for i, got := range ev.Regions {
		if !sameRegion(got, want[i]) {
			t.Fatalf("got %+v instead of %+v", got, want[i])
		}
	}
	if ev.Buckets != nil {
		t.Fatal("got buckets that nobody wanted")
	}
}

func sameRegion(a, b ports.Region) bool {
	return a.RegionVersion == b.RegionVersion && a.Leader == b.Leader && slices.Equal(a.Peers, b.Peers) &&
		slices.Equal(a.Down, b.Down) && bytes.Equal(a.Range.Start, b.Range.Start) && bytes.Equal(a.Range.End, b.Range.End)
}

func placesKeys(t *testing.T, r *PlacementRig) {
	for _, region := range r.Regions {
		for _, fresh := range []bool{false, true} {
			regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegion, Key: region.Range.Start, Fresh: fresh}), region)
			inside := append(slices.Clone(region.Range.Start), 0)
			regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegion, Key: inside, Fresh: fresh}), region)
		}
	}
}

func placesByEnd(t *testing.T, r *PlacementRig) {
	for _, region := range r.Regions {
		regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegionByEnd, Key: region.Range.End}), region)
		inside := append(slices.Clone(region.Range.Start), 0)
		regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegionByEnd, Key: inside}), region)
	}
}

func placesRanges(t *testing.T, r *PlacementRig) {
	all := r.Regions
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegions, Limit: len(all) + 1}), all...)
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegions, Limit: 1}), all[0])
	second := all[1].Range.Start
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegions, Key: second, Limit: len(all)}), all[1:]...)
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegions, End: second, Limit: len(all)}), all[0])
}

func placesBuckets(t *testing.T, r *PlacementRig) {
	divided := 0
	check := func(q ports.Query, want []ports.Region, buckets []*ports.Buckets) {
		t.Helper()
		q.Buckets = true
		ev := r.ask(t, q)
		if !slices.EqualFunc(ev.Regions, want, sameRegion) || !slices.EqualFunc(ev.Buckets, buckets, sameBuckets) {
			t.Fatalf("got %s, %+v and %+v instead of %+v and %+v",
				kinds([]ports.Event{ev}), ev.Regions, ev.Buckets, want, buckets)
		}
		for _, b := range ev.Buckets {
			if b != nil && len(b.Keys) > 2 {
				divided++
			}
		}
	}
	for i, region := range r.Regions {
		one, its := r.Regions[i:i+1], r.Buckets[i:i+1]
		for _, fresh := range []bool{false, true} {
			check(ports.Query{Kind: ports.QueryRegion, Key: region.Range.Start, Fresh: fresh}, one, its)
			check(ports.Query{Kind: ports.QueryRegionByEnd, Key: region.Range.End, Fresh: fresh}, one, its)
		}
	}
	if divided == 0 {
		t.Fatal("no region of the rig has more than one bucket")
	}
	all := r.Buckets
	if r.PlainScans {
		all = make([]*ports.Buckets, len(r.Regions))
	}
	check(ports.Query{Kind: ports.QueryRegions, Limit: len(all)}, r.Regions, all)
}

// sameBuckets compares buckets, of which a wire cannot tell nil from empty keys.
func sameBuckets(a, b *ports.Buckets) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Version == b.Version && slices.EqualFunc(a.Keys, b.Keys, bytes.Equal)
}

func placesStores(t *testing.T, r *PlacementRig) {
	ev := r.ask(t, ports.Query{Kind: ports.QueryStores})
	got := slices.Clone(ev.Stores)
	slices.SortFunc(got, func(a, b ports.Store) int { return int(a.ID) - int(b.ID) })
	if ev.Kind != ports.EventPlaced || !reflect.DeepEqual(got, r.Stores) {
		t.Fatalf("got %s %+v instead of %+v", kinds([]ports.Event{ev}), got, r.Stores)
	}
	for _, s := range r.Stores {
		ev := r.ask(t, ports.Query{Kind: ports.QueryStore, Store: s.ID})
		if ev.Kind != ports.EventPlaced || !reflect.DeepEqual(ev.Stores, []ports.Store{s}) {
			t.Fatalf("got %s %+v instead of %+v", kinds([]ports.Event{ev}), ev.Stores, s)
		}
	}
	refused(t, r.ask(t, ports.Query{Kind: ports.QueryStore, Store: 9_999_999}), ports.CauseNotFound)
}

func queryNotKept(t *testing.T, r *PlacementRig) {
	box := newInbox(t, r.Host)
	last := r.Regions[len(r.Regions)-1]
	q := &ports.Query{Kind: ports.QueryRegion, Key: slices.Clone(last.Range.Start)}
	r.Placement.Ask(q, r.Clock.Now().Add(long), tok(1), box)
	clear(q.Key)
	*q = ports.Query{}
	regions(t, box.awaitTok(tok(1)), last)
}

func placementDeadline(t *testing.T, r *PlacementRig) {
	box := newInbox(t, r.Host)
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegion}), r.Regions[0])
	r.Silence()
	deadline := r.Clock.Now().Add(short)
	const n = 20
	for i := range n {
		r.Placement.Ask(&ports.Query{Kind: ports.QueryRegion}, deadline, tok(i), box)
	}
	for i := range n {
		ev := box.awaitTok(tok(i))
		refused(t, ev, ports.CauseTimeout)
		if late := ev.Now.Sub(deadline); late > time.Second {
			t.Fatalf("refused %s after the deadline", late)
		}
	}
	r.Continue()
	regions(t, r.ask(t, ports.Query{Kind: ports.QueryRegion}), r.Regions[0])
}

func placementClose(t *testing.T, r *PlacementRig) {
	if r.Close == nil {
		t.Log("this adapter has no end of its own")
		return
	}
	const n = 20
	box := newInbox(t, r.Host)
	r.Silence()
	for i := range n {
		r.Placement.Ask(&ports.Query{Kind: ports.QueryRegion}, r.Clock.Now().Add(long), tok(i), box)
	}
	r.Close()
	for i := range n {
		if ev := box.awaitTok(tok(i)); ev.Kind != ports.EventPlaced {
			refused(t, ev, ports.CauseClosed)
		}
	}
	r.Placement.Ask(&ports.Query{Kind: ports.QueryRegion}, r.Clock.Now().Add(long), tok(n), box)
	refused(t, box.awaitTok(tok(n)), ports.CauseClosed)
	r.Continue()
}
