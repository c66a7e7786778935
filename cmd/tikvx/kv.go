package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tikvx/tikvx"
)

func getCommand(t *target) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: "get KEY", Short: "Print the value of a key", Args: words(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.with(cmd.Context(), raw, func(ctx context.Context, db *tikvx.Client) error {
				value, err := get(ctx, db, raw, []byte(args[0]))
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", value)
				return err
			})
		},
	}
	rawFlag(cmd, &raw)
	return cmd
}

func get(ctx context.Context, db *tikvx.Client, raw bool, key []byte) ([]byte, error) {
	if raw {
		return db.Raw().Get(ctx, key)
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return snap.Get(ctx, key)
}

func putCommand(t *target) *cobra.Command {
	var raw bool
	var life time.Duration
	cmd := &cobra.Command{
		Use: "put KEY VALUE", Short: "Set a key", Args: words(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if life != 0 && !raw {
				return usageError("--ttl needs --raw: transactional keys live for ever")
			}
			return t.with(cmd.Context(), raw, func(ctx context.Context, db *tikvx.Client) error {
				if raw {
					return db.Raw().Put(ctx, []byte(args[0]), []byte(args[1]), tikvx.TTL(life))
				}
				return db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
					return tx.Put([]byte(args[0]), []byte(args[1]))
				})
			})
		},
	}
	rawFlag(cmd, &raw)
	cmd.Flags().DurationVar(&life, "ttl", 0, "life of a raw key, 0 for ever")
	return cmd
}

func delCommand(t *target) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use: "del KEY", Short: "Delete a key", Args: words(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.with(cmd.Context(), raw, func(ctx context.Context, db *tikvx.Client) error {
				if raw {
					return db.Raw().Delete(ctx, []byte(args[0]))
				}
				return db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
					return tx.Delete([]byte(args[0]))
				})
			})
		},
	}
	rawFlag(cmd, &raw)
	return cmd
}

func scanCommand(t *target) *cobra.Command {
	var raw, reverse, keysOnly bool
	var prefix, from, to string
	var limit int
	cmd := &cobra.Command{
		Use: "scan", Short: "Print the keys of a range with their values, a line each", Args: words(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := []tikvx.ScanOption{tikvx.Limit(limit)}
			switch {
			case prefix != "" && (from != "" || to != ""):
				return usageError("--prefix and --from or --to exclude each other")
			case prefix != "":
				opts = append(opts, tikvx.Prefix([]byte(prefix)))
			default:
				opts = append(opts, tikvx.Range([]byte(from), []byte(to)))
			}
			if reverse {
				opts = append(opts, tikvx.Reverse())
			}
			if keysOnly {
				opts = append(opts, tikvx.KeysOnly())
			}
			return t.with(cmd.Context(), raw, func(ctx context.Context, db *tikvx.Client) error {
				pairs, err := scan(ctx, db, raw, opts)
				if err != nil {
					return err
				}
				return printPairs(cmd.OutOrStdout(), pairs, keysOnly)
			})
		},
	}
	rawFlag(cmd, &raw)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin so")
	cmd.Flags().StringVar(&from, "from", "", "first key")
	cmd.Flags().StringVar(&to, "to", "", "end before this key")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many keys")
	cmd.Flags().BoolVar(&reverse, "reverse", false, "descending keys")
	cmd.Flags().BoolVar(&keysOnly, "keys-only", false, "no values")
	return cmd
}

func scan(
	ctx context.Context, db *tikvx.Client, raw bool, opts []tikvx.ScanOption,
) (iter.Seq2[tikvx.KV, error], error) {
	if raw {
		return db.Raw().Scan(ctx, opts...), nil
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return snap.Scan(ctx, opts...), nil
}

func printPairs(w io.Writer, pairs iter.Seq2[tikvx.KV, error], keysOnly bool) error {
	out := bufio.NewWriter(w)
	for kv, err := range pairs {
		if err != nil {
			_ = out.Flush() // what was read is worth showing
			return err
		}
		if keysOnly {
			fmt.Fprintf(out, "%s\n", kv.Key)
		} else {
			fmt.Fprintf(out, "%s\t%s\n", kv.Key, kv.Value)
		}
	}
	return out.Flush()
}

func rawFlag(cmd *cobra.Command, raw *bool) {
	cmd.Flags().BoolVar(raw, "raw", false, "raw keys instead of transactions")
}
