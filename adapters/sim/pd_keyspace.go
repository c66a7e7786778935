package sim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/tikvx/tikvx/adapters/sim/mvcc"
	"github.com/tikvx/tikvx/ports"
)

// maxKeyspace is the greatest keyspace (PD: pkg/keyspace/constant: MaxValidKeyspaceID).
const maxKeyspace ports.KeyspaceID = 0xFFFFFF

// keyspaceName is what a keyspace can be called (PD: pkg/keyspace/util.go: namePattern).
var keyspaceName = regexp.MustCompile(`^[-A-Za-z0-9_]{1,20}$`)

// completeKeyspaces adds the default keyspace, and says what is wrong with the others.
func (c *Config) completeKeyspaces() error {
	list := []ports.Keyspace{{ID: ports.DefaultKeyspace, Name: "DEFAULT"}}
	for _, k := range c.Keyspaces {
		switch {
		case k.ID == ports.DefaultKeyspace || k.ID > maxKeyspace || !keyspaceName.MatchString(k.Name):
			return fmt.Errorf("%w: keyspace %d %q", ErrConfig, k.ID, k.Name)
		case slices.ContainsFunc(list, func(o ports.Keyspace) bool { return o.ID == k.ID || o.Name == k.Name }):
			return fmt.Errorf("%w: keyspace %d %q twice", ErrConfig, k.ID, k.Name)
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b ports.Keyspace) int { return int(a.ID) - int(b.ID) })
	c.Keyspaces = list
	return nil
}

// keyspaceBounds returns the bounds of regions that PD makes with a keyspace, in its key space: those of its
// transactional keys (PD: pkg/keyspace/util.go: MakeRegionBound). The default keyspace has none here.
func keyspaceBounds(list []ports.Keyspace) [][]byte {
	var bounds [][]byte
	for _, k := range list {
		if k.ID == ports.DefaultKeyspace {
			continue
		}
		for _, id := range []ports.KeyspaceID{k.ID, k.ID + 1} {
			prefix := []byte{'x', byte(id >> 16), byte(id >> 8), byte(id)}
			if id > maxKeyspace {
				prefix = []byte{'x' + 1, 0, 0, 0}
			}
			bounds = append(bounds, mvcc.AppendEncoded(nil, prefix))
		}
	}
	return bounds
}

// keyspace returns a keyspace of PD, nil when there is none.
func (w *World) keyspace(is func(*ports.Keyspace) bool) *ports.Keyspace {
	for i := range w.config.Keyspaces {
		if k := &w.config.Keyspaces[i]; is(k) {
			return k
		}
	}
	return nil
}

func (w *World) keyspaceByID(id ports.KeyspaceID) *ports.Keyspace {
	return w.keyspace(func(k *ports.Keyspace) bool { return k.ID == id })
}

// tellKeyspace answers with a keyspace, whatever its state. PD does not find one by its name until its regions are cut
// (PD: server/keyspace_service.go), as here they always are.
func (w *World) tellKeyspace(a *ports.AdminReply, is func(*ports.Keyspace) bool) {
	k := w.keyspace(is)
	if k == nil {
		refused(a, ports.AdminRefusedNoKeyspace)
		return
	}
	a.Keyspace = *k
}

// ErrKeyspace is the error of a change that a keyspace does not allow.
var ErrKeyspace = errors.New("sim: keyspace")

// nextStates are the states that a keyspace can be given, by its present one; every state can be given again
// (PD: pkg/keyspace/util.go: stateTransitionTable).
var nextStates = [...][]ports.KeyspaceState{
	ports.KeyspaceEnabled:   {ports.KeyspaceEnabled, ports.KeyspaceDisabled},
	ports.KeyspaceDisabled:  {ports.KeyspaceDisabled, ports.KeyspaceEnabled, ports.KeyspaceArchived},
	ports.KeyspaceArchived:  {ports.KeyspaceArchived, ports.KeyspaceTombstone},
	ports.KeyspaceTombstone: {ports.KeyspaceTombstone},
}

// SetKeyspaceState changes the state of a keyspace, as an operator does who takes it out of service. The default
// keyspace stays as it is (PD: pkg/keyspace/keyspace.go: UpdateKeyspaceStateByID).
func (w *World) SetKeyspaceState(id ports.KeyspaceID, state ports.KeyspaceState) error {
	k := w.keyspaceByID(id)
	switch {
	case k == nil:
		return fmt.Errorf("%w: there is no %d", ErrKeyspace, id)
	case id == ports.DefaultKeyspace:
		return fmt.Errorf("%w: the default one cannot be changed", ErrKeyspace)
	case !slices.Contains(nextStates[k.State], state):
		return fmt.Errorf("%w: %d cannot go from state %d to state %d", ErrKeyspace, id, k.State, state)
	}
	k.State = state
	return nil
}
