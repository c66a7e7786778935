package grpc_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tikvx/tikvx/adapters/clock"
	"github.com/tikvx/tikvx/adapters/grpc"
	"github.com/tikvx/tikvx/ports"
)

// asStore, when set in the environment, makes the test binary a store in a process of its own.
const asStore = "TIKVX_TEST_STORE"

func TestMain(m *testing.M) {
	if os.Getenv(asStore) != "" {
		beStore()
		return
	}
	goleak.VerifyTestMain(m)
}

// beStore serves until its standard input is closed.
func beStore() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := serveOn(listener)
	s.data["k"] = make([]byte, 100)
	fmt.Println(s.address)
	bufio.NewReader(os.Stdin).ReadByte()
	s.stop()
}

// process starts a store in a process of its own.
func process(t testing.TB) (address string, pid int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asStore+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGCONT)
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), cmd.Process.Pid
}

// waiter is one caller that waits for its answers, as the pump of app/drive does.
type waiter struct {
	wake  chan struct{}
	value []byte
	kind  ports.EventKind
}

func (w *waiter) Post(ev ports.Event) {
	w.kind = ev.Kind
	if reply, ok := ev.Reply.(*ports.GetReply); ok {
		w.value = append(w.value[:0], reply.Value...)
	}
	if ev.Lease != nil {
		ev.Lease.Release()
	}
	w.wake <- struct{}{}
}

// BenchmarkGet measures the wire part of a snapshot get against a store in another process: time, and the CPU of this
// process.
func BenchmarkGet(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) { benchmarkGet(b, callers) })
	}
}

func benchmarkGet(b *testing.B, callers int) {
	address, _ := process(b)
	c := clock.New()
	defer c.Close()
	n := grpc.New(grpc.Config{ClusterID: 1, Clock: c})
	defer n.Close()
	to := ports.Endpoint{Store: 1, Address: address}
	hdr := ports.Header{Region: ports.RegionVersion{ID: 77}, Peer: ports.Peer{ID: 78, Store: 1}}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			w := &waiter{wake: make(chan struct{}, 1)}
			req := &ports.GetRequest{Key: []byte("k"), TS: 449_000_000_000_000_000}
			for left.Add(-1) >= 0 {
				n.Submit(to, &hdr, req, c.Now().Add(time.Minute), ports.Tok{}, w)
				<-w.wake
				if w.kind != ports.EventReply || !bytes.Equal(w.value, make([]byte, 100)) {
					b.Error("no value")
				}
			}
		})
	}
	done.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
