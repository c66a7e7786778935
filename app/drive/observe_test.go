package drive

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

// notebook is an observer that writes down what it sees.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notebook) OnAttempt(a ports.Attempt) {
	n.add("attempt store=%d region=%d fault=%d cause=%d %s", a.Store, a.Region, a.Fault, a.Cause, a.Elapsed)
}

func (n *notebook) OnBackoff(kind string, wait time.Duration) { n.add("backoff %s %v", kind, wait > 0) }

func (n *notebook) OnRegionLoad(regions int, elapsed time.Duration) {
	n.add("load %d %s", regions, elapsed)
}

func (n *notebook) OnCommit(string, int, time.Duration) {}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := &notebook{}
		d, f := start(func(cfg *Config) { cfg.Observer = notes })
		answers := []ports.Event{
			{Kind: ports.EventLost, Cause: ports.Cause{Kind: ports.CauseConnection}},
			{Kind: ports.EventReply, Reply: &ports.RawGetReply{ReplyHeader: ports.ReplyHeader{
				Fault: &ports.RegionFault{Kind: ports.FaultServerIsBusy}}}},
			{Kind: ports.EventReply, Reply: &ports.RawGetReply{Value: []byte("v")}},
		}
		f.submit = func(r request) {
			ev := answers[0]
			ev.Tok, answers = r.tok, answers[1:]
			time.AfterFunc(time.Millisecond, func() {
				r.sink.Post(ev)
				r.sink.Post(ev)
			})
		}
		get(t, d, points(d), context.Background())
		require.Equal(t, []string{
			"attempt store=1 region=2 fault=0 cause=2 1ms",
			"attempt store=1 region=2 fault=6 cause=0 1ms",
			"attempt store=1 region=2 fault=0 cause=0 1ms",
		}, slices.DeleteFunc(slices.Clone(notes.lines), func(l string) bool { return l[0] != 'a' }))
		require.Contains(t, notes.lines, "load 1 0s")
		require.Contains(t, notes.lines, "backoff tikvServerBusy true")

		// What an operation leaves behind is reported when it ends.
		f.submit = func(request) {}
		notes.lines = nil
		op := toys(d).Op()
		op.Machine.init(1, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.NoError(t, op.Run(ctx))
		op.Release()
		require.Equal(t, []string{"attempt store=1 region=0 fault=0 cause=1 1s"}, notes.lines)
		finish(t, d)
	})
}
