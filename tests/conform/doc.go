// Package conform says what a store answers to each command, in scripts that play
// on the simulated cluster and on stores that others have written.
//
// The expected answers are written by hand from TiKV's sources and are never
// rewritten by a machine. A script is a sequence of commands of one connection:
//
//	command name=value flag
//	input, where the command has any
//	----
//	the answer
//
// Timestamps are numbers of milliseconds, with "+n" for a logical part; keys are
// written without the prefix that keeps the scripts apart. A command with as=NAME
// is not waited for: its answer is that of "await NAME".
//
// Every command plays on every target. Where a store answers something else, the
// command is followed by
//
//	differs on=NAME why=(in which way, and by what right)
//	----
//	what that store answers
//
// and the store must answer exactly that: a difference that is gone fails as one that
// is new. After it, a command with on=NAME and why=(…) may bring the store's data back
// to what the other targets have; it plays there alone.
//
// A command that a store does not have at all is explained once, in testdata/lacking,
// where what it answers instead is probed before the scripts play. There a script ends
// before the first command that the store lacks. With "end on=NAME why=(…)" it ends
// there on that store alone.
package conform
