// Command mock serves client-go's in-process mock of TiKV over TiKV's own gRPC
// protocol, raw commands only, as a second opinion on what they answer. Its first
// line says where it listens and how its only region is addressed.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"

	"github.com/pingcap/kvproto/pkg/tikvpb"
	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/testutils"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// place is what a client must know to reach the mock without a PD.
type place struct {
	Address string `json:"address"`
	Store   uint64 `json:"store"`
	Region  uint64 `json:"region"`
	Peer    uint64 `json:"peer"`
	ConfVer uint64 `json:"conf_ver"`
	Version uint64 `json:"version"`
}

func main() {
	log.ReplaceGlobals(zap.NewNop(), nil)
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "mock:", err)
		os.Exit(1)
	}
}

func serve() error {
	client, cluster, _, err := testutils.NewMockTiKV("", nil)
	if err != nil {
		return err
	}
	store, peer, region := testutils.BootstrapWithSingleStore(cluster)
	meta, _ := cluster.GetRegion(region)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	rpc := grpc.NewServer()
	tikvpb.RegisterTikvServer(rpc, &server{mock: client, address: cluster.GetStore(store).GetAddress()})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() {
		<-stop
		rpc.Stop()
	}()
	err = json.NewEncoder(os.Stdout).Encode(place{
		Address: listener.Addr().String(), Store: store, Region: region, Peer: peer,
		ConfVer: meta.GetRegionEpoch().GetConfVer(), Version: meta.GetRegionEpoch().GetVersion(),
	})
	if err != nil {
		return err
	}
	return rpc.Serve(listener)
}
