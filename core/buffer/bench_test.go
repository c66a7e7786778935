package buffer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tikvx/tikvx/ports"
)

// The benchmarks mirror those of client-go's mem-buffer (16-byte keys, 128-byte
// values), so that the figures of tests/peer can be read beside them.
const (
	benchKey   = 16
	benchValue = 128
)

func sequential(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = make([]byte, benchKey)
		binary.BigEndian.PutUint32(keys[i], uint32(i))
	}
	return keys
}

func scattered(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = make([]byte, benchKey)
		binary.LittleEndian.PutUint32(keys[i], rnd.Uint32())
	}
	return keys
}

// tableRows are keys as a SQL layer makes them: a long common prefix.
func tableRows(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	keys := make([][]byte, n)
	for i := range keys {
		k := append([]byte("t\x80\x00\x00\x00\x00\x00\x00\x2a_r"), make([]byte, 8)...)
		binary.BigEndian.PutUint64(k[len(k)-8:], uint64(rnd.Uint32N(1<<24)))
		keys[i] = k
	}
	return keys
}

func filled(keys [][]byte) *Buffer {
	b := new(Buffer)
	value := make([]byte, benchValue)
	for _, k := range keys {
		b.Put(k, value)
	}
	return b
}

var shapes = []struct {
	name string
	keys func(int) [][]byte
}{{"sequential", sequential}, {"scattered", scattered}, {"rows", tableRows}}

func BenchmarkPut(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			keys := shape.keys(b.N)
			value := make([]byte, benchValue)
			buf := new(Buffer)
			b.ReportAllocs()
			b.ResetTimer()
			for _, k := range keys {
				buf.Put(k, value)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			keys := shape.keys(b.N)
			buf := filled(keys)
			rand.New(rand.NewPCG(5, 6)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			b.ReportAllocs()
			b.ResetTimer()
			for _, k := range keys {
				if _, state := buf.Get(k); state != Present {
					b.Fatal(state)
				}
			}
		})
	}
}

func BenchmarkIterate(b *testing.B) {
	const size = 100_000
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			view := filled(shape.keys(size)).View()
			b.ReportAllocs()
			b.ResetTimer()
			total := 0
			for range b.N {
				for c := view.Ascend(ports.KeyRange{}); c.Valid(); c.Next() {
					total += len(c.Key()) + len(c.Value())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*view.Len()), "ns/entry")
		})
	}
}

// BenchmarkSmall is the common case: a transaction of a few keys.
func BenchmarkSmall(b *testing.B) {
	keys := tableRows(4)
	value := make([]byte, benchValue)
	b.ReportAllocs()
	for range b.N {
		var buf Buffer
		for _, k := range keys {
			buf.Put(k, value)
		}
	}
}

// BenchmarkSavepoint takes a savepoint before every write, as a SQL layer does
// for every statement.
func BenchmarkSavepoint(b *testing.B) {
	keys := tableRows(b.N)
	value := make([]byte, benchValue)
	var buf Buffer
	b.ReportAllocs()
	b.ResetTimer()
	for _, k := range keys {
		buf.Savepoint()
		buf.Put(k, value)
	}
}

// BenchmarkGetInOrder asks in the order of the keys, so that caches are warm.
func BenchmarkGetInOrder(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			keys := shape.keys(b.N)
			slices.SortFunc(keys, bytes.Compare)
			buf := filled(keys)
			b.ReportAllocs()
			b.ResetTimer()
			for _, k := range keys {
				if _, state := buf.Get(k); state != Present {
					b.Fatal("lost")
				}
			}
		})
	}
}
