// Package smtest helps to test state machines: [Contract] holds a machine to the
// rules of cloning and fingerprints, [Runner] plays a script of events and writes
// down the conversation, and [Regions] and [Stores] are views for machines that
// are tested without tables.
//
// # Tags
//
// Contract reads the struct tag fp of a machine's fields:
//
//	fp:"-"       decides nothing (scratch memory, a lent reply): neither checked nor changed
//	fp:"shared"  immutable data that copies share on purpose (an entry of a view, borrowed
//	             keys): what it holds must be in the fingerprint, but it need not be copied
package smtest
