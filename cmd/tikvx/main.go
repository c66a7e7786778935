// Command tikvx is TiKV's data on the command line, and a demonstration of the
// client on a simulated cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tikvx:", explain(err))
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// command is the whole command line.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "tikvx",
		Short: "Read and write a TiKV cluster",
		Long: "Read and write a TiKV cluster. Without --pd every command has a simulated cluster of its own, which is\n" +
			"empty in the beginning and gone in the end.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	var t target
	root.PersistentFlags().StringSliceVar(&t.pd, "pd", nil, "PD endpoints of a real cluster, as 127.0.0.1:2379")
	root.PersistentFlags().DurationVar(&t.timeout, "timeout", defaultTimeout, "time that a command may take")
	root.PersistentFlags().StringVar(&t.ca, "ca", "", "PEM file of the authorities that signed the cluster's certificates")
	root.PersistentFlags().StringVar(&t.cert, "cert", "", "PEM file of the client's certificate")
	root.PersistentFlags().StringVar(&t.key, "key", "", "PEM file of the client's key")
	root.AddCommand(getCommand(&t), putCommand(&t), delCommand(&t), scanCommand(&t), demoCommand())
	return root
}
