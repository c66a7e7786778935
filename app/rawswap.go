package app

import (
	"context"

	"github.com/tikvx/tikvx/core/raw"
)

// Swap is the result of a compare-and-swap that was answered.
type Swap struct {
	// Swapped says that the comparison held and the write took effect.
	Swapped bool
	// Previous is the value that the key had before the call, nil when it was absent.
	Previous []byte
}

// CompareAndSwap sets a key if its value is old; an empty old is the empty value, not
// an absent key. The view must be [Atomic].
//
// A swap whose answer was lost is not repeated, since the second would compare with
// the first: it ends as [ErrUnavailable] with outcome [Unknown].
func (r *Raw) CompareAndSwap(ctx context.Context, key, old, value []byte, opts ...PutOption) (Swap, error) {
	return r.swap(ctx, "raw compare and swap", key, raw.Swap{Previous: old, Value: value}, opts)
}

// PutIfAbsent sets a key if it is absent; otherwise as [Raw.CompareAndSwap].
func (r *Raw) PutIfAbsent(ctx context.Context, key, value []byte, opts ...PutOption) (Swap, error) {
	return r.swap(ctx, "raw put if absent", key, raw.Swap{PreviousAbsent: true, Value: value}, opts)
}

// CompareAndDelete removes a key if its value is old; otherwise as
// [Raw.CompareAndSwap].
func (r *Raw) CompareAndDelete(ctx context.Context, key, old []byte) (Swap, error) {
	return r.swap(ctx, "raw compare and delete", key, raw.Swap{Previous: old, Delete: true}, nil)
}

func (r *Raw) swap(ctx context.Context, op string, key []byte, s raw.Swap, opts []PutOption) (Swap, error) {
	if err := r.ready(ctx, op, key); err != nil {
		return Swap{}, err
	}
	if !r.settings.options.ForCAS {
		return Swap{}, misuse(op, "view", "not atomic")
	}
	var err error
	if s.TTL, err = putTTL(op, opts); err != nil {
		return Swap{}, err
	}
	o := r.client.rawPoints.Op()
	o.Machine.InitSwap(key, s, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	err = pointError(ctx, op, run, &o.Machine)
	result := Swap{Swapped: o.Machine.Swapped()}
	if value, found := o.Machine.Value(); found {
		result.Previous = present(value)
	}
	o.Release()
	if err != nil {
		return Swap{}, err
	}
	return result, nil
}
