package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a call holds is held no longer than it takes; what it has learnt stays for a while.
func TestUsage(t *testing.T) {
	bubble(t, func(t *testing.T, c *cluster, db *Client) {
		require.Equal(t, Usage{}, db.Usage())
		put(t, db, "a=1")
		pass(time.Second)
		require.Equal(t, Usage{Regions: db.Usage().Regions}, db.Usage())
		require.Positive(t, db.Usage().Regions)
		c.all(hung)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := db.SnapshotAt(1).Get(ctx, b("a"))
			require.ErrorIs(t, err, context.Canceled)
		}()
		pass(time.Second)
		require.Equal(t, 1, db.Usage().Operations)
		cancel()
		<-done
		require.Zero(t, db.Usage().Operations)
	})
}
