package mvcc

import (
	"bytes"
	"math"
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// Flush locks the keys of one batch of a pipelined transaction (txn/commands/flush.rs). Keys that others have locked
// are errors, and the rest is locked all the same; any other error leaves the whole batch undone. A key that was
// flushed in the same generation or a later one stays as it is.
func (e *Engine) Flush(req *ports.FlushRequest, reply *ports.FlushReply) {
	if req.Generation == 0 {
		reply.Errors = append(reply.Errors, *abort("generation should be greater than 0 for Flush requests"))
		return
	}
	p := prewrite{
		batch: e.begin(), archive: &e.archive, generation: req.Generation,
		// The size is not known yet: the greatest one keeps others from resolving key by key. And the timestamp of the
		// request is not heeded.
		req: &ports.PrewriteRequest{
			Mutations: req.Mutations, Primary: req.Primary, StartTS: req.StartTS, TTL: req.TTL, TxnSize: math.MaxUint64,
			MinCommitTS: req.StartTS + 1, AssertionLevel: req.AssertionLevel,
		},
	}
	for i := range req.Mutations {
		at := e.entry(req.Mutations[i].Key)
		if l := own(at, req.StartTS); l != nil && !l.pessimistic() && l.generation >= req.Generation {
			continue // prewrite.rs: check_lock: GenerationOutOfOrder
		}
		if p.mutation(at, i) {
			break
		}
	}
	switch {
	case p.fatal != nil:
		reply.Errors = append(reply.Errors, *p.fatal)
	case p.committed:
	case p.failed != nil:
		reply.Errors = append(reply.Errors, *p.failed)
	default:
		reply.Errors = p.locks
		e.apply(p.batch)
	}
}

// BufferBatchGet reads what a transaction has flushed itself, in key order: other locks and all versions are not looked
// at, and a deleted key is found with an empty value (src/storage/mod.rs: buffer_batch_get).
//
// Locks that no flush makes bring TiKV down when they are read so. They count for nothing here.
func (e *Engine) BufferBatchGet(req *ports.BufferBatchGetRequest, reply *ports.BufferBatchGetReply) {
	keys := slices.Clone(req.Keys)
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range slices.CompactFunc(keys, bytes.Equal) {
		l := e.Lock(key)
		if l == nil || l.StartTS != req.StartTS {
			continue
		}
		switch l.Kind {
		case ports.KindPut:
			reply.Pairs = append(reply.Pairs, ports.Pair{Key: key, Value: l.Value})
		case ports.KindDelete:
			reply.Pairs = append(reply.Pairs, ports.Pair{Key: key, Value: []byte{}})
		default:
		}
	}
}
