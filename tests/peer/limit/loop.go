package main

import (
	"context"
	"sync"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// maxBatch is the size at which a batch is sent; it is sent earlier when nothing
// else waits.
const maxBatch = 32

// loop sends what callers hand in as batches on one stream and gives each caller
// its answer.
type loop struct {
	stream  tikvpb.Tikv_BatchCommandsClient
	queue   chan *call
	mu      sync.Mutex
	pending map[uint64]*call
	calls   sync.Pool
}

type call struct {
	request tikvpb.BatchCommandsRequest_Request
	done    chan *kvrpcpb.GetResponse
}

func dial(ctx context.Context, address string) (*loop, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(1<<27), grpc.WithInitialConnWindowSize(1<<27))
	if err != nil {
		return nil, err
	}
	stream, err := tikvpb.NewTikvClient(connection).BatchCommands(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	l := &loop{stream: stream, queue: make(chan *call, 1024), pending: map[uint64]*call{}}
	l.calls.New = func() any { return &call{done: make(chan *kvrpcpb.GetResponse, 1)} }
	go l.send()
	go l.receive()
	return l, nil
}

// get sends one request; a stream that breaks ends the measurement.
func (l *loop) get(request *kvrpcpb.GetRequest) (*kvrpcpb.GetResponse, error) {
	c := l.calls.Get().(*call)
	c.request.Cmd = &tikvpb.BatchCommandsRequest_Request_Get{Get: request}
	l.queue <- c
	reply := <-c.done
	l.calls.Put(c)
	if reply == nil {
		return nil, l.stream.Context().Err()
	}
	return reply, nil
}

func (l *loop) send() {
	var id uint64
	batch := &tikvpb.BatchCommandsRequest{}
	for first := range l.queue {
		batch.Requests, batch.RequestIds = batch.Requests[:0], batch.RequestIds[:0]
		l.mu.Lock()
		for c := first; c != nil; c = l.next(len(batch.Requests)) {
			id++
			l.pending[id] = c
			batch.Requests, batch.RequestIds = append(batch.Requests, &c.request), append(batch.RequestIds, id)
		}
		l.mu.Unlock()
		if l.stream.Send(batch) != nil {
			return
		}
	}
}

// next returns what waits already, nil when the batch is to be sent.
func (l *loop) next(size int) *call {
	if size == maxBatch {
		return nil
	}
	select {
	case c := <-l.queue:
		return c
	default:
		return nil
	}
}

func (l *loop) receive() {
	for {
		batch, err := l.stream.Recv()
		l.mu.Lock()
		if err != nil {
			for _, c := range l.pending {
				c.done <- nil
			}
			l.mu.Unlock()
			return
		}
		for i, id := range batch.RequestIds {
			l.pending[id].done <- batch.Responses[i].GetGet()
			delete(l.pending, id)
		}
		l.mu.Unlock()
	}
}
