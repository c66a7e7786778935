package sim_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/ports"
)

// run lets traffic go until it is through.
func run(t testing.TB, config sim.Config, concurrency, transactions int) (*sim.World, *traffic) {
	w, err := sim.New(config)
	require.NoError(t, err)
	tr := newTraffic(w, concurrency, transactions)
	done := func() bool { return tr.left == 0 && tr.answered == tr.submitted && tr.quiet() }
	require.True(t, w.Run(ports.Instant(1e15), done), "the traffic does not end")
	return w, tr
}

func (t *traffic) quiet() bool {
	for i := range t.slots {
		if t.slots[i].state != idle {
			return false
		}
	}
	return true
}

func BenchmarkTransactions(b *testing.B) {
	b.ReportAllocs()
	w, tr := run(b, sim.Config{Seed: 1, Splits: splits("key-0300", "key-0600")}, 16, b.N)
	b.ReportMetric(float64(w.Events())/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(tr.committed)/float64(b.N), "committed/txn")
}

func BenchmarkTransactionsWithFaults(b *testing.B) {
	b.ReportAllocs()
	w, _ := run(b, sim.Config{Seed: 1, Faults: sim.AllFaults, Splits: splits("key-0300", "key-0600")}, 16, b.N)
	b.ReportMetric(float64(w.Events())/b.Elapsed().Seconds(), "events/s")
}

func splits(keys ...string) [][]byte {
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	return list
}

var stormy = sim.Config{Faults: sim.AllFaults, Splits: splits("key-0300", "key-0600")}

func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(5) {
		config := stormy
		config.Seed = seed
		first, tr := run(t, config, 8, 500)
		second, _ := run(t, config, 8, 500)
		require.Equal(t, first.Hash(), second.Hash())
		require.Equal(t, first.Events(), second.Events())
		config.Seed += 1000
		other, _ := run(t, config, 8, 500)
		require.NotEqual(t, first.Hash(), other.Hash())
		t.Log(seed, tr.committed, first.Counts(), first.Events())
	}
}

func TestTheTraceChangesNothing(t *testing.T) {
	config := stormy
	quiet, _ := run(t, config, 8, 200)
	var trace bytes.Buffer
	config.Trace = &trace
	traced, _ := run(t, config, 8, 200)
	require.Equal(t, quiet.Hash(), traced.Hash())
	require.Contains(t, trace.String(), "Prewrite")
}

func TestALogOfDecisionsIsTheRun(t *testing.T) {
	config := stormy
	recorder := sim.NewRecorder(sim.NewSeeded(7, sim.AllFaults))
	config.Chooser = recorder
	first, _ := run(t, config, 8, 300)

	var text bytes.Buffer
	_, err := recorder.Log().WriteTo(&text)
	require.NoError(t, err)
	log, err := sim.ReadDecisions(bytes.NewReader(text.Bytes()))
	require.NoError(t, err)
	require.Equal(t, recorder.Log().Len(), log.Len())
	for range 2 {
		config.Chooser = sim.NewReplay(log)
		again, _ := run(t, config, 8, 300)
		require.Equal(t, first.Hash(), again.Hash())
	}

	config.Chooser = sim.NewReplay(&sim.Decisions{})
	boring, tr := run(t, config, 8, 300)
	require.Equal(t, sim.Counts{}, boring.Counts(), "a run without decisions is a run without faults")
	require.NotZero(t, tr.committed)
}

func TestMalformedLogs(t *testing.T) {
	for _, text := range []string{"no-such-site 1=1", "delay x=1", "delay 1=0", "delay 5=1 3=1", "delay 1"} {
		_, err := sim.ReadDecisions(bytes.NewReader([]byte(text)))
		require.ErrorIs(t, err, sim.ErrDecisions, text)
	}
}

func TestEveryFaultHappens(t *testing.T) {
	var total sim.Counts
	for seed := range uint64(20) {
		chooser := sim.NewSwarm(seed, sim.AllFaults)
		config := stormy
		config.Chooser, config.Faults = chooser, chooser.Faults()
		w, _ := run(t, config, 8, 300)
		counts := w.Counts()
		for f := range sim.Fault(sim.NumFaults) {
			if counts[f] > 0 {
				require.True(t, chooser.Faults().Has(f) || f == sim.FaultCrash, "%s was not dealt: %s", f, chooser)
			}
		}
		w.Heal()
		w.Run(w.Now()+ports.Instant(200e9), nil) // late duplicates arrive
		healed := w.Counts()
		total.Add(&healed)
	}
	require.Empty(t, total.Missing(sim.OptimisticFaults), total.String())
	t.Log(total.String())
}

func TestHealedWorldsAreBoring(t *testing.T) {
	config := stormy
	config.Seed = 3
	w, _ := run(t, config, 8, 1000)
	w.Heal()
	before := w.Counts()
	w.Run(w.Now()+ports.Instant(100e9), nil)
	after := w.Counts()
	for f := range sim.Fault(sim.NumFaults) {
		if f != sim.FaultLateDuplicate && f != sim.FaultDuplicate {
			require.Equal(t, before[f], after[f], f.String())
		}
	}
	for _, r := range w.Regions() {
		require.NotZero(t, r.Leader)
	}
	tr := newTraffic(w, 1, 20)
	w.Run(w.Now()+ports.Instant(60e9), tr.quiet)
	require.NotZero(t, tr.committed)
	require.Equal(t, fmt.Sprint(len(w.Stores())), fmt.Sprint(3))
}
