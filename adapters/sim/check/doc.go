// Package check holds histories against what a cluster must guarantee. Each checker
// takes what clients were told and what the stores really kept, and returns one line
// for each thing that is wrong.
package check
