package app

import (
	"context"
	"iter"

	"github.com/tikvx/tikvx/core/buffer"
	"github.com/tikvx/tikvx/ports"
)

// Scan reads a range page by page, in key order, while the loop over it goes on; with
// no option it reads everything. An error is the last thing that it yields. It is not
// one moment: what is written while it runs may be met or not.
func (r *Raw) Scan(ctx context.Context, opts ...ScanOption) iter.Seq2[KV, error] {
	return func(yield func(KV, error) bool) {
		s := scan{op: "raw scan", pages: r}
		err := r.client.ready(ctx, s.op, rawKeys)
		if err == nil {
			err = s.begin(r.client, opts)
		}
		if err != nil {
			yield(KV{}, err)
			return
		}
		var nothing buffer.View
		s.run(ctx, &nothing, yield)
	}
}

// page implements pager.
func (r *Raw) page(ctx context.Context, s *scan, limit int) ([]ports.KV, error) {
	o := r.client.rawPages.Op()
	o.Machine.Init(s.rest, limit, s.settings.reverse, s.settings.keysOnly, r.settings.options, r.client.deadline(ctx))
	run := o.Run(ctx)
	var pairs []ports.KV
	var err error
	if f := o.Machine.Failure(); run != nil || f.Failed() {
		err = failed(ctx, s.op, NotApplied, run, f)
	} else {
		pairs = o.Machine.Pairs()
		s.left(o.Machine.Next())
	}
	o.Release()
	return pairs, err
}

// check implements pager: raw keys never end.
func (r *Raw) check(string) error { return nil }
