package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/ports"
	"github.com/tikvx/tikvx/ports/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	porttest.Timers(t, func(t *testing.T) porttest.Host {
		c := clock.New()
		t.Cleanup(c.Close)
		return porttest.Host{Clock: c}
	})
}

type sink chan ports.Event

func (s sink) Post(ev ports.Event) { s <- ev }

func TestAlarmsComeInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delays := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 40).Draw(rt, "delays")
		synctest.Test(t, func(t *testing.T) {
			c := clock.New()
			defer c.Close()
			got := make(sink, len(delays))
			start := c.Now()
			for i, d := range delays {
				c.Arm(start.Add(time.Duration(d)*time.Second), ports.Tok{Gen: uint32(i)}, got)
			}
			last := ports.Instant(0)
			for range delays {
				ev := <-got
				want := start.Add(time.Duration(delays[ev.Tok.Gen]) * time.Second)
				require.Equal(rt, want, ev.Now, "exactly on time where time is exact")
				require.GreaterOrEqual(rt, ev.Now, last)
				last = ev.Now
			}
		})
	})
}

func TestAnEarlierAlarmWakesTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		defer c.Close()
		got := make(sink, 2)
		start := c.Now()
		c.Arm(start.Add(time.Hour), ports.Tok{Gen: 1}, got)
		synctest.Wait()
		c.Arm(start.Add(time.Minute), ports.Tok{Gen: 2}, got)
		require.EqualValues(t, 2, (<-got).Tok.Gen)
		require.EqualValues(t, 1, (<-got).Tok.Gen)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		got := make(sink, 2)
		c.Arm(c.Now().Add(time.Second), ports.Tok{}, got)
		c.Close()
		c.Close()
		c.Arm(c.Now(), ports.Tok{}, got)
		time.Sleep(time.Minute)
		require.Empty(t, got, "alarms of a closed clock")
	})
}

func BenchmarkArm(b *testing.B) {
	c := clock.New()
	defer c.Close()
	got := make(sink, 1)
	far := c.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		c.Arm(far, ports.Tok{}, got)
	}
}
