package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
)

func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "", &out))
	require.Equal(t, "30: <nil>\n50: <nil>\n40: not enough money\nada has 20, bob has 80\n", out.String())
}

// How a program is tested against a cluster that loses messages and moves regions:
// money is neither made nor lost, and a transfer that was confirmed took place.
func TestTransfersUnderFaults(t *testing.T) {
	defer goleak.VerifyNone(t)
	db, wall, err := embed.Open(sim.Config{
		Seed: 1,
		Faults: sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost, sim.FaultDuplicate,
			sim.FaultSplit, sim.FaultTransfer),
		Disturbance: 20 * time.Millisecond,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close(context.Background())) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	bank := bank{db}
	require.NoError(t, bank.deposit(ctx, "ada", 1000))

	confirmed := 0
	for i := range 25 {
		bounded, stop := context.WithTimeout(ctx, 2*time.Second)
		err := bank.transfer(bounded, "ada", "bob", 1, fmt.Sprint(i))
		stop()
		if err == nil {
			confirmed++
		} else {
			require.NotEqual(t, tikvx.Committed, tikvx.OutcomeOf(err))
		}
	}

	wall.Do(func(w *sim.World) { w.Heal() })
	ada, bob, err := bank.balances(ctx, "ada", "bob")
	require.NoError(t, err)
	require.Equal(t, 1000, ada+bob)
	require.GreaterOrEqual(t, bob, confirmed)
}
