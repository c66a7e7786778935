package tikvx_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/adapters/sim/embed"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// These tests hold the API against what its users expect of it. That it leaks no
// foreign type and depends on the standard library alone is checked by tests/arch.

// open returns a client on a simulated cluster that the test closes.
func open(t *testing.T, cfg sim.Config, opts ...tikvx.ClientOption) (*tikvx.Client, *sim.Wall) {
	t.Helper()
	db, wall, err := embed.Open(cfg, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	return db, wall
}

func put(ctx context.Context, db *tikvx.Client, key, value string) error {
	return db.Update(ctx, func(_ context.Context, tx *tikvx.Txn) error { return tx.Put([]byte(key), []byte(value)) })
}

// Hello world takes at most twelve lines and one import, for both kinds of keys.
func TestHelloWorldIsShort(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "example_test.go", nil, 0)
	require.NoError(t, err)
	lines := map[string]int{}
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Example_transactions" && f.Name.Name != "Example_raw" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			hello, ok := n.(*ast.FuncLit)
			if ok {
				body := source[hello.Body.Lbrace : hello.Body.Rbrace-1]
				lines[f.Name.Name] = strings.Count(string(body), "\n") - 1
				require.NotContains(t, string(body), "app.")
			}
			return !ok
		})
	}
	require.Len(t, lines, 2)
	for name, n := range lines {
		require.LessOrEqual(t, n, 12, name)
	}
}

// Whatever may wait takes a context first; what takes none touches only memory.
func TestContextComesFirst(t *testing.T) {
	inMemory := map[string][]string{
		"Client":   {"SnapshotAt", "Raw", "Usage"},
		"Txn":      {"StartTS", "Put", "Insert", "Delete", "Savepoint"},
		"Snapshot": {"TS"},
		"Raw":      {"With"},
	}
	context := reflect.TypeFor[context.Context]()
	for _, typ := range []reflect.Type{
		reflect.TypeFor[*tikvx.Client](), reflect.TypeFor[*tikvx.Txn](),
		reflect.TypeFor[*tikvx.Snapshot](), reflect.TypeFor[*tikvx.Raw](),
	} {
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			takes := m.Type.NumIn() > 1 && m.Type.In(1) == context
			name := typ.Elem().Name()
			if takes {
				require.NotContains(t, inMemory[name], m.Name)
			} else {
				require.Contains(t, inMemory[name], m.Name)
			}
		}
	}
}

// Nothing is printed, whether calls succeed or fail.
func TestSilence(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = write, write
	func() {
		defer func() { os.Stdout, os.Stderr = stdout, stderr }()
		db, wall, err := embed.Open(sim.Config{Seed: 2, Faults: sim.AllFaults})
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		for ctx.Err() == nil {
			_ = put(ctx, db, "k", "v")
		}
		_ = db.Raw().Put(ctx, []byte("k"), nil)
		_, _ = tikvx.Open(ctx, []string{"127.0.0.1:1"})
		wall.Do(func(w *sim.World) { w.Heal() })
		_ = db.Close(context.Background())
	}()
	require.NoError(t, write.Close())
	printed, err := io.ReadAll(read)
	require.NoError(t, err)
	require.Empty(t, string(printed))
}

// Every error of a write says what became of it, and no error claims more than the
// cluster knows.
func TestOutcomesAreTrue(t *testing.T) {
	db, wall := open(t, sim.Config{Seed: 3, Faults: sim.FaultsOf(sim.FaultRequestLost, sim.FaultReplyLost)})
	const writes = 40
	outcomes := map[string]tikvx.Outcome{}
	for i := range writes {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%8)*5*time.Millisecond)
		key := string(rune('A' + i))
		err := put(ctx, db, key, "v")
		cancel()
		outcomes[key] = tikvx.OutcomeOf(err)
		if err != nil {
			var e *tikvx.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, e.Outcome == tikvx.Unknown, tikvx.OutcomeOf(err) == tikvx.Unknown)
			require.False(t, tikvx.Retryable(err) && e.Outcome == tikvx.Unknown)
		}
	}
	wall.Do(func(w *sim.World) { w.Heal() })
	snap, err := db.Snapshot(t.Context())
	require.NoError(t, err)
	seen := map[tikvx.Outcome]int{}
	for key, outcome := range outcomes {
		_, err := snap.Get(t.Context(), []byte(key))
		seen[outcome]++
		switch outcome {
		case tikvx.Committed:
			require.NoError(t, err)
		case tikvx.Aborted:
			require.ErrorIs(t, err, tikvx.ErrNotFound)
		case tikvx.Unknown:
			require.True(t, err == nil || errors.Is(err, tikvx.ErrNotFound))
		}
	}
	require.NotZero(t, seen[tikvx.Committed])
	require.NotZero(t, seen[tikvx.Aborted])
}

// A snapshot, a transaction and a raw view may be read by many goroutines at once.
func TestConcurrentReaders(t *testing.T) {
	db, _ := open(t, sim.Config{})
	raws, _ := open(t, sim.Config{RawKeys: true})
	require.NoError(t, put(t.Context(), db, "k", "v"))
	require.NoError(t, raws.Raw().Put(t.Context(), []byte("k"), []byte("v")))
	snap, err := db.Snapshot(t.Context())
	require.NoError(t, err)
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	raw := raws.Raw()
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for _, get := range []func(context.Context, []byte) ([]byte, error){snap.Get, tx.Get, raw.Get} {
				if v, err := get(t.Context(), []byte("k")); err != nil || string(v) != "v" {
					t.Errorf("%q, %v", v, err)
				}
			}
		})
	}
	readers.Wait()
}

// A missing key is not an empty value; empty values are raw keys' alone.
func TestMissingIsNotEmpty(t *testing.T) {
	db, _ := open(t, sim.Config{})
	raws, _ := open(t, sim.Config{RawKeys: true})
	err := put(t.Context(), db, "k", "")
	require.ErrorIs(t, err, tikvx.ErrMisuse)
	var e *tikvx.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "value", e.Argument)

	raw := raws.Raw()
	require.NoError(t, raw.Put(t.Context(), []byte("empty"), nil))
	v, err := raw.Get(t.Context(), []byte("empty"))
	require.NoError(t, err)
	require.Equal(t, []byte{}, v)
	_, err = raw.Get(t.Context(), []byte("missing"))
	require.ErrorIs(t, err, tikvx.ErrNotFound)
	found, err := raw.BatchGet(t.Context(), [][]byte{[]byte("missing"), []byte("empty")})
	require.NoError(t, err)
	require.Equal(t, tikvx.Pairs{{Key: []byte("empty"), Value: []byte{}}}, found)
}

// The names of this package are those of package app.
func TestNamesLeadToApp(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for _, pair := range [][2]any{
		{tikvx.WithTLS(tikvx.TLS{CA: "ca"}), app.WithTLS(app.TLS{CA: "ca"})},
		{tikvx.WithLogger(logger), app.WithLogger(logger)},
		{tikvx.WithObserver(&counter{}), app.WithObserver(&counter{})},
		{tikvx.WithDefaultTimeout(time.Second), app.WithDefaultTimeout(time.Second)},
		{tikvx.WithLimits(tikvx.Limits{Key: 1}), app.WithLimits(app.Limits{Key: 1})},
		{tikvx.HighPriority(), app.HighPriority()},
		{tikvx.LowPriority(), app.LowPriority()},
		{tikvx.NotFillCache(), app.NotFillCache()},
		{tikvx.RequestSource("x"), app.RequestSource("x")},
		{tikvx.Range([]byte("a"), []byte("b")), app.Range([]byte("a"), []byte("b"))},
		{tikvx.Prefix([]byte("a")), app.Prefix([]byte("a"))},
		{tikvx.Limit(1), app.Limit(1)},
		{tikvx.Reverse(), app.Reverse()},
		{tikvx.KeysOnly(), app.KeysOnly()},
		{tikvx.ColumnFamily("write"), app.ColumnFamily("write")},
		{tikvx.Atomic(), app.Atomic()},
		{tikvx.TTL(time.Second), app.TTL(time.Second)},
	} {
		require.Equal(t, pair[1], pair[0])
	}
}

// counter is an observer of one client.
type counter struct {
	mu      sync.Mutex
	commits int
}

func (*counter) OnAttempt(ports.Attempt)         {}
func (*counter) OnBackoff(string, time.Duration) {}
func (*counter) OnRegionLoad(int, time.Duration) {}
func (c *counter) OnCommit(string, int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
}

// Two clients to two clusters in one process know nothing of each other.
func TestTwoClusters(t *testing.T) {
	var one, two counter
	first, _ := open(t, sim.Config{}, tikvx.WithObserver(&one), tikvx.WithLimits(tikvx.Limits{Key: 3}))
	second, _ := open(t, sim.Config{}, tikvx.WithObserver(&two))
	require.NoError(t, put(t.Context(), first, "k", "one"))
	require.ErrorIs(t, put(t.Context(), first, "long", "one"), tikvx.ErrTooLarge)
	require.NoError(t, put(t.Context(), second, "long", "two"))
	snap, err := second.Snapshot(t.Context())
	require.NoError(t, err)
	_, err = snap.Get(t.Context(), []byte("k"))
	require.ErrorIs(t, err, tikvx.ErrNotFound)
	require.Equal(t, []int{1, 1}, []int{one.commits, two.commits})
}
