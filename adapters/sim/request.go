package sim

import (
	"slices"

	"github.com/tikvx/tikvx/ports"
)

// requestCopy holds a request while it travels: requests are borrowed, so whatever is sent is copied. One copy has room
// for each hot kind, so that its memory can be used again.
type requestCopy struct {
	get      ports.GetRequest
	batchGet ports.BatchGetRequest
	scan     ports.ScanRequest
	prewrite ports.PrewriteRequest
	commit   ports.CommitRequest
	rollback ports.BatchRollbackRequest
	status   ports.CheckTxnStatusRequest
	resolve  ports.ResolveLockRequest
	raw      rawRequestCopy

	memory    []byte
	keys      [][]byte
	mutations []ports.Mutation
	pairs     []ports.KV
	resolved  []ports.Timestamp
	committed []ports.Timestamp
}

type rawRequestCopy struct {
	get      ports.RawGetRequest
	batchGet ports.RawBatchGetRequest
	put      ports.RawPutRequest
	batchPut ports.RawBatchPutRequest
	delete   ports.RawDeleteRequest
	scan     ports.RawScanRequest
	swap     ports.RawCompareAndSwapRequest
}

// bytes copies b; nil stays nil.
func (c *requestCopy) bytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	start := len(c.memory)
	c.memory = append(c.memory, b...)
	return c.memory[start:len(c.memory):len(c.memory)]
}

func (c *requestCopy) list(keys [][]byte) [][]byte {
	if keys == nil {
		return nil
	}
	c.keys = c.keys[:0]
	for _, k := range keys {
		c.keys = append(c.keys, c.bytes(k))
	}
	return c.keys
}

func (c *requestCopy) mutationList(list []ports.Mutation) []ports.Mutation {
	if list == nil {
		return nil
	}
	c.mutations = c.mutations[:0]
	for i := range list {
		m := &list[i]
		c.mutations = append(c.mutations, ports.Mutation{
			Kind: m.Kind, Key: c.bytes(m.Key), Value: c.bytes(m.Value), Assertion: m.Assertion,
		})
	}
	return c.mutations
}

func (c *requestCopy) pairList(list []ports.KV) []ports.KV {
	if list == nil {
		return nil
	}
	c.pairs = c.pairs[:0]
	for _, p := range list {
		c.pairs = append(c.pairs, ports.KV{Key: c.bytes(p.Key), Value: c.bytes(p.Value), TTL: p.TTL})
	}
	return c.pairs
}

func (c *requestCopy) interval(r ports.KeyRange) ports.KeyRange {
	return ports.KeyRange{Start: c.bytes(r.Start), End: c.bytes(r.End)}
}

func (c *requestCopy) header(hdr *ports.Header) ports.Header {
	h := *hdr
	c.resolved = append(c.resolved[:0], hdr.ResolvedLocks...)
	c.committed = append(c.committed[:0], hdr.CommittedLocks...)
	h.ResolvedLocks, h.CommittedLocks = c.resolved, c.committed
	return h
}

// set copies a request and returns the copy, nil for one that is none of ports.
func (c *requestCopy) set(req ports.Request) ports.Request {
	c.memory = c.memory[:0]
	switch r := req.(type) {
	case *ports.GetRequest:
		c.get = *r
		c.get.Key = c.bytes(r.Key)
		return &c.get
	case *ports.BatchGetRequest:
		c.batchGet = *r
		c.batchGet.Keys = c.list(r.Keys)
		return &c.batchGet
	case *ports.ScanRequest:
		c.scan = *r
		c.scan.Range = c.interval(r.Range)
		return &c.scan
	case *ports.PrewriteRequest:
		c.prewrite = *r
		c.prewrite.Primary = c.bytes(r.Primary)
		c.prewrite.Mutations, c.prewrite.Secondaries = c.mutationList(r.Mutations), c.list(r.Secondaries)
		c.prewrite.Actions, c.prewrite.Constraints = slices.Clone(r.Actions), slices.Clone(r.Constraints)
		return &c.prewrite
	case *ports.CommitRequest:
		c.commit = *r
		c.commit.Keys, c.commit.Primary = c.list(r.Keys), c.bytes(r.Primary)
		return &c.commit
	case *ports.BatchRollbackRequest:
		c.rollback = *r
		c.rollback.Keys = c.list(r.Keys)
		return &c.rollback
	case *ports.CheckTxnStatusRequest:
		c.status = *r
		c.status.Primary = c.bytes(r.Primary)
		return &c.status
	case *ports.ResolveLockRequest:
		c.resolve = *r
		c.resolve.Keys, c.resolve.Txns = c.list(r.Keys), slices.Clone(r.Txns)
		return &c.resolve
	}
	return c.setRaw(req)
}

func (c *requestCopy) setRaw(req ports.Request) ports.Request {
	raw := &c.raw
	switch r := req.(type) {
	case *ports.RawGetRequest:
		raw.get = *r
		raw.get.Key = c.bytes(r.Key)
		return &raw.get
	case *ports.RawBatchGetRequest:
		raw.batchGet = *r
		raw.batchGet.Keys = c.list(r.Keys)
		return &raw.batchGet
	case *ports.RawPutRequest:
		raw.put = *r
		raw.put.Key, raw.put.Value = c.bytes(r.Key), c.bytes(r.Value)
		return &raw.put
	case *ports.RawBatchPutRequest:
		raw.batchPut = *r
		raw.batchPut.Pairs = c.pairList(r.Pairs)
		return &raw.batchPut
	case *ports.RawDeleteRequest:
		raw.delete = *r
		raw.delete.Key = c.bytes(r.Key)
		return &raw.delete
	case *ports.RawScanRequest:
		raw.scan = *r
		raw.scan.Range = c.interval(r.Range)
		return &raw.scan
	case *ports.RawCompareAndSwapRequest:
		raw.swap = *r
		raw.swap.Key, raw.swap.Value, raw.swap.Previous = c.bytes(r.Key), c.bytes(r.Value), c.bytes(r.Previous)
		return &raw.swap
	}
	return copyRare(req)
}
