package app

import (
	"bytes"
	"context"
	"slices"

	"github.com/tikvx/tikvx/app/drive"
	"github.com/tikvx/tikvx/core/raw"
	"github.com/tikvx/tikvx/ports"
)

// BatchGet returns the values of many keys. Absent keys have no pair in the result.
// It fails as a whole or not at all, but is not one moment: each region answers for
// itself.
func (r *Raw) BatchGet(ctx context.Context, keys [][]byte) (Pairs, error) {
	const op = "raw batch get"
	sorted, err := r.readyKeys(ctx, op, keys)
	if err != nil || len(sorted) == 0 {
		return nil, err
	}
	o := r.client.rawBatches.Op()
	o.Machine.InitGet(sorted, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	var pairs Pairs
	if f := o.Machine.Failure(); run != nil || f.Failed() {
		err = failed(ctx, op, NotApplied, run, f)
	} else {
		pairs = pairsOf(o.Machine.Pairs())
	}
	o.Release()
	for i := range pairs {
		pairs[i].Value = present(pairs[i].Value)
	}
	slices.SortFunc(pairs, func(a, b KV) int { return bytes.Compare(a.Key, b.Key) })
	return pairs, err
}

// BatchPut sets many keys, each with the life that its pair says. Of several pairs
// with one key the last one is written. It is not atomic: when it fails, [Error.Keys]
// says what became of each key, and the outcome is [Unknown] unless it is the same
// for all.
func (r *Raw) BatchPut(ctx context.Context, pairs []KV) error {
	const op = "raw batch put"
	if err := r.client.ready(ctx, op, rawKeys); err != nil {
		return err
	}
	sorted, err := r.sortPairs(op, pairs)
	if err != nil || len(sorted) == 0 {
		return err
	}
	o := r.client.rawBatches.Op()
	o.Machine.InitPut(sorted, r.settings.options, r.client.deadline(ctx))
	return writeBatch(ctx, op, o, func(i int) []byte { return sorted[i].Key })
}

// BatchDelete removes many keys, whether they are there or not. It is not atomic; see
// [Raw.BatchPut].
func (r *Raw) BatchDelete(ctx context.Context, keys [][]byte) error {
	const op = "raw batch delete"
	sorted, err := r.readyKeys(ctx, op, keys)
	if err != nil || len(sorted) == 0 {
		return err
	}
	o := r.client.rawBatches.Op()
	o.Machine.InitDelete(sorted, r.settings.options, r.client.deadline(ctx))
	return writeBatch(ctx, op, o, func(i int) []byte { return sorted[i] })
}

// DeleteRange removes all keys from start on and before end; an empty start is the
// first key, an empty end means no upper bound. It goes from region to region and is
// not atomic: when it fails, the keys up to some point are gone, and it may be called
// again.
func (r *Raw) DeleteRange(ctx context.Context, start, end []byte) error {
	const op = "raw delete range"
	if err := r.client.ready(ctx, op, rawKeys); err != nil {
		return err
	}
	rng := ports.KeyRange{Start: start, End: end}
	switch {
	case r.settings.options.ForCAS:
		return misuse(op, "view", "atomic")
	case len(end) > 0 && bytes.Compare(start, end) > 0:
		return misuse(op, "range", "end before start")
	case rng.Empty():
		return nil
	}
	o := r.client.rawRanges.Op()
	o.Machine.Init(rng, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	var err error
	if f := o.Machine.Failure(); run != nil {
		err = failed(ctx, op, Unknown, run, f)
	} else if f.Failed() {
		err = failed(ctx, op, rawOutcome(o.Machine.Outcome()), nil, f)
	}
	o.Release()
	return err
}

// writeBatch runs a write and releases it.
func writeBatch(ctx context.Context, op string, o *drive.Op[raw.Batch], key func(int) []byte) error {
	run := o.Run(ctx)
	var err error
	switch f := o.Machine.Failure(); {
	case run != nil:
		err = failed(ctx, op, Unknown, run, f)
	case f.Failed():
		e := failed(ctx, op, rawOutcome(o.Machine.Outcome()), nil, f)
		for i, outcome := range o.Machine.Outcomes() {
			e.Keys = append(e.Keys, KeyOutcome{Key: bytes.Clone(key(i)), Outcome: rawOutcome(outcome)})
		}
		err = e
	}
	o.Release()
	return err
}

func (r *Raw) readyKeys(ctx context.Context, op string, keys [][]byte) ([][]byte, error) {
	if err := r.client.ready(ctx, op, rawKeys); err != nil {
		return nil, err
	}
	return r.client.sortKeys(op, keys)
}

// sortPairs returns the last pair of each key, in key order.
func (r *Raw) sortPairs(op string, pairs []KV) ([]ports.KV, error) {
	sorted := make([]ports.KV, len(pairs))
	for i, p := range pairs {
		if err := r.client.checkKey(op, p.Key); err != nil {
			return nil, err
		}
		ttl, err := seconds(op, p.TTL)
		if err != nil {
			return nil, err
		}
		// From the back, so that of equal keys the last one comes first.
		sorted[len(pairs)-1-i] = ports.KV{Key: p.Key, Value: p.Value, TTL: ttl}
	}
	slices.SortStableFunc(sorted, func(a, b ports.KV) int { return bytes.Compare(a.Key, b.Key) })
	return slices.CompactFunc(sorted, func(a, b ports.KV) bool { return bytes.Equal(a.Key, b.Key) }), nil
}
