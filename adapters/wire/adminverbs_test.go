package wire

import (
	"testing"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/ports"
)

func adminExchanges() []exchange {
	return []exchange{
		{verb: ports.VerbRawChecksum, request: &kvrpcpb.RawChecksumRequest{}, response: &kvrpcpb.RawChecksumResponse{}},
		{verb: ports.VerbRawBatchScan, request: &kvrpcpb.RawBatchScanRequest{}, response: &kvrpcpb.RawBatchScanResponse{}},
		{verb: ports.VerbDeleteRange, request: &kvrpcpb.DeleteRangeRequest{}, response: &kvrpcpb.DeleteRangeResponse{}},
		{
			verb: ports.VerbUnsafeDestroyRange, request: &kvrpcpb.UnsafeDestroyRangeRequest{},
			response: &kvrpcpb.UnsafeDestroyRangeResponse{},
		},
		{
			verb: ports.VerbPrepareFlashbackToVersion, request: &kvrpcpb.PrepareFlashbackToVersionRequest{},
			response: &kvrpcpb.PrepareFlashbackToVersionResponse{},
		},
		{
			verb: ports.VerbFlashbackToVersion, request: &kvrpcpb.FlashbackToVersionRequest{},
			response: &kvrpcpb.FlashbackToVersionResponse{},
		},
		{verb: ports.VerbSplitRegion, request: &kvrpcpb.SplitRegionRequest{}, response: &kvrpcpb.SplitRegionResponse{}},
		{
			verb: ports.VerbLockWaitInfo, request: &kvrpcpb.GetLockWaitInfoRequest{},
			response: &kvrpcpb.GetLockWaitInfoResponse{},
		},
	}
}

func TestMalformedAdminMessages(t *testing.T) {
	decoder := &Decoder{}
	for _, x := range adminExchanges() {
		_, err := DecodeRequest(x.verb, []byte{0xff})
		require.ErrorIs(t, err, ErrMalformed)
		_, err = decoder.Decode(x.verb, []byte{0xff})
		require.ErrorIs(t, err, ErrMalformed)
	}
}
