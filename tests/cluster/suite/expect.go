package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tikvx/tikvx"
)

func put(ctx context.Context, db *tikvx.Client, key, value string) error {
	return db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
		return tx.Put([]byte(key), []byte(value))
	})
}

func expectValue(ctx context.Context, snap *tikvx.Snapshot, key, want string) error {
	v, err := snap.Get(ctx, []byte(key))
	if err == nil && string(v) != want {
		err = fmt.Errorf("read %q instead of %q", v, want)
	}
	return err
}

func expectError(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("expected %q, got %v", want, err)
}

func expectScan(ctx context.Context, tx *tikvx.Txn, prefix string, want []string, opts ...tikvx.ScanOption) error {
	var got []string
	for kv, err := range tx.Scan(ctx, opts...) {
		if err != nil {
			return err
		}
		got = append(got, strings.TrimPrefix(string(kv.Key), prefix)+"="+string(kv.Value))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("scanned %v instead of %v", got, want)
	}
	return nil
}
