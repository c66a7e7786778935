package tikvx_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenRefusesEndpoints(t *testing.T) {
	for _, endpoints := range [][]string{
		nil, {}, {""}, {"10.0.0.1"}, {"ftp://10.0.0.1:2379"}, {"10.0.0.1:2379", "http://:2379"}, {"%zz:1"},
	} {
		_, err := tikvx.Open(t.Context(), endpoints)
		require.ErrorIs(t, err, tikvx.ErrMisuse, "%q", endpoints)
		var e *tikvx.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "endpoints", e.Argument)
		if n := len(endpoints); n > 0 {
			require.ErrorContains(t, err, endpoints[n-1], "the endpoint is named")
		}
	}
	var none context.Context
	_, err := tikvx.Open(none, []string{"127.0.0.1:2379"})
	require.ErrorIs(t, err, tikvx.ErrMisuse)
	_, err = tikvx.Open(t.Context(), []string{"127.0.0.1:2379"}, tikvx.WithDefaultTimeout(-1))
	require.ErrorIs(t, err, tikvx.ErrMisuse)
}

// PD is down, or takes connections and says nothing: Open fails within the context's
// deadline and names the endpoint.
func TestOpenWithoutPD(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	down, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, down.Close())

	for name, endpoint := range map[string]string{"silent": silent.Addr().String(), "down": down.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err := tikvx.Open(ctx, []string{endpoint})
			require.ErrorIs(t, err, tikvx.ErrUnavailable)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, endpoint)
			require.Less(t, time.Since(began), 5*time.Second, "a loaded machine is given some time")
		})
	}
	// The same bound from the options, for a context without a deadline.
	_, err = tikvx.Open(context.Background(), []string{down.Addr().String()},
		tikvx.WithDefaultTimeout(300*time.Millisecond))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
