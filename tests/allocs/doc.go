// Package allocs counts what the client allocates above the wire: the network of
// these tests answers at once and allocates nothing. The gates are the budgets of
// the project; they count, so that they are as true on a busy machine.
package allocs
