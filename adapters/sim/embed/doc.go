// Package embed opens ordinary clients on a simulated cluster in the same process.
//
// [Open] is for programs: the cluster runs in real time and many goroutines use the
// client. [Tasks] is for simulated runs: the client is used by the tasks of a world,
// in virtual time, and the same seed gives the same run.
package embed
