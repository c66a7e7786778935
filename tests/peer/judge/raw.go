package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/tikv/client-go/v2/rawkv"
)

var rawKeys = []check[*rawkv.Client]{
	{"raw keys", rawPoints},
	{"raw scans", rawScans},
	{"compare and swap", rawSwaps},
	{"checksums", rawChecksums},
}

func rawPoints(ctx context.Context, c *rawkv.Client) error {
	if err := c.PutWithTTL(ctx, []byte("m/life"), []byte("short"), 3600); err != nil {
		return err
	}
	ttl, err := c.GetKeyTTL(ctx, []byte("m/life"))
	if err != nil || ttl == nil || *ttl > 3600 || *ttl < 3000 {
		return fmt.Errorf("ttl %v, %w", ttl, err)
	}
	if err := c.Delete(ctx, []byte("m/life")); err != nil {
		return err
	}
	if v, err := c.Get(ctx, []byte("m/life")); err != nil || v != nil {
		return fmt.Errorf("a deleted key is %q, %w", v, err)
	}
	if ttl, err := c.GetKeyTTL(ctx, []byte("m/life")); err != nil || ttl != nil {
		return fmt.Errorf("a deleted key lives %v, %w", ttl, err)
	}
	return nil
}

// rawScans writes over several regions, scans them in both directions and deletes a part.
func rawScans(ctx context.Context, c *rawkv.Client) error {
	var keys, values [][]byte
	for i := range 30 {
		keys = append(keys, fmt.Appendf(nil, "%c/raw/%02d", 'a'+i%3*10, i))
		values = append(values, fmt.Appendf(nil, "%d", i))
	}
	if err := c.BatchPut(ctx, keys, values); err != nil {
		return err
	}
	got, err := c.BatchGet(ctx, append(keys, []byte("absent")))
	if err != nil {
		return err
	}
	for i := range keys {
		if string(got[i]) != string(values[i]) {
			return fmt.Errorf("key %d is %q", i, got[i])
		}
	}
	if got[len(keys)] != nil {
		return errors.New("an absent key has a value")
	}
	up, _, err := c.Scan(ctx, []byte("a"), []byte("z"), 100)
	if err != nil || len(up) != 30 {
		return fmt.Errorf("%d keys forward, %w", len(up), err)
	}
	down, _, err := c.ReverseScan(ctx, []byte("z"), []byte("a"), 100)
	if err != nil || len(down) != 30 || string(down[0]) != string(up[29]) {
		return fmt.Errorf("%d keys backward, %w", len(down), err)
	}
	if err := c.DeleteRange(ctx, []byte("b"), []byte("l")); err != nil {
		return err
	}
	left, _, err := c.Scan(ctx, []byte("a"), []byte("z"), 100)
	if err != nil || len(left) != 20 {
		return fmt.Errorf("%d keys are left, %w", len(left), err)
	}
	if err := c.BatchDelete(ctx, left); err != nil {
		return err
	}
	left, _, err = c.Scan(ctx, []byte("a"), []byte("z"), 100)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("%d keys are left, %w", len(left), err)
	}
	return nil
}

func rawSwaps(ctx context.Context, c *rawkv.Client) error {
	c.SetAtomicForCAS(true)
	defer c.SetAtomicForCAS(false)
	key := []byte("m/swap")
	for _, s := range []struct {
		was, put string
		found    string
		swapped  bool
	}{{"", "one", "", true}, {"zero", "two", "one", false}, {"one", "two", "one", true}} {
		var was []byte
		if s.was != "" {
			was = []byte(s.was)
		}
		found, swapped, err := c.CompareAndSwap(ctx, key, was, []byte(s.put))
		if err != nil || swapped != s.swapped || string(found) != s.found {
			return fmt.Errorf("swapped %v, found %q, %w", swapped, found, err)
		}
	}
	return c.Delete(ctx, key)
}

// rawChecksums: the checksum of several regions is that of its parts.
func rawChecksums(ctx context.Context, c *rawkv.Client) error {
	keys := [][]byte{[]byte("b/sum"), []byte("m/sum"), []byte("z/sum")}
	if err := c.BatchPut(ctx, keys, [][]byte{[]byte("1"), []byte("22"), []byte("333")}); err != nil {
		return err
	}
	var parts rawkv.RawChecksum
	for _, k := range keys {
		part, err := c.Checksum(ctx, k, append(k[:len(k):len(k)], 0))
		if err != nil || part.TotalKvs != 1 {
			return fmt.Errorf("checksum %+v, %w", part, err)
		}
		parts.Crc64Xor ^= part.Crc64Xor
		parts.TotalBytes += part.TotalBytes
	}
	if parts.TotalBytes != 3*5+6 || parts.Crc64Xor == 0 {
		return fmt.Errorf("checksums %+v", parts)
	}
	before, err := c.Checksum(ctx, []byte("a"), []byte("zz"))
	if err != nil {
		return err
	}
	if err := c.BatchDelete(ctx, keys); err != nil {
		return err
	}
	after, err := c.Checksum(ctx, []byte("a"), []byte("zz"))
	if err != nil || before.Crc64Xor^after.Crc64Xor != parts.Crc64Xor || before.TotalKvs != after.TotalKvs+3 {
		return fmt.Errorf("from %+v to %+v without %+v, %w", before, after, parts, err)
	}
	return nil
}
