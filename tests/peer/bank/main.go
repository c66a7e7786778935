// Command bank lets client-go move money on the accounts of a bank that another
// client has opened, both at once, so that each meets the other's locks. Its last
// line is the report as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/txnkv"
	"go.uber.org/zap"

	"github.com/tikvx/tikvx/tests/workload/bank"
)

func main() {
	pd := flag.String("pd", "127.0.0.1:2379", "PD endpoint")
	prefix := flag.String("prefix", "bank", "prefix of the bank's keys")
	accounts := flag.Int("accounts", 1000, "number of accounts")
	initial := flag.Uint64("initial", 100, "balance with which every account started")
	workers := flag.Int("workers", 4, "concurrent workers")
	length := flag.Duration("for", 5*time.Second, "length of the run")
	flag.Parse()
	log.ReplaceGlobals(zap.NewNop(), nil)
	report, err := run(*pd, *length, bank.Config{
		Prefix: *prefix, Name: "client-go", Accounts: *accounts, Workers: *workers, Initial: *initial,
		CallTimeout: 40 * time.Second,
	})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client-go bank:", err)
		os.Exit(1)
	}
}

func run(pd string, length time.Duration, config bank.Config) (bank.Report, error) {
	client, err := txnkv.NewClient([]string{pd})
	if err != nil {
		return bank.Report{}, err
	}
	defer client.Close() //nolint:errcheck // the process ends
	b := bank.Join(db{client}, config)
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	b.Run(ctx)
	return b.Audit(context.Background())
}
