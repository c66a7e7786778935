package mvcc

import (
	"bytes"
	"hash/crc64"

	"github.com/tikvx/tikvx/ports"
)

// ecma is the polynomial of TiKV's checksums (crc64fast).
var ecma = crc64.MakeTable(crc64.ECMA)

// Checksum adds up the pairs of the default family that lie in the ranges and in the extent, and are alive; pairs of
// two ranges count twice (src/storage/raw/store.rs: raw_checksum_ranges).
func (r Raw) Checksum(req *ports.RawChecksumRequest, x Extent, reply *ports.RawChecksumReply) {
	family := &r.engine.raw[0]
	for _, span := range req.Ranges {
		at, _ := family.seek(span.Start)
		for ; ; at = family.next(at) {
			e := family.at(at)
			if e == nil || !span.Contains(e.key) || len(x.End) > 0 && bytes.Compare(e.key, x.End) >= 0 {
				break
			}
			if e.value.alive(r.now) {
				reply.Checksum ^= crc64.Update(crc64.Checksum(e.key, ecma), ecma, e.value.value)
				reply.Pairs++
				reply.Bytes += uint64(len(e.key) + len(e.value.value))
			}
		}
	}
}
