package drive

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A host that holds callers must hold them before they share anything: whoever takes an operation from a pool, or
// reads the clock for a deadline, passes its gate first.
func TestTheHostHoldsWhoeverBeginsSomething(t *testing.T) {
	entered := 0
	d, _ := start(func(c *Config) { c.Host.Enter = func() { entered++ } })
	defer finish(t, d)
	pool := toys(d)
	require.Zero(t, entered)
	op := pool.Op()
	require.Equal(t, 1, entered)
	op.Release()
	d.Deadline(context.Background(), time.Second)
	require.Equal(t, 2, entered)
	require.NoError(t, d.Sleep(context.Background(), time.Microsecond))
	require.Equal(t, 3, entered)
}
