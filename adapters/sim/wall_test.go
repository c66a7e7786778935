package sim_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

func TestWallLetsThingsHappenInTime(t *testing.T) {
	defer goleak.VerifyNone(t)
	faults := sim.FaultsOf(sim.FaultCrash, sim.FaultMove, sim.FaultHang, sim.FaultTransfer, sim.FaultOracleGap)
	w, err := sim.New(sim.Config{Faults: faults, Seed: 1, Disturbance: 2 * time.Millisecond})
	require.NoError(t, err)
	wall := sim.NewWall(w)
	done := make(chan ports.Instant)
	began := time.Now()
	wall.Do(func(w *sim.World) {
		w.After(w.Now().Add(20*time.Millisecond), func() { close(done) })
	})
	<-done
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)

	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			c := wall.Client("c")
			defer c.Close()
			for range 50 {
				answer := make(answers, 1)
				c.Timestamp(c.Now().Add(time.Second), ports.Tok{}, answer)
				<-answer
			}
		})
	}
	clients.Wait()
	wall.Do(func(w *sim.World) { w.Heal() })
	wall.Close()
}

// answers is a sink that hands events over.
type answers chan ports.Event

// Post implements [ports.Sink].
func (a answers) Post(ev ports.Event) { a <- ev }
