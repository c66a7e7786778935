// Command tikvx is TiKV's data on the command line, and a demonstration of the
// client on a simulated cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run does what a command line says and returns the status to exit with.
func run(ctx context.Context, args []string, out, problems io.Writer) int {
	var t target
	root := command(&t)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(problems)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(problems, "tikvx:", explain(err, len(t.pd) == 0))
		return 1
	}
	return 0
}

// command is the whole command line.
func command(t *target) *cobra.Command {
	root := &cobra.Command{
		Use:   "tikvx",
		Short: "Read and write a TiKV cluster",
		Long: "Read and write a TiKV cluster. Without --pd every command has a simulated cluster of its own, which is\n" +
			"empty in the beginning and gone in the end.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err.Error()) })
	root.PersistentFlags().StringSliceVar(&t.pd, "pd", nil, "PD endpoints of a real cluster, as 127.0.0.1:2379")
	root.PersistentFlags().DurationVar(&t.timeout, "timeout", defaultTimeout, "time that a command may take")
	root.PersistentFlags().StringVar(&t.ca, "ca", "", "PEM file of the authorities that signed the cluster's certificates")
	root.PersistentFlags().StringVar(&t.cert, "cert", "", "PEM file of the client's certificate")
	root.PersistentFlags().StringVar(&t.key, "key", "", "PEM file of the client's key")
	root.AddCommand(getCommand(t), putCommand(t), delCommand(t), scanCommand(t), demoCommand())
	return root
}

// words demands so many arguments.
func words(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError("usage: " + cmd.UseLine())
		}
		return nil
	}
}
