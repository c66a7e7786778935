package sim

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tikvx/tikvx/ports"
)

// Config says what a world is made of. The zero value is a usable cluster of three stores and one region, without
// faults, from seed 0.
type Config struct {
	// Seed makes the chooser when Chooser is nil; it is part of nothing else.
	Seed uint64
	// Chooser decides whatever can happen in more than one way. Nil: [NewSeeded] with Seed and Faults.
	Chooser Chooser
	// Stores is the number of TiKV stores, 3 when zero. A region has peers on at most three of them.
	Stores int
	// Splits are the first bounds between regions, in ascending order: plain keys of transactions, or, when RawKeys is
	// set, of raw key-value data.
	Splits [][]byte
	// RawKeys says that the cluster is used for raw data: split keys are then plain, not memcomparable.
	RawKeys bool
	// Keyspaces are those that PD knows beside the default one, whose id is 0. Their transactional keys lie in regions of
	// their own from the beginning.
	Keyspaces []ports.Keyspace
	// GCLife, when set, lets somebody collect garbage until [World.Heal]: every half of it, the safe points of the null
	// keyspace are moved to where the clock was GCLife ago, or less far when a barrier or a lock is in the way. It is no
	// class of faults, because a client that does not ask for safe points is wronged by it.
	GCLife time.Duration
	// LeftDerive lets the lower half of a region that is split keep its id, not the upper one (TiKV:
	// raftstore.right-derive-when-split is false).
	LeftDerive bool
	// BucketKeys, when set, is about how many keys a bucket of a region holds (TiKV: coprocessor.region-bucket-size, in
	// bytes): until [World.Heal], leaders work out their regions' buckets now and then, and report them to PD. Regions
	// have none when zero (coprocessor.enable-region-bucket, false by default).
	BucketKeys int
	// Faults are the classes of faults that may happen; the zero set allows none. They begin at once and end at
	// [World.Heal].
	Faults FaultSet
	// Disturbance is the mean time between two disturbances of the cluster (splits, transfers, crashes, …), 200 ms
	// when zero. Irrelevant without faults.
	Disturbance time.Duration
	// SafeTSInterval is the time between two ticks at which leaders work out up to where stale reads are safe, TiKV's 20 s
	// when zero (resolved-ts.advance-ts-interval).
	SafeTSInterval time.Duration
	// RaftEntryMaxSize is how many bytes of keys and values a write may have, TiKV's 8 MiB when zero
	// (raftstore.raft-entry-max-size).
	RaftEntryMaxSize int
	// Trace receives one line for each event. Nil: none is formatted; the hash is the same.
	Trace io.Writer
	// Epoch is the physical part of the oracle at instant 0, in milliseconds since 1970; zero means 2026-01-01.
	Epoch int64
}

const defaultEpoch = 1767225600000 // 2026-01-01T00:00:00Z

// ErrConfig is the error of [New] for a configuration that makes no cluster.
var ErrConfig = errors.New("sim: configuration")

func (c *Config) complete() error {
	if c.Stores == 0 {
		c.Stores = 3
	}
	if c.Disturbance == 0 {
		c.Disturbance = 200 * time.Millisecond
	}
	if c.RaftEntryMaxSize == 0 {
		c.RaftEntryMaxSize = 8 << 20
	}
	if c.SafeTSInterval == 0 {
		c.SafeTSInterval = 20 * time.Second
	}
	if c.Epoch == 0 {
		c.Epoch = defaultEpoch
	}
	if c.Stores < 0 || c.Stores > 64 {
		return fmt.Errorf("%w: %d stores", ErrConfig, c.Stores)
	}
	if c.Disturbance < 0 || c.Epoch < 0 || c.GCLife < 0 || c.SafeTSInterval < 0 {
		return fmt.Errorf("%w: a time below zero", ErrConfig)
	}
	if c.BucketKeys < 0 {
		return fmt.Errorf("%w: %d keys in a bucket", ErrConfig, c.BucketKeys)
	}
	for i := range c.Splits {
		if len(c.Splits[i]) == 0 || i > 0 && string(c.Splits[i-1]) >= string(c.Splits[i]) {
			return fmt.Errorf("%w: split keys must ascend", ErrConfig)
		}
	}
	if err := c.completeKeyspaces(); err != nil {
		return err
	}
	if c.Chooser == nil {
		c.Chooser = NewSeeded(c.Seed, c.Faults)
	}
	return nil
}
