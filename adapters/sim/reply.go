package sim

import (
	"reflect"

	"github.com/tikvx/tikvx/ports"
)

// replyBuffer holds one reply from its making until its receiver has released it. Everything that the reply points to
// lies in the buffer, and is spoilt when the buffer is released: a machine that keeps a part of a reply is found out.
type replyBuffer struct {
	world *World
	reply ports.Reply

	get      ports.GetReply
	batchGet ports.BatchGetReply
	scan     ports.ScanReply
	prewrite ports.PrewriteReply
	commit   ports.CommitReply
	rollback ports.BatchRollbackReply
	status   ports.CheckTxnStatusReply
	resolve  ports.ResolveLockReply
	rawGet   ports.RawGetReply
	rawBatch ports.RawBatchGetReply
	rawWrite ports.RawWriteReply
	rawScan  ports.RawScanReply
	rawSwap  ports.RawCompareAndSwapReply
	// rare is the reply to a verb that has no place above.
	rare ports.Reply

	fault ports.RegionFault
	// memory holds the bytes of the reply, full what did not fit any more.
	memory []byte
	full   [][]byte
	pairs  []ports.Pair
	errors []ports.KeyError
}

// Release implements [ports.Lease].
func (b *replyBuffer) Release() {
	spoil(b.memory)
	for _, m := range b.full {
		spoil(m)
	}
	clear(b.pairs)
	clear(b.errors)
	if b.fault.Kind != ports.FaultNone {
		wipe(reflect.ValueOf(&b.fault).Elem())
	}
	if b.rare != nil {
		wipe(reflect.ValueOf(b.rare).Elem())
	}
	world, memory, pairs, errors := b.world, b.memory[:0], b.pairs[:0], b.errors[:0]
	*b = replyBuffer{} // in place, without a copy
	b.world, b.memory, b.pairs, b.errors = world, memory, pairs, errors
	b.world.replies = append(b.world.replies, b)
}

func spoil(memory []byte) {
	for i := range memory {
		memory[i] = 0xdb
	}
}

// newReply returns an empty buffer.
func (w *World) newReply() *replyBuffer {
	if n := len(w.replies); n > 0 {
		b := w.replies[n-1]
		w.replies = w.replies[:n-1]
		return b
	}
	return &replyBuffer{world: w}
}

// drop gives a reply up that nobody will see.
func (w *World) drop(b *replyBuffer) {
	if b != nil && !w.shared {
		b.Release()
	}
}

// header returns the header of the reply to a verb, having made that reply the buffer's.
func (b *replyBuffer) header(verb ports.Verb) *ports.ReplyHeader {
	switch verb {
	case ports.VerbGet:
		b.reply = &b.get
		return &b.get.ReplyHeader
	case ports.VerbBatchGet:
		b.reply, b.batchGet.Pairs = &b.batchGet, b.pairs
		return &b.batchGet.ReplyHeader
	case ports.VerbScan:
		b.reply, b.scan.Pairs = &b.scan, b.pairs
		return &b.scan.ReplyHeader
	case ports.VerbPrewrite:
		b.reply, b.prewrite.Errors = &b.prewrite, b.errors
		return &b.prewrite.ReplyHeader
	case ports.VerbCommit:
		b.reply = &b.commit
		return &b.commit.ReplyHeader
	case ports.VerbBatchRollback:
		b.reply = &b.rollback
		return &b.rollback.ReplyHeader
	case ports.VerbCheckTxnStatus:
		b.reply = &b.status
		return &b.status.ReplyHeader
	case ports.VerbResolveLock:
		b.reply = &b.resolve
		return &b.resolve.ReplyHeader
	default:
		return b.rawHeader(verb)
	}
}

func (b *replyBuffer) rawHeader(verb ports.Verb) *ports.ReplyHeader {
	switch verb {
	case ports.VerbRawGet:
		b.reply = &b.rawGet
		return &b.rawGet.ReplyHeader
	case ports.VerbRawBatchGet:
		b.reply, b.rawBatch.Pairs = &b.rawBatch, b.pairs
		return &b.rawBatch.ReplyHeader
	case ports.VerbRawScan:
		b.reply, b.rawScan.Pairs = &b.rawScan, b.pairs
		return &b.rawScan.ReplyHeader
	case ports.VerbRawCompareAndSwap:
		b.reply = &b.rawSwap
		return &b.rawSwap.ReplyHeader
	case ports.VerbRawPut, ports.VerbRawBatchPut, ports.VerbRawDelete, ports.VerbRawBatchDelete, ports.VerbRawDeleteRange:
		b.reply, b.rawWrite.Of = &b.rawWrite, verb
		return &b.rawWrite.ReplyHeader
	default:
		b.rare = rareReply(verb)
		b.reply = b.rare
		return headerOf(b.rare)
	}
}

// seal copies what the reply has borrowed from the engine into the buffer.
func (b *replyBuffer) seal() {
	if b.reply.Region() != nil {
		own(reflect.ValueOf(&b.fault).Elem(), b.bytes) // regions are the world's
		return
	}
	switch r := b.reply.(type) {
	case *ports.GetReply:
		r.Value, r.Err = b.bytes(r.Value), b.keyError(r.Err)
	case *ports.BatchGetReply:
		r.Err = b.keyError(r.Err)
		b.sealPairs(r.Pairs)
	case *ports.ScanReply:
		r.Err = b.keyError(r.Err)
		b.sealPairs(r.Pairs)
	case *ports.PrewriteReply:
		b.sealErrors(r.Errors)
	case *ports.CommitReply:
		r.Err = b.keyError(r.Err)
	case *ports.BatchRollbackReply:
		r.Err = b.keyError(r.Err)
	case *ports.CheckTxnStatusReply:
		r.Err = b.keyError(r.Err)
		if r.Lock != nil {
			lock := b.lock(r.Lock)
			r.Lock = &lock
		}
	case *ports.ResolveLockReply:
		r.Err = b.keyError(r.Err)
	case *ports.RawGetReply:
		r.Value = b.bytes(r.Value)
	case *ports.RawBatchGetReply:
		b.sealPairs(r.Pairs)
	case *ports.RawScanReply:
		b.sealPairs(r.Pairs)
	case *ports.RawCompareAndSwapReply:
		r.Previous = b.bytes(r.Previous)
	case *ports.RawWriteReply:
	default:
		own(reflect.ValueOf(r).Elem(), b.bytes)
	}
}

func (b *replyBuffer) bytes(v []byte) []byte {
	if v == nil {
		return nil
	}
	start := len(b.memory)
	if start+len(v) > cap(b.memory) {
		b.full = append(b.full, b.memory)
		b.memory, start = make([]byte, 0, 2*cap(b.memory)+max(len(v), 256)), 0
	}
	b.memory = append(b.memory, v...)
	return b.memory[start:len(b.memory):len(b.memory)]
}

func (b *replyBuffer) sealPairs(pairs []ports.Pair) {
	for i := range pairs {
		p := &pairs[i]
		p.Key, p.Value, p.Err = b.bytes(p.Key), b.bytes(p.Value), b.keyError(p.Err)
	}
	b.pairs = pairs
}

func (b *replyBuffer) sealErrors(errors []ports.KeyError) {
	for i := range errors {
		errors[i] = *b.keyError(&errors[i])
	}
	b.errors = errors
}

// keyError copies an error; its struct is thrown away after use, its bytes are the buffer's.
func (b *replyBuffer) keyError(e *ports.KeyError) *ports.KeyError {
	if e == nil {
		return nil
	}
	c := *e
	c.Key, c.Primary, c.Lock = b.bytes(e.Key), b.bytes(e.Primary), b.lock(&e.Lock)
	c.WaitChain = nil
	for _, wait := range e.WaitChain {
		wait.Key = b.bytes(wait.Key)
		c.WaitChain = append(c.WaitChain, wait)
	}
	return &c
}

func (b *replyBuffer) lock(l *ports.Lock) ports.Lock {
	c := *l
	c.Key, c.Primary = b.bytes(l.Key), b.bytes(l.Primary)
	c.Secondaries = nil
	for _, k := range l.Secondaries {
		c.Secondaries = append(c.Secondaries, b.bytes(k))
	}
	c.Shared = nil
	for i := range l.Shared {
		c.Shared = append(c.Shared, b.lock(&l.Shared[i]))
	}
	return c
}
