package mvcc

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The ordered map is held against a sorted list. Keys come in bursts, so that chunks fill, split and empty.
func TestOrderedAgainstSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o ordered[int]
		var list []string
		insert := func(key string) {
			if i, found := slices.BinarySearch(list, key); !found {
				list = slices.Insert(list, i, key)
				o.insert(&entry[int]{key: []byte(key), value: len(list)})
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"burst": func(t *rapid.T) {
				n, step := rapid.IntRange(0, 2000).Draw(t, "first"), rapid.SampledFrom([]int{1, -1, 7}).Draw(t, "step")
				for i := range rapid.IntRange(1, 600).Draw(t, "count") {
					insert(fmt.Sprintf("%05d", (n+i*step+5000)%5000))
				}
			},
			"remove": func(t *rapid.T) {
				from := rapid.IntRange(0, 5000).Draw(t, "from")
				at, _ := o.seek(fmt.Appendf(nil, "%05d", from))
				i, _ := slices.BinarySearch(list, fmt.Sprintf("%05d", from))
				for range min(rapid.IntRange(0, 400).Draw(t, "count"), len(list)-i) {
					key := []byte(list[i])
					require.Equal(t, list[i], string(o.at(at).key))
					require.Equal(t, o.at(at), o.get(key))
					at = o.remove(at)
					require.Nil(t, o.get(key))
					list = slices.Delete(list, i, i+1)
				}
			},
			"seek": func(t *rapid.T) {
				key := fmt.Sprintf("%05d", rapid.IntRange(0, 5000).Draw(t, "key"))
				i, found := slices.BinarySearch(list, key)
				at, got := o.seek([]byte(key))
				require.Equal(t, found, got)
				require.Equal(t, found, o.get([]byte(key)) != nil)
				require.Equal(t, at, o.seekFunc(func(k []byte) bool { return bytes.Compare(k, []byte(key)) >= 0 }))
				if i < len(list) {
					require.Equal(t, list[i], string(o.at(at).key))
					require.Equal(t, list[i], string(o.nth(i).key))
				} else {
					require.Nil(t, o.at(at))
					require.Nil(t, o.nth(i))
				}
				before, ok := o.previous(at)
				require.Equal(t, i > 0, ok)
				if ok {
					require.Equal(t, list[i-1], string(o.at(before).key))
					require.Equal(t, at, o.next(before))
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(list), o.size)
				i := 0
				for at := (place{}); o.at(at) != nil; at = o.next(at) {
					require.Equal(t, list[i], string(o.at(at).key))
					i++
				}
				require.Equal(t, len(list), i)
			},
		})
	})
}

func TestCompareEncoded(t *testing.T) {
	require.Equal(t, "a\x00\x00\x00\x00\x00\x00\x00\xf8", string(AppendEncoded(nil, []byte("a"))))
	require.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x00\xf7", string(AppendEncoded(nil, nil)))
	require.Equal(t, "12345678\xff\x00\x00\x00\x00\x00\x00\x00\x00\xf7", string(AppendEncoded(nil, []byte("12345678"))))
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xf7, 0xff}), 0, 20)
		key, other := letters.Draw(t, "key"), letters.Draw(t, "other")
		bound := AppendEncoded(nil, other)
		if rapid.Bool().Draw(t, "cut") {
			bound = bound[:rapid.IntRange(0, len(bound)).Draw(t, "length")]
		}
		if rapid.Bool().Draw(t, "raw") {
			bound = other
		}
		require.Equal(t, bytes.Compare(AppendEncoded(nil, key), bound), compareEncoded(key, bound))
	})
}
