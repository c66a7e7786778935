package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Cluster is a PD with its stores.
type Cluster struct {
	PD     *Process
	Stores []*Process
	dir    string
}

// unistoreRegions is how many regions unistore makes of an empty cluster.
const unistoreRegions = 5

// StartUnistore starts a PD with one unistore. Data and logs live in dir.
func StartUnistore(ctx context.Context, b Binaries, dir string) (*Cluster, error) {
	return start(ctx, b, dir, startUnistore)
}

func startUnistore(ctx context.Context, b Binaries, dir string) (*Cluster, error) {
	c, err := startPD(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	store, err := c.addStore("unistore", func(address, data string) *exec.Cmd {
		return exec.Command(b.Unistore, "-pd", c.PD.Address, "-addr", address, "-data-dir", data)
	})
	if err == nil {
		err = await(ctx, "PD knows the regions of "+store.Address, func() (bool, error) {
			if err := c.fallen(); err != nil {
				return false, err
			}
			return c.hasRegions(unistoreRegions, 1)
		})
	}
	if err == nil {
		err = c.awaitStores(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// StartRaft starts a PD with three stores and waits until every region has three
// replicas.
func StartRaft(ctx context.Context, b Binaries, dir string) (*Cluster, error) {
	return start(ctx, b, dir, startRaft)
}

// startTries is how often a cluster is started. Somebody else may take a port before
// its server does, and the Raft stores sometimes panic while their first regions are
// split and replicated ("tocommit is out of range").
const (
	startTries   = 6
	startTimeout = 75 * time.Second
)

func start(
	ctx context.Context, b Binaries, dir string, try func(context.Context, Binaries, string) (*Cluster, error),
) (*Cluster, error) {
	var last error
	for i := range startTries {
		home, err := makeDir(dir, fmt.Sprintf("start%d", i+1))
		if err != nil {
			return nil, err
		}
		bounded, cancel := context.WithTimeout(ctx, startTimeout)
		c, err := try(bounded, b, home)
		cancel()
		if err == nil {
			return c, nil
		}
		last = errors.Join(last, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func startRaft(ctx context.Context, b Binaries, dir string) (*Cluster, error) {
	c, err := startPD(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	if err := c.addRaftStores(ctx, b); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) addRaftStores(ctx context.Context, b Binaries) error {
	for i := range 3 {
		_, err := c.addStore(fmt.Sprintf("store%d", i+1), func(address, data string) *exec.Cmd {
			status, _ := freeAddress()
			cmd := exec.Command(b.Raft, "-pd", c.PD.Address, "-addr", address, "-status-addr", status, "-data-dir", data)
			cmd.Env = append(os.Environ(), "GOLANG_PROTOBUF_REGISTRATION_CONFLICT=ignore")
			return cmd
		})
		if err != nil {
			return err
		}
	}
	// PD would ask for splits at keyspace bounds, which these stores cannot do. The
	// rule can be removed once the first store has made the cluster.
	err := await(ctx, "the cluster is bootstrapped", func() (bool, error) {
		err := c.api(ctx, http.MethodDelete, "config/region-label/rule/keyspaces%2F0", nil, nil)
		return err == nil, errors.Join(err, c.fallen())
	})
	if err != nil {
		return err
	}
	if err := c.AwaitReplicas(ctx); err != nil {
		return err
	}
	return c.awaitStores(ctx)
}

// awaitStores waits until every store accepts connections: PD hears of its regions
// before it listens.
func (c *Cluster) awaitStores(ctx context.Context) error {
	for _, s := range c.Stores {
		err := await(ctx, s.Name+" listens at "+s.Address, func() (bool, error) {
			if err := c.fallen(); err != nil {
				return false, err
			}
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				return false, err
			}
			return true, conn.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AwaitReplicas waits until every region has three replicas and a leader, and fails
// at once when a store has ended.
func (c *Cluster) AwaitReplicas(ctx context.Context) error {
	return await(ctx, "every region has three replicas", func() (bool, error) {
		if err := c.fallen(); err != nil {
			return false, err
		}
		return c.hasRegions(1, 3)
	})
}

// fallen is a permanent error when one of the stores has ended by itself.
func (c *Cluster) fallen() error {
	for _, s := range c.Stores {
		if s.running != nil && s.Exited() {
			return permanent{fmt.Errorf("%s has ended; see %s", s.Name, s.logs)}
		}
	}
	return nil
}

// Close ends every process.
func (c *Cluster) Close() {
	for _, s := range c.Stores {
		s.Kill()
	}
	c.PD.Kill()
}

// AwaitPD waits until PD gives out timestamps, also after a restart: it has a leader
// then, and that one serves.
func (c *Cluster) AwaitPD(ctx context.Context) error {
	return await(ctx, "PD gives out timestamps", func() (bool, error) {
		if c.PD.Exited() {
			return false, permanent{fmt.Errorf("%s has ended; see %s", c.PD.Name, c.PD.logs)}
		}
		var members struct {
			Header struct {
				ClusterID uint64 `json:"cluster_id"`
			} `json:"header"`
			Leader struct {
				Name string `json:"name"`
			} `json:"leader"`
		}
		err := c.api(ctx, http.MethodGet, "members", nil, &members)
		if err != nil || members.Leader.Name == "" {
			return false, err
		}
		err = c.timestamp(ctx, members.Header.ClusterID)
		return err == nil, err
	})
}

func startPD(ctx context.Context, b Binaries, dir string) (*Cluster, error) {
	client, err := freeAddress()
	if err != nil {
		return nil, err
	}
	peer, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data, err := makeDir(dir, "pd")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, PD: &Process{Name: "pd", Address: client, logs: filepath.Join(dir, "pd.out")}}
	c.PD.command = func() *exec.Cmd {
		return exec.Command(b.PD, "--name", "pd1", "--data-dir", data, "--client-urls", "http://"+client,
			"--peer-urls", "http://"+peer, "--log-file", filepath.Join(dir, "pd.log"))
	}
	if err := c.PD.start(); err != nil {
		return nil, err
	}
	if err := c.AwaitPD(ctx); err != nil {
		c.PD.Kill()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) addStore(name string, command func(address, data string) *exec.Cmd) (*Process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data, err := makeDir(c.dir, name)
	if err != nil {
		return nil, err
	}
	p := &Process{Name: name, Address: address, logs: filepath.Join(c.dir, name+".log")}
	p.command = func() *exec.Cmd { return command(address, data) }
	c.Stores = append(c.Stores, p)
	return p, p.start()
}
