package ports

import "testing"

// What FarmHash's own Fingerprint64 says of the first n bytes of a sequence, for each way in which it hashes.
var fingerprints = []struct {
	n    int
	want uint64
}{
	{0, 0x9ae16a3b2f90404f},
	{1, 0xbec09cc447469d8b},
	{2, 0x9ed4f7da497c2019},
	{3, 0xa4d6cf79ba5542bd},
	{4, 0xfe5f528af12efccb},
	{7, 0xddd7d25ecfef85dd},
	{8, 0x2e175fe26ad7959d},
	{9, 0x3be16d7ceb0b4c90},
	{16, 0xd50c1d1f2fbe03e5},
	{17, 0xfbec59225af3dff5},
	{32, 0xe8a25775b4718b47},
	{33, 0x55086716197ee7af},
	{64, 0x4b08dd90d2bfabb5},
	{65, 0xe2270b09af9beb6c},
	{127, 0x374cbb4ebadcb434},
	{128, 0x787fb0b0e79d72fd},
	{129, 0x6d934b9e8f7a1328},
	{193, 0x802afe5e870b9653},
	{300, 0xa46094244ec194ea},
}

func TestKeyHash(t *testing.T) {
	key := make([]byte, 300)
	for i := range key {
		key[i] = byte(i*i*7 + i*31 + 3)
	}
	for _, f := range fingerprints {
		if got := KeyHash(key[:f.n]); got != f.want {
			t.Errorf("%d bytes: %#x, not %#x", f.n, got, f.want)
		}
	}
}
