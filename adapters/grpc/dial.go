package grpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/tikvx/tikvx/ports"
)

// Settings of a connection. Windows are as large as client-go's: flow control must not be what slows a store's answers,
// and windows that are fixed spare gRPC its measurements.
const (
	window           = 128 << 20
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 3 * time.Second
	// dialTimeout bounds connecting, the handshakes of TLS and HTTP/2 included.
	dialTimeout = 2 * ports.SilenceLimit
)

func dialOptions(cfg Config) []grpc.DialOption {
	security := insecure.NewCredentials()
	if cfg.CA != "" {
		base := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
		security = &reloading{TransportCredentials: base, ca: cfg.CA, cert: cfg.Cert, key: cfg.Key}
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: dialTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
	}
}

// dial makes a connection object; gRPC connects when it is first used. The operating system resolves the address, at
// each attempt anew.
func (n *Network) dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, n.options...)
}

// reloading makes each handshake with the certificates that the files hold at that moment.
type reloading struct {
	credentials.TransportCredentials
	ca, cert, key string
}

// errNoCertificate reports a file without a certificate in it.
var errNoCertificate = errors.New("the CA file holds no certificate")

// ClientHandshake implements credentials.TransportCredentials.
func (r *reloading) ClientHandshake(
	ctx context.Context, authority string, conn net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	pem, err := os.ReadFile(r.ca)
	if err != nil {
		return nil, nil, err
	}
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, nil, errNoCertificate
	}
	if r.cert != "" {
		pair, err := tls.LoadX509KeyPair(r.cert, r.key)
		if err != nil {
			return nil, nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(cfg).ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (r *reloading) Clone() credentials.TransportCredentials {
	return &reloading{TransportCredentials: r.TransportCredentials.Clone(), ca: r.ca, cert: r.cert, key: r.key}
}
