package drive

import (
	"context"
	"time"

	"github.com/tikvx/tikvx/core/sm"
	"github.com/tikvx/tikvx/ports"
)

// Sleep waits on the host's clock. It returns the context's error when ctx is done
// first, and [ErrClosed] when the driver is closed first.
func (d *Driver) Sleep(ctx context.Context, pause time.Duration) error {
	op := d.sleeps.Op()
	defer op.Release()
	op.Machine = sleep{until: d.Now().Add(pause)}
	if err := op.Run(ctx); err != nil {
		return err
	}
	if !op.Machine.over {
		return ctx.Err()
	}
	return nil
}

// sleep is the machine of [Driver.Sleep].
//
//	idle ──Start──▶ asleep ──Timer, Cancel──▶ done
type sleep struct {
	until ports.Instant
	gen   uint32
	// over: the time has come.
	over, done bool
}

// Step implements [sm.Machine].
func (s *sleep) Step(env *sm.Env, ev *ports.Event, out *sm.Effects) {
	env.Visit("drive.sleep", s.String(), ev.Kind)
	switch {
	case ev.Kind == ports.EventStart:
		tok := env.Token()
		s.gen = tok.Gen
		out.Arm(tok, s.until, "")
	case s.done:
	case ev.Kind == ports.EventCancel:
		s.done = true
		out.Answer()
	case ev.Kind == ports.EventTimer && ev.Tok.Gen == s.gen:
		s.done, s.over = true, true
		out.Answer()
	}
}

// Done implements [sm.Machine].
func (s *sleep) Done() bool { return s.done }

// Fingerprint implements [sm.Machine].
func (s *sleep) Fingerprint(h *sm.Hash) {
	h.Instant(s.until)
	h.Gen(s.gen)
	h.Bool(s.over)
	h.Bool(s.done)
}

// String implements [sm.Machine].
func (s *sleep) String() string {
	if s.done {
		return "done"
	}
	return "asleep"
}
