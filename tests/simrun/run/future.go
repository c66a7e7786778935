package run

import (
	"errors"
	"time"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/adapters/sim/load"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// farAhead is how far in the future nobody may read (TiKV: storage.max-ts.max-drift is a minute).
const farAhead = 2 * time.Minute

// foresee reads in the future, in a healed cluster: the client must say at once that nobody can.
func (r *simulation) foresee() {
	if r.workload.RawKeys() {
		return
	}
	w := r.world
	db, _ := r.open("seer", r.report.Seed)
	done := false
	w.Go("seer", func(*sim.Task) {
		began := w.Now()
		ctx, cancel := embed.Context(w, load.CallTimeout)
		defer cancel()
		at := ports.ComposeTimestamp(w.Allocated().Physical()+farAhead.Milliseconds(), 0)
		_, err := db.SnapshotAt(at).Get(ctx, []byte("future"))
		switch took := w.Now().Sub(began); {
		case err == nil || errors.Is(err, app.ErrNotFound):
			r.wrong("a read in the future was answered")
		case took > patience:
			r.wrong("a read in the future was refused after %v: %v", took, err)
		}
		done = true
	})
	if !r.until(w.Now().Add(calm), func() bool { return done }) {
		r.wrong("a read in the future hangs")
	}
}
