package mvcc

import (
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tikvx/tikvx/ports"
)

// flush is prewrite for a transaction that comes again: later generations replace its locks, others are ignored, and
// what is not in the way of others is locked in spite of them.
func (m *model) flush(req *ports.FlushRequest) string {
	var locked []string
	var locks []func()
	for i := range req.Mutations {
		mu := &req.Mutations[i]
		key := string(mu.Key)
		own := m.of(key)[req.StartTS]
		fresh := mu.Kind == ports.KindInsert
		if own != nil && own.locked {
			if own.generation >= req.Generation {
				continue
			}
			if own.generation > 0 && own.kind == ports.KindPut && fresh {
				return "exists " + key
			}
			// Its lock keeps others out, but not their rollbacks.
			if r := m.records(key); len(r) > 0 && r[0].place() > req.StartTS {
				return "conflict " + key
			}
		} else {
			answer, done := m.obstacle(key, req.StartTS)
			switch {
			case done:
				return "ok"
			case strings.HasPrefix(answer, "locked"):
				locked = append(locked, answer)
				continue
			case answer != "":
				return answer
			}
		}
		kind, value := mu.Kind, string(mu.Value)
		if fresh {
			if _, live := m.visible(key, ports.MaxTimestamp); live {
				return "exists " + key
			}
			kind = ports.KindPut
		}
		if kind != ports.KindPut {
			value = ""
		}
		locks = append(locks, func() {
			m.of(key)[req.StartTS] = &fact{
				start: req.StartTS, kind: kind, value: value, locked: true, min: req.StartTS + 1, ttl: req.TTL,
				primary: string(req.Primary), generation: req.Generation,
			}
		})
	}
	for _, lock := range locks {
		lock()
	}
	if len(locked) > 0 {
		return strings.Join(locked, ", ")
	}
	return "ok"
}

func (w *twin) flush(t *rapid.T) {
	keys := drawKeys(t)
	req := &ports.FlushRequest{
		Primary: []byte(keys[0]), StartTS: drawTS(t, "start"), TTL: uint64(rapid.IntRange(0, 4).Draw(t, "ttl")),
		Generation: uint64(rapid.IntRange(1, 3).Draw(t, "generation")),
	}
	for _, k := range keys {
		kind := rapid.SampledFrom([]ports.LockKind{ports.KindPut, ports.KindDelete, ports.KindInsert}).Draw(t, "kind")
		value := rapid.StringN(0, 3, 3).Draw(t, "value")
		req.Mutations = append(req.Mutations, ports.Mutation{Kind: kind, Key: []byte(k), Value: []byte(value)})
	}
	var reply ports.FlushReply
	w.engine.Flush(req, &reply)
	require.Equal(t, w.model.flush(req), refused(t, reply.Errors))
	for _, k := range modelKeys {
		var own ports.BufferBatchGetReply
		w.engine.BufferBatchGet(&ports.BufferBatchGetRequest{Keys: asBytes([]string{k}), StartTS: req.StartTS}, &own)
		f := w.model.of(k)[req.StartTS]
		visible := f != nil && f.locked && f.kind != ports.KindLock
		require.Equal(t, visible, len(own.Pairs) == 1)
		if visible {
			require.Equal(t, f.value, string(own.Pairs[0].Value))
		}
	}
}

// refused prints the errors of a prewrite or flush.
func refused(t *rapid.T, errors []ports.KeyError) string {
	if len(errors) == 0 {
		return "ok"
	}
	var list []string
	for i := range errors {
		switch e := &errors[i]; e.Kind {
		case ports.KeyLocked:
			list = append(list, "locked "+string(e.Lock.Key))
		case ports.KeyWriteConflict:
			list = append(list, "conflict "+string(e.Key))
		case ports.KeyAlreadyExists:
			list = append(list, "exists "+string(e.Key))
		default:
			t.Fatalf("error %d", e.Kind)
		}
	}
	return strings.Join(list, ", ")
}
