package load

import (
	"context"
	"fmt"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/check"
	"github.com/tikvx/tikvx/app"
)

// SkewLoad is pairs of doctors of which one must be on call. A doctor leaves only if the other one stays. Under
// snapshot isolation both can leave at the same time all the same; a client under which they never do is stricter,
// and slower, than it has to be.
type SkewLoad struct {
	book
	pairs int
	// Seen is how often a snapshot showed that both had left.
	Seen int
}

// NewSkew returns the workload on the given number of pairs.
func NewSkew(pairs int) *SkewLoad { return &SkewLoad{pairs: pairs} }

// Name implements [Workload].
func (s *SkewLoad) Name() string { return "write-skew" }

// Splits implements [Workload].
func (s *SkewLoad) Splits() [][]byte { return [][]byte{[]byte("doctor/b"), []byte("receipt/")} }

// Setup implements [Workload].
func (s *SkewLoad) Setup(ctx context.Context, db *app.Client) error {
	return db.Update(ctx, func(_ context.Context, tx *app.Txn) error {
		for _, k := range s.keys() {
			if err := tx.Put([]byte(k), []byte(onCall)); err != nil {
				return err
			}
		}
		return nil
	})
}

const (
	onCall  = "on call"
	offCall = "off"
)

// Step implements [Workload].
func (s *SkewLoad) Step(t *Task) error {
	ctx, cancel := t.context()
	defer cancel()
	pair, side := t.choose(s.pairs), t.choose(2)
	if t.choose(3) == 0 {
		return s.look(ctx, t.DB, pair)
	}
	_, err := s.update(ctx, t, func(ctx context.Context, e entry) error {
		own, err := e.get(ctx, doctor(pair, side))
		if err != nil {
			return err
		}
		other, err := e.get(ctx, doctor(pair, 1-side))
		switch {
		case err != nil:
			return err
		case own == onCall && other == onCall:
			return e.put(doctor(pair, side), offCall)
		case own == offCall && other == offCall:
			s.Seen++
			if err := e.put(doctor(pair, 1-side), onCall); err != nil {
				return err
			}
		}
		return e.put(doctor(pair, side), onCall)
	})
	return err
}

func (s *SkewLoad) look(ctx context.Context, db *app.Client, pair int) error {
	values, err := s.view(ctx, db, []string{doctor(pair, 0), doctor(pair, 1)})
	if err == nil && values[0] == offCall && values[1] == offCall {
		s.Seen++
	}
	return err
}

// Settle implements [Workload].
func (s *SkewLoad) Settle(ctx context.Context, db *app.Client) error {
	return s.settle(ctx, db, s.keys())
}

// Check implements [Workload].
func (s *SkewLoad) Check(store check.Store) []string {
	return slices.Concat(s.wrong, s.history.Wrong(s.keys(), store))
}

func (s *SkewLoad) keys() []string {
	var keys []string
	for side := range 2 {
		for i := range s.pairs {
			keys = append(keys, doctor(i, side))
		}
	}
	return keys
}

func doctor(pair, side int) string { return fmt.Sprintf("doctor/%c/%02d", 'a'+side, pair) }
