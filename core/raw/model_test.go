package raw

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/core/sm/smtest"
	"github.com/tikvx/tikvx/ports"
)

// cluster is a dumb raw store: a map behind regions that split now and then, whose
// answers get lost in all ways. It is its own oracle.
type cluster struct {
	data    map[string]string
	regions []ports.Region
	// touched are keys that a write was applied to.
	touched map[string]bool
	// faults are on until the deadline draws near, so that most runs succeed.
	patience int
	// knobs bound what a request may hold.
	knobs sm.Knobs
	wrong string
}

func newCluster() *cluster {
	r, err := smtest.ParseRegion("1:1.1 [,) 11@1*")
	if err != nil {
		panic(err)
	}
	return &cluster{data: map[string]string{}, regions: []ports.Region{r}, touched: map[string]bool{}}
}

// split cuts the region of a key at it.
func (c *cluster) split(at string) {
	for i := range c.regions {
		r := c.regions[i]
		if !r.Range.Contains([]byte(at)) || string(r.Range.Start) == at {
			continue
		}
		r.Epoch.Version++
		right := r
		right.ID = ports.RegionID(len(c.regions) + 1)
		right.Peers = []ports.Peer{{ID: ports.PeerID(10*right.ID + 1), Store: 1}}
		right.Leader = right.Peers[0].ID
		r.Range.End, right.Range.Start = []byte(at), []byte(at)
		c.regions[i] = r
		c.regions = slices.Insert(c.regions, i+1, right)
		return
	}
}

func (c *cluster) view() smtest.Regions {
	var v smtest.Regions
	for i := range c.regions {
		v = append(v, smtest.Entry(smtest.FormatRegion(&c.regions[i])))
	}
	return v
}

// serve executes a request, unless its region is not what the sender believes.
func (c *cluster) serve(hdr *ports.Header, req ports.Request) ports.Reply {
	for i := range c.regions {
		if c.regions[i].RegionVersion == hdr.Region {
			return c.execute(req)
		}
	}
	f := &ports.RegionFault{Kind: ports.FaultEpochNotMatch, Regions: c.regions}
	return &ports.RawGetReply{ReplyHeader: ports.ReplyHeader{Fault: f}}
}

// inspect holds a batch against the limits: the keys, and for a put the bytes of all pairs but the last.
func (c *cluster) inspect(req ports.Request) {
	keys, size := 0, 0
	switch req := req.(type) {
	case *ports.RawBatchGetRequest:
		keys = len(req.Keys)
	case *ports.RawBatchDeleteRequest:
		keys = len(req.Keys)
	case *ports.RawBatchPutRequest:
		keys = len(req.Pairs)
		for _, p := range req.Pairs[:keys-1] {
			size += len(p.Key) + len(p.Value)
		}
	default:
		return
	}
	if keys == 0 || keys > c.knobs.RawBatchKeys || size >= c.knobs.RawBatchBytes {
		c.wrong = fmt.Sprintf("a request with %d keys, %d bytes before the last", keys, size)
	}
}

func (c *cluster) execute(req ports.Request) ports.Reply {
	done := &ports.RawWriteReply{Of: req.Verb()}
	switch req := req.(type) {
	case *ports.RawBatchGetRequest:
		r := &ports.RawBatchGetReply{}
		for _, k := range req.Keys {
			if v, ok := c.data[string(k)]; ok {
				r.Pairs = append(r.Pairs, ports.Pair{Key: k, Value: []byte(v)})
			}
		}
		return r
	case *ports.RawBatchPutRequest:
		for _, p := range req.Pairs {
			c.data[string(p.Key)], c.touched[string(p.Key)] = string(p.Value), true
		}
	case *ports.RawBatchDeleteRequest:
		for _, k := range req.Keys {
			delete(c.data, string(k))
			c.touched[string(k)] = true
		}
	case *ports.RawDeleteRangeRequest:
		for k := range c.data {
			if req.Range.Contains([]byte(k)) {
				delete(c.data, k)
				c.touched[k] = true
			}
		}
	case *ports.RawScanRequest:
		r := &ports.RawScanReply{}
		for _, k := range c.within(req.Range, req.Reverse) {
			if len(r.Pairs) < int(req.Limit) {
				r.Pairs = append(r.Pairs, ports.Pair{Key: []byte(k), Value: []byte(c.data[k])})
			}
		}
		return r
	}
	return done
}

// within lists the keys of a range in the order of a scan.
func (c *cluster) within(rng ports.KeyRange, reverse bool) []string {
	var keys []string
	for k := range c.data {
		if rng.Contains([]byte(k)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}

// answer makes the event that answers an effect, with whatever can go wrong.
func (c *cluster) answer(t *rapid.T, r *smtest.Runner, e *request) ports.Event {
	ev := ports.Event{Tok: e.tok}
	switch e.kind {
	case sm.EffectArm:
		r.Now = max(r.Now, e.at)
		ev.Kind = ports.EventTimer
		return ev
	case sm.EffectAsk:
		r.Env.Regions = c.view()
		ev.Kind = ports.EventTell
		return ev
	case sm.EffectSend, sm.EffectTimestamp, sm.EffectQuery, sm.EffectProbe, sm.EffectLearn, sm.EffectTell,
		sm.EffectForget, sm.EffectAnswer:
	}
	ev.Kind = ports.EventReply
	if c.patience++; c.patience > 60 {
		ev.Reply = c.serve(&e.header, e.request)
		return ev
	}
	switch rapid.IntRange(0, 11).Draw(t, "fate") {
	case 7:
		ev.Kind, ev.Cause = ports.EventUnsent, ports.Cause{Kind: ports.CauseConnection}
	case 8:
		ev.Kind, ev.Cause = ports.EventLost, ports.Cause{Kind: ports.CauseConnection}
		if rapid.Bool().Draw(t, "applied") {
			c.serve(&e.header, e.request)
		}
	case 9:
		stale := &ports.RegionFault{Kind: ports.FaultStaleCommand}
		ev.Reply = &ports.RawGetReply{ReplyHeader: ports.ReplyHeader{Fault: stale}}
		if rapid.Bool().Draw(t, "applied") {
			c.serve(&e.header, e.request)
		}
	case 10:
		c.split(rapid.SampledFrom(alphabet).Draw(t, "split"))
		ev.Reply = c.serve(&e.header, e.request)
	case 11:
		ev.Reply = c.serve(&e.header, e.request)
		if w, write := ev.Reply.(*ports.RawWriteReply); write && rapid.Bool().Draw(t, "haunted") {
			w.Text = "haunted"
		}
	default:
		ev.Reply = c.serve(&e.header, e.request)
	}
	return ev
}

// request is an effect that waits for its answer, in memory of its own.
type request struct {
	tok     ports.Tok
	kind    sm.EffectKind
	at      ports.Instant
	header  ports.Header
	request ports.Request
}

// keep copies an effect: the machine may use the memory of its request again.
func keep(e *sm.Effect) *request {
	r := &request{tok: e.Tok, kind: e.Kind, at: e.At}
	if e.Header != nil {
		r.header = *e.Header
	}
	switch req := e.Request.(type) {
	case *ports.RawBatchGetRequest:
		c := *req
		r.request = &c
	case *ports.RawBatchPutRequest:
		c := *req
		r.request = &c
	case *ports.RawBatchDeleteRequest:
		c := *req
		r.request = &c
	case *ports.RawDeleteRangeRequest:
		c := *req
		r.request = &c
	case *ports.RawScanRequest:
		c := *req
		r.request = &c
	}
	return r
}

// run pumps a machine until it is done.
func (c *cluster) run(t *rapid.T, m sm.Machine) {
	r := newRunner(m)
	r.Env.Regions, r.Env.Stores, r.Status = c.view(), smtest.Up(1), nil
	knobs := *r.Env.Knobs
	knobs.Workers = rapid.IntRange(1, 4).Draw(t, "workers")
	knobs.RawBatchKeys = rapid.IntRange(1, 5).Draw(t, "batch keys")
	knobs.RawBatchBytes = rapid.IntRange(1, 9).Draw(t, "batch bytes")
	r.Env.Knobs, c.knobs = &knobs, knobs
	c.patience = 0
	var pending []*request
	feed := func(ev ports.Event) {
		r.Feed(ev)
		for i := range r.Effects {
			if r.Effects[i].Tok != (ports.Tok{}) {
				pending = append(pending, keep(&r.Effects[i]))
				c.inspect(r.Effects[i].Request)
			}
		}
	}
	feed(ports.Event{Kind: ports.EventStart})
	for steps := 0; !m.Done(); steps++ {
		if len(pending) == 0 || steps > 2000 {
			t.Fatalf("no end: %s", m)
		}
		if c.wrong != "" {
			t.Fatal(c.wrong)
		}
		n := rapid.IntRange(0, len(pending)-1).Draw(t, "which")
		e := pending[n]
		pending = slices.Delete(pending, n, n+1)
		ev := c.answer(t, r, e)
		feed(ev)
		if rapid.IntRange(0, 9).Draw(t, "again") == 9 {
			feed(ev)
		}
	}
}

var alphabet = []string{"a", "b", "ba", "c", "d", "e", "f", "g"}

func (c *cluster) fill(t *rapid.T) {
	for _, k := range rapid.SliceOfDistinct(rapid.SampledFrom(alphabet), rapid.ID[string]).Draw(t, "present") {
		c.data[k] = "old " + k
	}
	for range rapid.IntRange(0, 3).Draw(t, "splits") {
		c.split(rapid.SampledFrom(alphabet).Draw(t, "split"))
	}
}

func drawKeys(t *rapid.T) [][]byte {
	names := rapid.SliceOfDistinct(rapid.SampledFrom(alphabet), rapid.ID[string]).Draw(t, "keys")
	slices.Sort(names)
	return keysOf(names...)
}

const modelDeadline = ports.Instant(time.Hour)

// What a batch reports of each key is true, whatever the network does.
func TestBatchesAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster()
		c.fill(t)
		before := map[string]string{}
		for k, v := range c.data {
			before[k] = v
		}
		keys := drawKeys(t)
		var b Batch
		verbs := []ports.Verb{ports.VerbRawBatchGet, ports.VerbRawBatchPut, ports.VerbRawBatchDelete}
		verb := rapid.SampledFrom(verbs).Draw(t, "verb")
		want := map[string]string{}
		switch verb {
		case ports.VerbRawBatchGet:
			b.InitGet(keys, Options{}, modelDeadline)
		case ports.VerbRawBatchPut:
			var pairs []ports.KV
			for _, k := range keys {
				want[string(k)] = "new " + string(k)
				pairs = append(pairs, ports.KV{Key: k, Value: []byte(want[string(k)])})
			}
			b.InitPut(pairs, Options{}, modelDeadline)
		default:
			b.InitDelete(keys, Options{}, modelDeadline)
		}
		c.run(t, &b)
		if verb == ports.VerbRawBatchGet {
			c.checkRead(t, &b, keys)
			return
		}
		for i, k := range keys {
			name := string(k)
			value, present := c.data[name]
			wanted, put := want[name]
			switch o := b.Outcomes()[i]; {
			case o == Applied && (present != put || value != wanted):
				t.Fatalf("%s is reported as applied and is %q", name, value)
			case o == NotApplied && c.touched[name]:
				t.Fatalf("%s is reported as not applied and was written", name)
			case o != Applied && !b.Failure().Failed():
				t.Fatalf("%s is %s without a failure", name, o)
			}
		}
		for k := range c.touched {
			if _, asked := slices.BinarySearchFunc(keys, []byte(k), bytes.Compare); !asked {
				t.Fatalf("%s was written", k)
			}
		}
		for k, v := range before {
			if !c.touched[k] && c.data[k] != v {
				t.Fatalf("%s changed by itself", k)
			}
		}
	})
}

func (c *cluster) checkRead(t *rapid.T, b *Batch, keys [][]byte) {
	if b.Failure().Failed() {
		t.Fatalf("a read failed: %+v", b.Failure())
	}
	got := map[string]string{}
	for _, p := range b.Pairs() {
		got[string(p.Key)] = string(p.Value)
	}
	want := map[string]string{}
	for _, k := range keys {
		if v, ok := c.data[string(k)]; ok {
			want[string(k)] = v
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(b.Pairs()) != len(want) {
		t.Fatalf("read %v, want %v", got, want)
	}
}

func drawRange(t *rapid.T) ports.KeyRange {
	bound := rapid.SampledFrom(append([]string{""}, alphabet...))
	bounds := rapid.SliceOfNDistinct(bound, 2, 2, rapid.ID[string]).Draw(t, "range")
	slices.Sort(bounds)
	if rapid.Bool().Draw(t, "open") {
		bounds[1] = ""
	}
	return ports.KeyRange{Start: []byte(bounds[0]), End: []byte(bounds[1])}
}

// Page after page a scan reads each key of its range once, in order.
func TestScansAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster()
		c.fill(t)
		rng, reverse := drawRange(t), rapid.Bool().Draw(t, "reverse")
		want := c.within(rng, reverse)
		var got []string
		for more := true; more; {
			var s ScanPage
			limit := rapid.IntRange(1, 4).Draw(t, "limit")
			s.Init(rng, limit, reverse, false, Options{}, modelDeadline)
			c.run(t, &s)
			if s.Failure().Failed() {
				t.Fatalf("a scan failed: %+v", s.Failure())
			}
			for _, p := range s.Pairs() {
				got = append(got, string(p.Key))
			}
			if rng, more = s.Next(); more && len(s.Pairs()) < limit {
				t.Fatalf("a page of %d of %d pairs, and more is said to come", len(s.Pairs()), limit)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("scanned %v, want %v", got, want)
		}
	})
}

// A deletion that is applied leaves nothing of its range and everything else; one
// that is not leaves everything, and of one in doubt what lies below the rest is gone.
func TestDeletionsAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster()
		c.fill(t)
		rng := drawRange(t)
		outside := len(c.data) - len(c.within(rng, false))
		var d DeleteRange
		d.Init(rng, Options{}, modelDeadline)
		c.run(t, &d)
		left := c.within(rng, false)
		switch d.Outcome() {
		case Applied:
			if len(left) > 0 || d.Failure().Failed() {
				t.Fatalf("applied, and %v is left; %+v", left, d.Failure())
			}
		case NotApplied:
			if len(c.touched) > 0 || !d.Failure().Failed() {
				t.Fatalf("not applied, and %v was deleted; %+v", c.touched, d.Failure())
			}
		case Unknown:
			if len(left) > 0 && bytes.Compare([]byte(left[0]), d.Rest().Start) < 0 || !d.Failure().Failed() {
				t.Fatalf("%v is left, though only %v may be; %+v", left, d.Rest(), d.Failure())
			}
		}
		if len(c.data)-len(left) != outside {
			t.Fatalf("something outside of %v was deleted", rng)
		}
	})
}
