// Package conform says what a store answers to each command, in scripts that run
// on the simulated cluster and on stores that others have written.
//
// The expected answers are written by hand from TiKV's sources and are never
// rewritten by a machine. A script is a sequence of commands of one connection.
// Timestamps are numbers of milliseconds, with "+n" for a logical part; keys are
// written without the prefix that keeps the scripts apart.
//
// A command with on=NAME runs on that target only; why=(…) must then say in which
// way, and by what right, the targets differ.
package conform
