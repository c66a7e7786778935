// Command unistore runs TiDB's single-store TiKV replacement as a server of its
// own: real gRPC, transactional commands, volatile data.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/config"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/pd"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func main() {
	pdAddress := flag.String("pd", "127.0.0.1:2379", "PD address")
	address := flag.String("addr", "127.0.0.1:20160", "address to serve on")
	dataDir := flag.String("data-dir", "", "directory for data, must exist")
	regionSize := flag.Int64("region-size", 64<<20, "bytes from which a region is split")
	flag.Parse()

	conf := config.DefaultConf
	conf.Server.PDAddr = *pdAddress
	conf.Server.StoreAddr = *address
	conf.Server.RegionSize = *regionSize
	conf.Server.Raft = false
	conf.Engine.DBPath = *dataDir
	conf.Engine.VolatileMode = true

	pdClient, err := pd.NewClient([]string{*pdAddress}, "")
	if err != nil {
		log.Fatal("reach PD: ", err)
	}
	store, err := server.New(&conf, pdClient)
	if err != nil {
		log.Fatal("start store: ", err)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal("listen: ", err)
	}
	rpc := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.UnaryInterceptor(survive))
	tikvpb.RegisterTikvServer(rpc, store)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stop
		rpc.Stop()
	}()
	if err := rpc.Serve(listener); err != nil {
		log.Fatal("serve: ", err)
	}
}

// survive answers a call of which unistore would die.
func survive(
	ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (reply any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print("died of a request: ", cause)
			err = status.Errorf(codes.Internal, "died of it: %v", cause)
		}
	}()
	return handler(ctx, req)
}
