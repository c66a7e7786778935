package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/tikv/client-go/v2/testutils"
	"github.com/tikv/client-go/v2/tikvrpc"
)

// server hands raw commands to the mock. What it does not serve is unimplemented.
type server struct {
	tikvpb.UnimplementedTikvServer
	mock *testutils.MockClient
	// address is that under which the mock knows its store.
	address string
}

// BatchCommands implements [tikvpb.TikvServer].
func (s *server) BatchCommands(stream tikvpb.Tikv_BatchCommandsServer) error {
	for {
		batch, err := stream.Recv()
		if err != nil {
			return err
		}
		replies := &tikvpb.BatchCommandsResponse{RequestIds: batch.RequestIds}
		for _, r := range batch.Requests {
			reply, err := s.execute(stream.Context(), r)
			if err != nil {
				return err
			}
			replies.Responses = append(replies.Responses, reply)
		}
		if err := stream.Send(replies); err != nil {
			return err
		}
	}
}

func (s *server) execute(
	ctx context.Context, r *tikvpb.BatchCommandsRequest_Request,
) (*tikvpb.BatchCommandsResponse_Response, error) {
	request, err := unwrap(r)
	if err != nil {
		return nil, err
	}
	response, err := s.mock.SendRequest(ctx, s.address, request, time.Minute)
	if err != nil {
		return nil, err
	}
	return wrap(response)
}

func unwrap(r *tikvpb.BatchCommandsRequest_Request) (*tikvrpc.Request, error) {
	switch cmd := r.Cmd.(type) {
	case *tikvpb.BatchCommandsRequest_Request_RawGet:
		return request(tikvrpc.CmdRawGet, cmd.RawGet, cmd.RawGet.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawBatchGet:
		return request(tikvrpc.CmdRawBatchGet, cmd.RawBatchGet, cmd.RawBatchGet.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawPut:
		return request(tikvrpc.CmdRawPut, cmd.RawPut, cmd.RawPut.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawBatchPut:
		return request(tikvrpc.CmdRawBatchPut, cmd.RawBatchPut, cmd.RawBatchPut.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawDelete:
		return request(tikvrpc.CmdRawDelete, cmd.RawDelete, cmd.RawDelete.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawBatchDelete:
		return request(tikvrpc.CmdRawBatchDelete, cmd.RawBatchDelete, cmd.RawBatchDelete.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawDeleteRange:
		return request(tikvrpc.CmdRawDeleteRange, cmd.RawDeleteRange, cmd.RawDeleteRange.Context), nil
	case *tikvpb.BatchCommandsRequest_Request_RawScan:
		return request(tikvrpc.CmdRawScan, cmd.RawScan, cmd.RawScan.Context), nil
	}
	return nil, fmt.Errorf("unserved command %T", r.Cmd)
}

func request(cmd tikvrpc.CmdType, message any, header *kvrpcpb.Context) *tikvrpc.Request {
	return tikvrpc.NewRequest(cmd, message, *header)
}

func wrap(r *tikvrpc.Response) (*tikvpb.BatchCommandsResponse_Response, error) {
	var out tikvpb.BatchCommandsResponse_Response
	switch m := r.Resp.(type) {
	case *kvrpcpb.RawGetResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawGet{RawGet: m}
	case *kvrpcpb.RawBatchGetResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawBatchGet{RawBatchGet: m}
	case *kvrpcpb.RawPutResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawPut{RawPut: m}
	case *kvrpcpb.RawBatchPutResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawBatchPut{RawBatchPut: m}
	case *kvrpcpb.RawDeleteResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawDelete{RawDelete: m}
	case *kvrpcpb.RawBatchDeleteResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawBatchDelete{RawBatchDelete: m}
	case *kvrpcpb.RawDeleteRangeResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawDeleteRange{RawDeleteRange: m}
	case *kvrpcpb.RawScanResponse:
		out.Cmd = &tikvpb.BatchCommandsResponse_Response_RawScan{RawScan: m}
	default:
		return nil, fmt.Errorf("unknown response %T", r.Resp)
	}
	return &out, nil
}

// RawCompareAndSwap implements [tikvpb.TikvServer]; it has no batch form.
func (s *server) RawCompareAndSwap(ctx context.Context, r *kvrpcpb.RawCASRequest) (*kvrpcpb.RawCASResponse, error) {
	response, err := s.mock.SendRequest(ctx, s.address, request(tikvrpc.CmdRawCompareAndSwap, r, r.Context), time.Minute)
	if err != nil {
		return nil, err
	}
	reply, ok := response.Resp.(*kvrpcpb.RawCASResponse)
	if !ok {
		return nil, fmt.Errorf("unknown response %T", response.Resp)
	}
	return reply, nil
}
