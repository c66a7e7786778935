package sm

import "time"

// Knobs are the limits that shape what a client does. They are fixed when the
// client is opened; tests and simulated runs draw them.
type Knobs struct {
	// RequestTimeout bounds one attempt of a point request, ScanTimeout one of a
	// batch get or scan (client-go: 30 s and 60 s).
	RequestTimeout, ScanTimeout time.Duration
	// PDTimeout bounds one question to PD.
	PDTimeout time.Duration
	// RegionTTL is the life of an unused region entry, RegionTTLJitter what is
	// added at random (client-go: 600 s and 60 s).
	RegionTTL, RegionTTLJitter time.Duration
	// RegionsPerLoad is the number of regions that one load may bring.
	RegionsPerLoad int
	// ProbeTimeout bounds a liveness probe, ProbeInterval separates two of them.
	ProbeTimeout, ProbeInterval time.Duration
	// ClockInterval is the age at which the low-resolution timestamp is refreshed.
	ClockInterval time.Duration
	// Workers bounds the requests that one operation has in flight (at most 128).
	Workers int
	// CommitBatchBytes closes a prewrite or commit batch (client-go: 16 KiB).
	CommitBatchBytes int
	// BatchGetKeys bounds the keys of one batch get (client-go: 5,120).
	BatchGetKeys int
	// ScanPage is the number of pairs that one scan request asks for.
	ScanPage int
	// RawBatchKeys and RawBatchBytes close a raw batch (512 keys, 16 KiB).
	RawBatchKeys, RawBatchBytes int
	// ResolveLiteKeys is the transaction size below which locks are resolved one
	// by one instead of by region (client-go: 512).
	ResolveLiteKeys uint64
	// TxnStatusEntries bounds the cache of final statuses (client-go: 2,048).
	TxnStatusEntries int
	// LockTTL is the shortest life of a prewrite lock, MaxLockTTL the longest
	// that its size alone earns (3 s and 20 s). A commit that outlives half of its
	// lock's life keeps it alive: HeartbeatTTL is the life that a heartbeat gives
	// (20 s), MaxTxnLife the age of a transaction at which it gives up (1 h).
	LockTTL, MaxLockTTL      time.Duration
	HeartbeatTTL, MaxTxnLife time.Duration
	// MaxCommitAge is the age of a start timestamp at which a commit is refused
	// before anything is sent (24 h).
	MaxCommitAge time.Duration
}

// DefaultKnobs returns the limits of a production client.
func DefaultKnobs() Knobs {
	return Knobs{
		RequestTimeout: 30 * time.Second, ScanTimeout: 60 * time.Second, PDTimeout: 3 * time.Second,
		RegionTTL: 600 * time.Second, RegionTTLJitter: 60 * time.Second, RegionsPerLoad: 128,
		ProbeTimeout: time.Second, ProbeInterval: time.Second, ClockInterval: 2 * time.Second,
		Workers: 128, CommitBatchBytes: 16 << 10, BatchGetKeys: 5120, ScanPage: 256,
		RawBatchKeys: 512, RawBatchBytes: 16 << 10, ResolveLiteKeys: 512, TxnStatusEntries: 2048,
		LockTTL: 3 * time.Second, MaxLockTTL: 20 * time.Second,
		HeartbeatTTL: 20 * time.Second, MaxTxnLife: time.Hour, MaxCommitAge: 24 * time.Hour,
	}
}
