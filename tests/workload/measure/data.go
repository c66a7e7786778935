package measure

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// Keys is the number of keys that are loaded and read, ValueSize the size of every
// value in bytes, and BatchSize the number of keys of a batch get.
const (
	Keys      = 10_000
	ValueSize = 100
	BatchSize = 100
)

// Key returns the i-th loaded key.
func Key(i int) []byte { return fmt.Appendf(nil, "bench/%08d", i) }

// RandomKey returns one of the loaded keys.
func RandomKey(random *rand.Rand) []byte { return Key(random.IntN(Keys)) }

// OwnKey returns one of a worker's own keys: conflicts are not what is measured.
func OwnKey(random *rand.Rand, worker int) []byte {
	return fmt.Appendf(nil, "put/%04d/%06d", worker, random.IntN(1000))
}

// RandomKeys returns the keys of one batch get.
func RandomKeys(random *rand.Rand) [][]byte {
	batch := make([][]byte, BatchSize)
	for i := range batch {
		batch[i] = RandomKey(random)
	}
	return batch
}

// Value returns a new value.
func Value() []byte { return bytes.Repeat([]byte{'v'}, ValueSize) }
