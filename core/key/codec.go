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

// UserBound appends the user key at which a region begins or ends; an open bound
// stays empty. A transactional region may be cut inside an encoded key (PD's own
// splits need not be well-formed): that is [ErrMalformed].
func (c Codec) UserBound(dst, bound []byte) ([]byte, error) {
	if len(bound) == 0 {
		return dst, nil
	}
	switch c.Mode {
	case Txn:
		return AppendDecoded(dst, bound)
	case Raw:
		return append(dst, bound...), nil
	}
	return dst, nil
}
