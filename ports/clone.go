package ports

import (
	"slices"
	"strings"
)

// Clone returns a copy of the lock that shares no memory with it.
func (l *Lock) Clone() Lock {
	c := *l
	c.Key, c.Primary, c.Secondaries = slices.Clone(l.Key), slices.Clone(l.Primary), slices.Clone(l.Secondaries)
	for i, k := range c.Secondaries {
		c.Secondaries[i] = slices.Clone(k)
	}
	c.Shared = slices.Clone(l.Shared)
	for i := range c.Shared {
		c.Shared[i] = c.Shared[i].Clone()
	}
	return c
}

// Clone returns a copy of the error that shares no memory with it.
func (e *KeyError) Clone() *KeyError {
	c := *e
	c.Text = strings.Clone(e.Text)
	c.Lock = e.Lock.Clone()
	c.Key, c.Primary = slices.Clone(e.Key), slices.Clone(e.Primary)
	c.WaitChain = slices.Clone(e.WaitChain)
	for i := range c.WaitChain {
		c.WaitChain[i].Key = slices.Clone(c.WaitChain[i].Key)
	}
	return &c
}
