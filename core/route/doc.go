// Package route knows where keys live and how to reach them: the region table,
// the store table, and the call that carries one request to the peer that can
// serve it.
//
// Tables are hosted machines with a single owner; operations see immutable views
// of them, put questions to them (EventAsk, answered by EventTell) and teach them
// facts (EventLearn, not answered). A [Call] uses what it has just learned at
// once, before any table has heard of it.
package route
