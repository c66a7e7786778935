package check_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// exists is the prewrite of a key that must be absent, and is accepted.
func (d *disk) exists(key string, kind ports.LockKind) {
	d.Executed(&ports.Header{}, &ports.PrewriteRequest{
		Primary: []byte("a"), StartTS: 10, Mutations: []ports.Mutation{{Key: []byte(key), Kind: kind}},
	}, &ports.PrewriteReply{})
}

func (d *disk) heartbeat(primary string) {
	d.Executed(&ports.Header{}, &ports.TxnHeartBeatRequest{Primary: []byte(primary), StartTS: 10},
		&ports.TxnHeartBeatReply{})
}

func TestExistenceAndLifeAccept(t *testing.T) {
	for name, run := range map[string]func(*disk){
		"insert of what was deleted": func(d *disk) {
			d.records["a"] = []mvcc.Write{
				{CommitTS: 5}, {CommitTS: 8, Kind: ports.KindDelete}, {CommitTS: 9, Kind: ports.KindLock},
			}
			d.exists("a", ports.KindInsert)
			d.exists("a", ports.KindCheckNotExists)
			d.lock("a")
			d.commit(15, "a")
		},
		"checked again after the commit": func(d *disk) {
			d.exists("b", ports.KindCheckNotExists)
			d.lock("a")
			d.commit(15, "a")
			d.records["b"] = []mvcc.Write{{CommitTS: 20}}
			d.exists("b", ports.KindCheckNotExists)
		},
		"killed after its time": func(d *disk) {
			d.lock("a")
			d.locks["a"].TTL = 1
			d.heartbeat("a")
			d.now = 2 << 18
			d.rollback("a")
			d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback})
		},
	} {
		d := newDisk()
		run(d)
		require.Empty(t, d.Wrong(), name)
	}
}

func TestExistenceAndLifeReject(t *testing.T) {
	for _, c := range []struct {
		what string
		run  func(*disk)
	}{
		{"which it inserted, and which was there since 5", func(d *disk) {
			d.records["a"] = []mvcc.Write{{CommitTS: 5}}
			d.exists("a", ports.KindInsert)
			d.lock("a")
			d.commit(15, "a")
		}},
		{"promised that \"b\" is absent", func(d *disk) {
			d.records["b"] = []mvcc.Write{{CommitTS: 5}}
			d.exists("b", ports.KindCheckNotExists)
		}},
		{"was to live until 2", func(d *disk) {
			d.lock("a")
			d.locks["a"].TTL = 2
			d.heartbeat("a")
			d.now = 2 << 18
			d.rollback("a")
			d.status("a", &ports.CheckTxnStatusReply{Action: ports.ActionTTLExpireRollback})
		}},
	} {
		d := newDisk()
		c.run(d)
		require.Contains(t, strings.Join(d.Wrong(), "; "), c.what)
	}
}
