package key

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// dumbEncode is the definition of the encoding, written with a big hammer: pad
// with zeros to a whole number of groups, always at least one byte, and note
// behind each group how much of it is padding.
func dumbEncode(key []byte) []byte {
	padded := slices.Clone(key)
	pad := 0
	for len(padded)%8 != 0 || pad == 0 {
		padded = append(padded, 0)
		pad++
		if pad == 8 {
			break
		}
	}
	var out []byte
	for i := 0; i < len(padded); i += 8 {
		out = append(out, padded[i:i+8]...)
		if i+8 < len(padded) {
			out = append(out, 0xFF)
		} else {
			out = append(out, byte(0xFF-pad))
		}
	}
	return out
}

// keys draws keys in which zeros, 0xFF and group borders are common.
func keys() *rapid.Generator[[]byte] {
	letter := rapid.SampledFrom([]byte{0, 0, 1, 0xFE, 0xFF, 'a'})
	return rapid.SliceOfN(letter, 0, 20)
}

func TestMemcomparableKnown(t *testing.T) {
	// From the format's definition (TiKV: components/codec/src/byte.rs).
	for _, c := range []struct{ key, enc string }{
		{"", "\x00\x00\x00\x00\x00\x00\x00\x00\xf7"},
		{"\x01", "\x01\x00\x00\x00\x00\x00\x00\x00\xf8"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08", "\x01\x02\x03\x04\x05\x06\x07\x08\xff\x00\x00\x00\x00\x00\x00\x00\x00\xf7"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08\x09",
			"\x01\x02\x03\x04\x05\x06\x07\x08\xff\x09\x00\x00\x00\x00\x00\x00\x00\xf8"},
	} {
		require.Equal(t, c.enc, string(AppendMemcomparable(nil, []byte(c.key))))
	}
}

func TestMemcomparableAgainstDumb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := keys().Draw(t, "a"), keys().Draw(t, "b")
		encA, encB := AppendMemcomparable(nil, a), AppendMemcomparable([]byte("prefix"), b)
		require.Equal(t, dumbEncode(a), encA)
		require.Equal(t, "prefix", string(encB[:6]))
		encB = encB[6:]
		require.Equal(t, bytes.Compare(a, b), bytes.Compare(encA, encB), "order of encodings")
		// The order survives whatever follows the key.
		if c := bytes.Compare(a, b); c != 0 {
			tail := rapid.SliceOfN(rapid.Byte(), 0, 4)
			require.Equal(t, c, bytes.Compare(append(encA, tail.Draw(t, "x")...), append(encB, tail.Draw(t, "y")...)))
		}
		dec, err := AppendDecoded([]byte("prefix"), dumbEncode(a))
		require.NoError(t, err)
		require.Equal(t, "prefix"+string(a), string(dec))
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := "\x01\x00\x00\x00\x00\x00\x00\x00\xf8"
	for name, enc := range map[string]string{
		"empty":                 "",
		"short":                 good[:8],
		"followed by something": good + "x",
		"impossible marker":     "\x01\x00\x00\x00\x00\x00\x00\x00\x42",
		"padding is not zero":   "\x01\x00\x00\x00\x00\x00\x00\x01\xf8",
		"last group missing":    "\x01\x02\x03\x04\x05\x06\x07\x08\xff",
	} {
		dec, err := AppendDecoded([]byte("kept"), []byte(enc))
		require.ErrorIs(t, err, ErrMalformed, name)
		require.Equal(t, "kept", string(dec), name)
	}
}

func TestRegionKey(t *testing.T) {
	txn, raw := Codec{Mode: Txn}, Codec{Mode: Raw}
	require.Equal(t, dumbEncode([]byte("a")), txn.RegionKey(nil, []byte("a")))
	require.Equal(t, "a", string(raw.RegionKey(nil, []byte("a"))))
	require.Empty(t, txn.RegionBound(nil, nil))
	require.Empty(t, raw.RegionBound(nil, nil))
	require.Equal(t, dumbEncode([]byte("b")), txn.RegionBound(nil, []byte("b")))
	require.Equal(t, "b", string(raw.RegionBound(nil, []byte("b"))))
	require.Equal(t, "p", string(Codec{Mode: 7}.RegionKey([]byte("p"), []byte("k"))))
	got, err := Codec{Mode: 7}.UserBound([]byte("p"), []byte("k"))
	require.NoError(t, err)
	require.Equal(t, "p", string(got))
}

func TestUserBoundOfWholeKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := keys().Draw(t, "key")
		got, err := Codec{Mode: Txn}.UserBound([]byte("p"), dumbEncode(k))
		require.NoError(t, err)
		if len(k) == 0 {
			k = []byte{0}
		}
		require.Equal(t, "p"+string(k), string(got))
		raw, err := Codec{Mode: Raw}.UserBound(nil, k)
		require.NoError(t, err)
		require.Equal(t, k, raw)
	})
}

func TestUserBoundOpen(t *testing.T) {
	for _, mode := range []Mode{Txn, Raw} {
		got, err := Codec{Mode: mode}.UserBound(nil, nil)
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

// A bound inside an encoded key separates user keys all the same: exactly those
// below the returned key are encoded below the bound.
func TestUserBoundSeparates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := dumbEncode(keys().Draw(t, "bound"))
		bound = bound[:rapid.IntRange(1, len(bound)).Draw(t, "cut")]
		if rapid.Bool().Draw(t, "tail") {
			bound = append(bound, rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xF8, 0xFF}), 1, 12).Draw(t, "more")...)
		}
		user, err := Codec{Mode: Txn}.UserBound(nil, bound)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			require.True(t, impossible(bound), "refused %q", bound)
			return
		}
		require.NotEmpty(t, user, "a closed bound became open")
		check := func(k []byte) {
			if len(k) > 0 {
				require.Equal(t, bytes.Compare(dumbEncode(k), bound) < 0, bytes.Compare(k, user) < 0, "key %q", k)
			}
		}
		check(user)
		check(append(slices.Clone(user), 0))
		check(user[:len(user)-1])
		for range 10 {
			check(keys().Draw(t, "key"))
		}
	})
}

// impossible reports whether a bound has a marker that no encoder writes.
func impossible(bound []byte) bool {
	for len(bound) > 8 {
		if bound[8] < 0xF7 {
			return true
		}
		if bound[8] != 0xFF {
			return false
		}
		bound = bound[9:]
	}
	return false
}

func TestUserBoundKnown(t *testing.T) {
	for _, c := range []struct{ bound, user string }{
		{"a", "a"},
		{"a\x00\x00", "a"},
		{"\x00", "\x00"},
		{"abcdefgh", "abcdefgh"},
		{"abcdefgh\xff", "abcdefgh"},
		{"abcdefgh\xffi", "abcdefghi"},
		{"abcdefg\x00\xfe", "abcdefg"},
		{"abcdefg\x00\xfe\x00", "abcdefg\x00"},
		{"abcdefgh\xfe", "abcdefgh"},
		{"abcdef\x00\x00\xf9", "abcdef"},
		{"abcdef\x00\x00\xfd\x00", "abcdef\x00"},
	} {
		got, err := Codec{Mode: Txn}.UserBound(nil, []byte(c.bound))
		require.NoError(t, err, "%q", c.bound)
		require.Equal(t, c.user, string(got), "%q", c.bound)
	}
	_, err := Codec{Mode: Txn}.UserBound(nil, []byte("raw keys look like this"))
	require.ErrorIs(t, err, ErrMalformed)
}

func TestNextAndPrefixEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, other := keys().Draw(t, "key"), keys().Draw(t, "other")
		next := Next(k)
		require.Positive(t, bytes.Compare(next, k))
		require.False(t, bytes.Compare(other, k) > 0 && bytes.Compare(other, next) < 0, "between")
		end := PrefixEnd(k)
		inRange := bytes.Compare(other, k) >= 0 && (end == nil || bytes.Compare(other, end) < 0)
		require.Equal(t, bytes.HasPrefix(other, k), inRange)
	})
}

// FuzzMemcomparable takes its input for a key, which must come back, and for the
// encoding of one, which must be refused or be the only one of its key.
func FuzzMemcomparable(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("12345678"))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\xf8"))
	f.Add([]byte("abcdefgh\xff\x00\x00\x00\x00\x00\x00\x00\x00\xf7"))
	f.Fuzz(func(t *testing.T, in []byte) {
		dec, err := AppendDecoded(nil, AppendMemcomparable(nil, in))
		require.NoError(t, err)
		require.Equal(t, string(in), string(dec))
		require.Negative(t, bytes.Compare(AppendMemcomparable(nil, in), AppendMemcomparable(nil, Next(in))))

		if dec, err := AppendDecoded(nil, in); err == nil {
			require.Equal(t, in, AppendMemcomparable(nil, dec), "an encoding has one form")
		}
		user, err := Codec{Mode: Txn}.UserBound(nil, in)
		if err != nil || len(in) == 0 {
			return
		}
		require.GreaterOrEqual(t, bytes.Compare(AppendMemcomparable(nil, user), in), 0)
	})
}
