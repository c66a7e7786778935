package grpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	grpclib "google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/ports"
)

// authority is a certificate authority of one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue signs a certificate, with its own key when there is no authority yet.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

// leaf returns a certificate for both ends of a connection on this machine.
func (a *authority) leaf() tls.Certificate {
	cert, key := a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// TestTLSReadsItsFilesAtEachHandshake: certificates are renewed while the client runs.
func TestTLSReadsItsFilesAtEachHandshake(t *testing.T) {
	right, wrong := newAuthority(t), newAuthority(t)
	s := newStore(t, grpclib.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{right.leaf()}, ClientCAs: right.pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	})))
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	leaf := right.leaf()
	der, err := x509.MarshalECPrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	require.NoError(t, err)

	r := newRig(t, grpc.Config{CA: ca, Cert: cert, Key: key})
	refused := func(why string) {
		r.network.Forget(ports.Endpoint{Store: 1, Address: s.address})
		ev := r.ask(s.address, get("k"), time.Minute)
		require.Equal(t, ports.EventUnsent, ev.Kind, why)
		require.Equal(t, ports.CauseConnection, ev.Cause.Kind, why)
	}
	refused("there is no CA file")
	require.NoError(t, os.WriteFile(ca, []byte("no certificate"), 0o600))
	refused("the CA file is empty")
	writePEM(t, ca, "CERTIFICATE", wrong.cert.Raw)
	refused("there is no certificate of the client")
	writePEM(t, cert, "CERTIFICATE", leaf.Certificate[0])
	writePEM(t, key, "EC PRIVATE KEY", der)
	refused("the CA is another")
	writePEM(t, ca, "CERTIFICATE", right.cert.Raw)
	r.network.Forget(ports.Endpoint{Store: 1, Address: s.address})
	requireServed(t, r.ask(s.address, get("k"), time.Minute))
}
