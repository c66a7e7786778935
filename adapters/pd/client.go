// Package pd reaches the Placement Driver through PD's own client library. It
// implements [ports.Oracle], [ports.Placement] and [ports.Admin].
//
// One effect is process-wide: the library logs through pingcap/log's global
// logger, which writes to standard output unless somebody replaced it. [Open]
// replaces it with a silent one if, and only if, it is still the library's default.
package pd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pingcap/log"
	pdclient "github.com/tikv/pd/client"
	"github.com/tikv/pd/client/opt"
	"github.com/tikv/pd/client/pkg/caller"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"

	"github.com/tikvx/tikvx/ports"
)

// Config says where PD is and how to reach it.
type Config struct {
	// Endpoints are PD's client addresses: host:port, or http:// or https:// URLs.
	Endpoints []string
	// CA, Cert and Key are paths of PEM files; an empty CA means no TLS.
	CA, Cert, Key string
	// Clock is the host's clock, on which deadlines are given.
	Clock ports.Timers
	// Timeout bounds one request to PD; 0 means 3 s.
	Timeout time.Duration
	// RouterClient lets region queries go through the library's router client.
	RouterClient bool
	// Metrics registers the library's Prometheus metrics, process-wide.
	Metrics bool
}

// ErrNoEndpoint reports an empty list of endpoints.
var ErrNoEndpoint = errors.New("no PD endpoint given")

// EndpointError reports endpoints that are malformed or that gave no answer.
type EndpointError struct {
	// Endpoint is the malformed endpoint, or all of them joined by commas.
	Endpoint string
	// Malformed: it was not even tried.
	Malformed bool
	Err       error
}

// Error implements error.
func (e *EndpointError) Error() string {
	return fmt.Sprintf("PD endpoint %s: %v", e.Endpoint, e.Err)
}

// Unwrap returns the cause.
func (e *EndpointError) Unwrap() error { return e.Err }

// Client implements [ports.Oracle], [ports.Placement] and [ports.Admin]. Safe for concurrent use.
type Client struct {
	pd     pdclient.Client
	clock  ports.Timers
	cancel context.CancelFunc
	tso    timestamps
	asks   questions
}

var (
	_ ports.Oracle    = (*Client)(nil)
	_ ports.Placement = (*Client)(nil)
	_ ports.Admin     = (*Client)(nil)
)

// libraryLogger is what the global logger is as long as nobody replaced it.
var libraryLogger = log.L()

// silence serialises the replacement of the global logger.
var silence sync.Mutex

// Open connects to PD. It returns within ctx, with an [EndpointError] when an
// endpoint is malformed or none of them answers.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if len(cfg.Endpoints) == 0 {
		return nil, ErrNoEndpoint
	}
	for _, e := range cfg.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return nil, &EndpointError{Endpoint: e, Malformed: true, Err: err}
		}
	}
	silenceLibrary()
	life, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel)
	client, err := pdclient.NewClientWithContext(life, caller.Component("tikvx"), cfg.Endpoints,
		pdclient.SecurityOption{CAPath: cfg.CA, CertPath: cfg.Cert, KeyPath: cfg.Key}, options(cfg, life)...)
	if !stop() && err == nil {
		client.Close()
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, &EndpointError{Endpoint: strings.Join(cfg.Endpoints, ","), Err: err}
	}
	c := &Client{pd: client, clock: cfg.Clock, cancel: cancel}
	c.tso.start(life, client, cfg.Clock)
	c.asks.start(life, client, cfg.Clock)
	return c, nil
}

// ClusterID returns the identifier that every request to the cluster carries.
func (c *Client) ClusterID() uint64 { return c.pd.GetClusterID(context.Background()) }

// Timestamp implements [ports.Oracle].
func (c *Client) Timestamp(deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.tso.request(deadline, tok, sink)
}

// Ask implements [ports.Placement].
func (c *Client) Ask(q *ports.Query, deadline ports.Instant, tok ports.Tok, sink ports.Sink) {
	c.asks.request(q, deadline, tok, sink)
}

// Close answers everything that is under way and ends every goroutine.
func (c *Client) Close() {
	c.cancel()
	c.tso.close()
	c.asks.close()
	c.pd.Close()
}

func options(cfg Config, life context.Context) []opt.ClientOption {
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 3 * time.Second
	}
	return []opt.ClientOption{
		opt.WithEnableRouterClient(cfg.RouterClient),
		opt.WithInitMetricsOption(cfg.Metrics),
		opt.WithCustomTimeoutOption(timeout),
		opt.WithGRPCDialOptions(grpc.WithResolvers(&lifetime{Builder: resolver.Get("passthrough"), life: life})),
	}
}

// lifetime makes no connection after the client's life. While the library closes its connections, what it does not wait
// for (its updater of TSO streams) may still make one, which would then be left behind.
type lifetime struct {
	resolver.Builder
	life context.Context
}

// Build implements resolver.Builder; gRPC closes the connection when it fails.
func (l *lifetime) Build(
	target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions,
) (resolver.Resolver, error) {
	if err := l.life.Err(); err != nil {
		return nil, err
	}
	return l.Builder.Build(target, cc, opts)
}

func checkEndpoint(endpoint string) error {
	address := endpoint
	if strings.Contains(endpoint, "://") {
		u, err := url.Parse(endpoint)
		if err != nil {
			return errors.New("malformed URL")
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("scheme %q is neither http nor https", u.Scheme)
		}
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
			return errors.New("an endpoint has no path")
		}
		address = u.Host
	}
	u, err := url.Parse("//" + address)
	if err != nil || u.Host != address || u.Hostname() == "" || u.Port() == "" {
		return errors.New("not of the form host:port")
	}
	return nil
}

func silenceLibrary() {
	silence.Lock()
	defer silence.Unlock()
	if log.L() == libraryLogger {
		properties := &log.ZapProperties{Level: zap.NewAtomicLevelAt(zap.FatalLevel)}
		log.ReplaceGlobals(zap.NewNop(), properties)
	}
}
