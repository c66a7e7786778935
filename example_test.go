package tikvx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
)

// cluster opens a client on a simulated cluster in this process; tikvx.Open is for
// real ones. The client's Close ends the cluster, too.
func cluster() *tikvx.Client {
	db, _, err := embed.Open(sim.Config{})
	if err != nil {
		panic(err)
	}
	return db
}

// The first lines of a program that uses transactions.
func Example_transactions() {
	count := func(ctx context.Context, endpoints []string) error {
		db, err := tikvx.Open(ctx, endpoints)
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		return db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
			v, err := tx.Get(ctx, []byte("visits"))
			if err != nil && !errors.Is(err, tikvx.ErrNotFound) {
				return err
			}
			return tx.Put([]byte("visits"), append(v, '+'))
		})
	}
	fmt.Println(count(context.Background(), nil))
	// Output: tikvx: open: misuse (endpoints): no PD endpoint given
}

// The first lines of a program that uses raw keys.
func Example_raw() {
	store := func(ctx context.Context, endpoints []string) error {
		db, err := tikvx.Open(ctx, endpoints)
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		raw := db.Raw()
		if err := raw.Put(ctx, []byte("session/1"), []byte("ada"), tikvx.TTL(time.Hour)); err != nil {
			return err
		}
		v, err := raw.Get(ctx, []byte("session/1"))
		fmt.Printf("%s\n", v)
		return err
	}
	fmt.Println(store(context.Background(), nil))
	// Output: tikvx: open: misuse (endpoints): no PD endpoint given
}

// Open a client by way of the cluster's PD, use it, and close it.
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := tikvx.Open(ctx, []string{"10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"},
		tikvx.WithTLS(tikvx.TLS{CA: "ca.pem", Cert: "client.pem", Key: "client-key.pem"}),
		tikvx.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(ctx)
}

// Nothing is dialled for an endpoint that cannot be one.
func ExampleOpen_malformed() {
	_, err := tikvx.Open(context.Background(), []string{"10.0.0.1"})
	fmt.Println(err)
	fmt.Println(errors.Is(err, tikvx.ErrMisuse))
	// Output:
	// tikvx: open: misuse (endpoints): PD endpoint 10.0.0.1: not of the form host:port
	// true
}

// Read, change and write in one transaction. The function is run again when another
// transaction gets in between.
func ExampleClient_Update() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	key := []byte("visits")
	visit := func(ctx context.Context, tx *tikvx.Txn) error {
		v, err := tx.Get(ctx, key)
		if err != nil && !errors.Is(err, tikvx.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(v))
		return tx.Put(key, []byte(strconv.Itoa(n+1)))
	}
	for range 3 {
		if err := db.Update(ctx, visit); err != nil {
			fmt.Println(err, tikvx.OutcomeOf(err))
		}
	}

	err := db.View(ctx, func(ctx context.Context, s *tikvx.Snapshot) error {
		v, err := s.Get(ctx, key)
		fmt.Printf("%s visits\n", v)
		return err
	})
	fmt.Println(err)
	// Output:
	// 3 visits
	// <nil>
}

// A transaction by hand: of two that write the same key, the second to commit meets a
// conflict.
func ExampleClient_Begin() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	first, err := db.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer first.Rollback(ctx)
	second, err := db.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer second.Rollback(ctx)
	if err := errors.Join(first.Put([]byte("k"), []byte("1")), second.Put([]byte("k"), []byte("2"))); err != nil {
		fmt.Println(err)
		return
	}

	commit, err := first.Commit(ctx)
	fmt.Println(commit.Mode, err)
	_, err = second.Commit(ctx)
	fmt.Println(errors.Is(err, tikvx.ErrConflict), tikvx.OutcomeOf(err), tikvx.Retryable(err))
	// Output:
	// two-phase <nil>
	// true aborted true
}

// Insert is for keys that must not exist.
func ExampleTxn_Insert() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	register := func(name string) error {
		return db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error {
			return tx.Insert([]byte("user/"+name), []byte("new"))
		})
	}
	fmt.Println(register("ada"))
	fmt.Println(errors.Is(register("ada"), tikvx.ErrKeyExists))
	// Output:
	// <nil>
	// true
}

// A scan is a loop. It sees the transaction's own writes, and what it yields is the
// caller's.
func ExampleTxn_Scan() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	err := db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		for _, name := range []string{"ada", "bob", "eve", "joe"} {
			if err := tx.Put([]byte("user/"+name), []byte("new")); err != nil {
				return err
			}
		}
		for kv, err := range tx.Scan(ctx, tikvx.Prefix([]byte("user/")), tikvx.Reverse(), tikvx.Limit(3)) {
			if err != nil {
				return err
			}
			fmt.Printf("%s is %s\n", kv.Key, kv.Value)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// user/joe is new
	// user/eve is new
	// user/bob is new
	// <nil>
}

// What went wrong half way can be undone without giving up the transaction.
func ExampleTxn_Savepoint() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	err := db.Update(ctx, func(ctx context.Context, tx *tikvx.Txn) error {
		if err := tx.Put([]byte("order"), []byte("1 book")); err != nil {
			return err
		}
		beforeGift := tx.Savepoint()
		if err := tx.Put([]byte("order"), []byte("1 book, gift wrap")); err != nil {
			return err
		}
		if outOfPaper := true; outOfPaper {
			if err := beforeGift.Rollback(); err != nil {
				return err
			}
		}
		v, err := tx.Get(ctx, []byte("order"))
		fmt.Printf("%s\n", v)
		return err
	})
	fmt.Println(err)
	// Output:
	// 1 book
	// <nil>
}

// A snapshot reads the past for as long as the garbage collector lets it.
func ExampleClient_SnapshotAt() {
	ctx, db := context.Background(), cluster()
	defer db.Close(ctx)

	write := func(value string) {
		err := db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error { return tx.Put([]byte("k"), []byte(value)) })
		if err != nil {
			fmt.Println(err)
		}
	}
	write("old")
	ts, err := db.Timestamp(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	write("new")

	then, err := db.SnapshotAt(ts).BatchGet(ctx, [][]byte{[]byte("k"), []byte("missing")})
	fmt.Printf("%s %v\n", then[0].Value, err)
	now, err := db.SnapshotAt(tikvx.MaxTimestamp).Get(ctx, []byte("k"))
	fmt.Printf("%s %v\n", now, err)
	// Output:
	// old <nil>
	// new <nil>
}

// Raw keys have no transactions: each is on its own.
func ExampleClient_Raw() {
	ctx := context.Background()
	db, _, err := embed.Open(sim.Config{RawKeys: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(ctx)

	raw := db.Raw()
	if err := raw.Put(ctx, []byte("session/1"), []byte("ada"), tikvx.TTL(time.Hour)); err != nil {
		fmt.Println(err, tikvx.OutcomeOf(err))
	}
	for kv, err := range raw.Scan(ctx, tikvx.Prefix([]byte("session/"))) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s=%s\n", kv.Key, kv.Value)
	}
	// Output:
	// session/1=ada
}

// Compare-and-swap makes a lock that its owner must renew.
func ExampleAtomic() {
	ctx := context.Background()
	db, _, err := embed.Open(sim.Config{RawKeys: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(ctx)

	locks := db.Raw(tikvx.Atomic())
	for _, owner := range []string{"one", "two"} {
		swap, err := locks.PutIfAbsent(ctx, []byte("leader"), []byte(owner), tikvx.TTL(10*time.Second))
		if err != nil {
			fmt.Println(err, tikvx.OutcomeOf(err))
			return
		}
		fmt.Printf("%s: %t %q\n", owner, swap.Swapped, swap.Previous)
	}
	// Output:
	// one: true ""
	// two: false "one"
}
