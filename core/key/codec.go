package key

import "errors"

// ErrMalformed reports a key that was not written by [AppendMemcomparable].
var ErrMalformed = errors.New("malformed memcomparable key")

// Mode says how user keys are kept.
type Mode uint8

// The modes of API v1. Without keyspaces one cluster keeps both kinds side by
// side, but a client serves one of them.
const (
	// Txn: TiKV is given plain keys and keeps regions in memcomparable form.
	Txn Mode = iota
	// Raw: keys and region bounds are plain.
	Raw
)

// Codec translates between user keys and PD's key space, where regions live. The
// zero Codec serves transactions. Keyspace prefixes belong here.
type Codec struct {
	Mode Mode
}

// RegionKey appends the key as PD knows it.
func (c Codec) RegionKey(dst, user []byte) []byte {
	switch c.Mode {
	case Txn:
		return AppendMemcomparable(dst, user)
	case Raw:
		return append(dst, user...)
	}
	return dst
}

// RegionBound appends the end of a range as PD knows it; an open end stays open.
func (c Codec) RegionBound(dst, user []byte) []byte {
	if len(user) == 0 {
		return dst
	}
	return c.RegionKey(dst, user)
}

// UserBound appends the smallest user key that is not below a region's bound; an
// open bound stays empty. Whoever splits regions may cut inside an encoded key
// (pd-ctl, a restored backup), so every bound has such a key as long as it can
// stand between encoded keys at all; a bound that cannot is [ErrMalformed]: the
// cluster is not used through this codec. No key is empty, so that a bound below
// every key yields the smallest key, not an open bound.
func (c Codec) UserBound(dst, bound []byte) ([]byte, error) {
	if len(bound) == 0 {
		return dst, nil
	}
	switch c.Mode {
	case Txn:
		start := len(dst)
		dst, err := appendAtLeast(dst, bound)
		if err == nil && len(dst) == start {
			dst = append(dst, 0)
		}
		return dst, err
	case Raw:
		return append(dst, bound...), nil
	}
	return dst, nil
}
