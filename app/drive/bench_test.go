package drive

import (
	"context"
	"testing"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// What the driver itself costs: one operation with one request that is answered at
// once, and one that another goroutine answers.
func BenchmarkRun(b *testing.B) {
	answers := make(chan request, 1)
	go func() {
		for r := range answers {
			r.reply()
		}
	}()
	for name, submit := range map[string]func(request){
		"inline": request.reply, "across": func(r request) { answers <- r },
	} {
		b.Run(name, func(b *testing.B) {
			d, f := start(func(cfg *Config) { cfg.LetPanic = false })
			f.submit = submit
			pool := NewPool[single](d, toys(d).codec)
			b.ReportAllocs()
			for b.Loop() {
				op := pool.Op()
				if err := op.Run(context.Background()); err != nil {
					b.Fatal(err)
				}
				op.Release()
			}
			if err := d.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
	close(answers)
}

// single is a machine that sends one request.
type single struct {
	done    bool
	header  ports.Header
	request ports.RawGetRequest
}

func (m *single) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	if ev.Kind == ports.EventStart {
		out.Send(env.Token(), ports.Endpoint{Store: 1}, &m.header, &m.request, ports.Never)
		return
	}
	m.done = true
	out.Answer()
}

func (m *single) Done() bool           { return m.done }
func (m *single) Fingerprint(*sm.Hash) {}
func (m *single) String() string       { return "single" }
