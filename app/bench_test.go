package app

import (
	"context"
	"testing"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// instant is a cluster that answers before a call returns and allocates nothing, so
// that what is measured is what lies above the wire.
type instant struct {
	epoch time.Time
	ts    ports.Timestamp

	get      ports.GetReply
	batchGet ports.BatchGetReply
	prewrite ports.PrewriteReply
	commit   ports.CommitReply
	rawGet   ports.RawGetReply
	rawPut   ports.RawWriteReply
}

func newInstant() *instant {
	return &instant{
		epoch:  time.Now(),
		ts:     ports.ComposeTimestamp(time.Now().UnixMilli(), 0),
		get:    ports.GetReply{Value: make([]byte, 100)},
		rawGet: ports.RawGetReply{Value: make([]byte, 100)},
		rawPut: ports.RawWriteReply{Of: ports.VerbRawPut},
	}
}

func (i *instant) Now() ports.Instant { return ports.Instant(time.Since(i.epoch)) + 1 }

func (i *instant) Arm(ports.Instant, ports.Tok, ports.Sink) {}

func (i *instant) Timestamp(_ ports.Instant, tok ports.Tok, sink ports.Sink) {
	i.ts++
	sink.Post(ports.Event{Kind: ports.EventTimestamp, Tok: tok, TS: i.ts})
}

func (i *instant) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c := &cluster{epoch: i.epoch}
	c.Ask(q, deadline, tok, sink)
}

func (i *instant) Submit(_ ports.Endpoint, _ *ports.Header, req ports.Request, _ ports.Instant, tok ports.Tok,
	sink ports.Sink) {
	ev := ports.Event{Kind: ports.EventReply, Tok: tok}
	switch r := req.(type) {
	case *ports.GetRequest:
		ev.Reply = &i.get
	case *ports.BatchGetRequest:
		i.batchGet.Pairs = i.batchGet.Pairs[:0]
		for _, k := range r.Keys {
			i.batchGet.Pairs = append(i.batchGet.Pairs, ports.Pair{Key: k, Value: i.get.Value})
		}
		ev.Reply = &i.batchGet
	case *ports.PrewriteRequest:
		ev.Reply = &i.prewrite
	case *ports.CommitRequest:
		i.commit.CommitTS = r.CommitTS
		ev.Reply = &i.commit
	case *ports.RawGetRequest:
		ev.Reply = &i.rawGet
	case *ports.RawPutRequest:
		ev.Reply = &i.rawPut
	}
	sink.Post(ev)
}

func (i *instant) Probe(ports.Endpoint, ports.Instant, ports.Tok, ports.Sink) {}
func (i *instant) Watch(ports.Sink)                                           {}
func (i *instant) Forget(ports.Endpoint)                                      {}

// measure runs an operation on an instant cluster.
func measure(b *testing.B, operation func(ctx context.Context, db *Client) error) {
	i := newInstant()
	db, err := New(Ports{Network: i, Oracle: i, Placement: i, Timers: i})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	ctx := context.Background()
	if err := operation(ctx, db); err != nil { // the region is loaded here
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := operation(ctx, db); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	key := []byte("key")
	var snap *Snapshot
	measure(b, func(ctx context.Context, db *Client) error {
		if snap == nil {
			snap = db.SnapshotAt(1)
		}
		_, err := snap.Get(ctx, key)
		return err
	})
}

func BenchmarkBatchGet100(b *testing.B) {
	var all [][]byte
	for i := range 100 {
		all = append(all, []byte{byte(i)})
	}
	measure(b, func(ctx context.Context, db *Client) error {
		_, err := db.SnapshotAt(1).BatchGet(ctx, all)
		return err
	})
}

func BenchmarkCommit(b *testing.B) {
	key, value := []byte("key"), make([]byte, 100)
	measure(b, func(ctx context.Context, db *Client) error {
		tx, err := db.Begin(ctx)
		if err != nil {
			return err
		}
		if err := tx.Put(key, value); err != nil {
			return err
		}
		_, err = tx.Commit(ctx)
		return err
	})
}

func BenchmarkRawGet(b *testing.B) {
	key := []byte("key")
	var raw *Raw
	measure(b, func(ctx context.Context, db *Client) error {
		if raw == nil {
			raw = db.Raw()
		}
		_, err := raw.Get(ctx, key)
		return err
	})
}

func BenchmarkRawPut(b *testing.B) {
	key, value := []byte("key"), make([]byte, 100)
	var raw *Raw
	measure(b, func(ctx context.Context, db *Client) error {
		if raw == nil {
			raw = db.Raw()
		}
		return raw.Put(ctx, key, value)
	})
}
