package tikvx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/serve"
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
	for _, files := range []tikvx.TLS{
		{}, {CA: "ca"}, {CA: "ca", Cert: "cert"}, {CA: "ca", Key: "key"}, {Cert: "cert", Key: "key"},
	} {
		_, err = tikvx.Open(t.Context(), []string{"127.0.0.1:2379"}, tikvx.WithTLS(files))
		require.ErrorIs(t, err, tikvx.ErrMisuse, "never in plain text instead")
	}
}

// serveWorld serves a simulated cluster behind PD's and TiKV's own protocols.
func serveWorld(t *testing.T, world sim.Config, how serve.Config) *serve.Cluster {
	t.Helper()
	w, err := sim.New(world)
	require.NoError(t, err)
	c, err := serve.Start(w, how)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// use opens a client the way that programs do, writes and reads, and closes it.
func use(t *testing.T, endpoint string, opts ...tikvx.ClientOption) {
	t.Helper()
	db, err := tikvx.Open(t.Context(), []string{endpoint}, opts...)
	require.NoError(t, err)
	require.NoError(t, put(t.Context(), db, "a", "1"))
	require.NoError(t, put(t.Context(), db, "z", "2"))
	snap, err := db.Snapshot(t.Context())
	require.NoError(t, err)
	pairs, err := snap.BatchGet(t.Context(), [][]byte{[]byte("a"), []byte("m"), []byte("z")})
	require.NoError(t, err)
	require.Equal(t, tikvx.Pairs{
		{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("z"), Value: []byte("2")},
	}, pairs)
	require.NoError(t, db.Close(t.Context()))
	require.NoError(t, db.Close(t.Context()), "closing again does nothing")
	_, err = snap.Get(t.Context(), []byte("a"))
	require.ErrorIs(t, err, tikvx.ErrClosed)
}

func TestOpen(t *testing.T) {
	c := serveWorld(t, sim.Config{Splits: [][]byte{[]byte("m")}}, serve.Config{})
	use(t, c.PD())
	use(t, "http://"+c.PD())

	raws := serveWorld(t, sim.Config{RawKeys: true}, serve.Config{})
	db, err := tikvx.Open(t.Context(), []string{raws.PD()})
	require.NoError(t, err)
	require.NoError(t, db.Raw().Put(t.Context(), []byte("k"), []byte("v")))
	v, err := db.Raw().Get(t.Context(), []byte("k"))
	require.NoError(t, err)
	require.Equal(t, "v", string(v))
	require.NoError(t, db.Close(t.Context()))
}

// Every connection is encrypted, to PD and to the stores, and shows the client's own
// certificate.
func TestWithTLS(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // for its certificate, which names 127.0.0.1 and signs itself
	pair := lender.TLS.Certificates[0]
	lender.Close()
	dir := t.TempDir()
	files := tikvx.TLS{CA: filepath.Join(dir, "cert"), Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	write := func(path, kind string, der []byte) {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write(files.Cert, "CERTIFICATE", pair.Certificate[0])
	write(files.Key, "PRIVATE KEY", der)

	c := serveWorld(t, sim.Config{Splits: [][]byte{[]byte("m")}}, serve.Config{TLS: &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12,
	}})
	use(t, c.PD(), tikvx.WithTLS(files))
	use(t, "https://"+c.PD(), tikvx.WithTLS(files))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = tikvx.Open(ctx, []string{c.PD()})
	require.ErrorIs(t, err, tikvx.ErrUnavailable, "who speaks in plain text is not understood")
	require.ErrorContains(t, err, c.PD())
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
