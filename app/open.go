package app

import (
	"context"
	"errors"
)

// Connection is what a client's options say to whoever connects its ports.
type Connection struct {
	// TLS is nil for connections in plain text.
	TLS *TLS
}

// TLS names PEM files: the authority that signed the servers' certificates, and the
// client's own certificate with its key. All are needed: TiKV encrypts for nobody who
// shows no certificate. Files are read again for new connections, so that they can be
// replaced.
type TLS struct{ CA, Cert, Key string }

// complete reports whether all files are named. PD's library and the adapters take one
// that is missing for the wish to speak in plain text.
func (f *TLS) complete() bool { return f.CA != "" && f.Cert != "" && f.Key != "" }

// WithTLS encrypts the connections to PD and TiKV. The default is plain text. Only a
// client that connects by itself takes it: see [Open]. Where a file is not named, it is
// [ErrMisuse].
func WithTLS(files TLS) ClientOption { return tlsOption(files) }

type tlsOption TLS

func (o tlsOption) applyClient(s *clientSettings) {
	files := TLS(o)
	s.connection.TLS = &files
}

// Dial connects the ports of a client. It must return soon after ctx ends.
type Dial func(ctx context.Context, c Connection) (Ports, error)

// Open connects a client by way of dial and returns it as [New] does. When ctx has no
// deadline the default timeout bounds it. An error of dial that is no [*Error] becomes
// an [ErrUnavailable].
func Open(ctx context.Context, dial Dial, opts ...ClientOption) (*Client, error) {
	const op = "open"
	if ctx == nil {
		return nil, misuse(op, "context", "nil")
	}
	s, err := settingsOf(opts)
	if err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	p, err := dial(ctx, s.connection)
	if err != nil {
		return nil, undialled(ctx, op, err)
	}
	return start(p, s)
}

// undialled says why there are no ports.
func undialled(ctx context.Context, op string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	e := refused(op, ErrUnavailable, "", err.Error())
	if ctx.Err() != nil {
		e.ended(ctx)
		e.Text += ": " + err.Error()
	}
	e.Err = err
	return e
}
