package main

import (
	"context"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
)

const defaultTimeout = 10 * time.Second

// target is the cluster that a command is for.
type target struct {
	pd            []string
	timeout       time.Duration
	ca, cert, key string
}

// with calls f with a client, within the command's time, and closes the client.
func (t *target) with(ctx context.Context, raw bool, f func(ctx context.Context, db *tikvx.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	db, err := t.open(ctx, raw)
	if err != nil {
		return err
	}
	err = f(ctx, db)
	// What has been answered holds, however closing ends.
	_ = db.Close(ctx)
	return err
}

func (t *target) open(ctx context.Context, raw bool) (*tikvx.Client, error) {
	if len(t.pd) == 0 {
		db, _, err := embed.Open(sim.Config{RawKeys: raw})
		return db, err
	}
	var opts []tikvx.ClientOption
	if t.ca != "" || t.cert != "" || t.key != "" {
		opts = append(opts, tikvx.WithTLS(tikvx.TLS{CA: t.ca, Cert: t.cert, Key: t.key}))
	}
	return tikvx.Open(ctx, t.pd, opts...)
}
