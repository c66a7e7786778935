// Command sessions keeps sessions that expire in raw keys, and elects a leader with
// compare-and-swap.
//
//	go run ./examples/sessions                     on a simulated cluster
//	go run ./examples/sessions -pd 127.0.0.1:2379  on a real one, with enable-ttl
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
)

func main() {
	pd := flag.String("pd", "", "PD endpoints, separated by commas; none means a simulated cluster")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, *pd, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sessions:", err)
		cancel()
		os.Exit(1)
	}
}

func run(ctx context.Context, pd string, out io.Writer) error {
	db, err := open(ctx, pd)
	if err != nil {
		return err
	}
	defer db.Close(ctx) //nolint:errcheck // the program ends
	raw := db.Raw()
	err = raw.BatchPut(ctx, []tikvx.KV{
		{Key: []byte("session/1"), Value: []byte("ada"), TTL: time.Hour},
		{Key: []byte("session/2"), Value: []byte("bob"), TTL: time.Hour},
	})
	if err != nil {
		return err
	}
	if err := raw.Delete(ctx, []byte("session/2")); err != nil {
		return err
	}
	for kv, err := range raw.Scan(ctx, tikvx.Prefix([]byte("session/"))) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s is %s\n", kv.Key, kv.Value)
	}
	_, err = raw.Get(ctx, []byte("session/2"))
	fmt.Fprintf(out, "session/2 is gone: %t\n", errors.Is(err, tikvx.ErrNotFound))
	return elect(ctx, raw.With(tikvx.Atomic()), out)
}

// elect lets two candidates try to become leader; the first resigns in between.
func elect(ctx context.Context, raw *tikvx.Raw, out io.Writer) error {
	leader := []byte("leader")
	for _, candidate := range []string{"one", "two"} {
		swap, err := raw.PutIfAbsent(ctx, leader, []byte(candidate), tikvx.TTL(10*time.Second))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s leads: %t\n", candidate, swap.Swapped)
	}
	if _, err := raw.CompareAndDelete(ctx, leader, []byte("one")); err != nil {
		return err
	}
	swap, err := raw.PutIfAbsent(ctx, leader, []byte("two"), tikvx.TTL(10*time.Second))
	fmt.Fprintf(out, "two leads: %t\n", swap.Swapped)
	return err
}

func open(ctx context.Context, pd string) (*tikvx.Client, error) {
	if pd != "" {
		return tikvx.Open(ctx, strings.Split(pd, ","))
	}
	db, _, err := embed.Open(sim.Config{RawKeys: true})
	return db, err
}
