// Package sim is a whole TiKV cluster and its PD in memory, in virtual time, in which anything can go wrong and
// everything can be repeated.
//
// A [World] holds stores with an MVCC engine, regions with their peers, a placement driver with its oracle,
// and the network in between. It is driven by one goroutine: [World.Step] takes the next event from a heap and lets it
// happen. Whatever could happen in more than one way is asked of one [Chooser], and choice 0 is always the boring one,
// so that a shrinker which lowers choices ends at a run in which nothing goes wrong. A seed, or a log of decisions,
// reproduces a run exactly; [World.Hash] proves it.
//
// A [Client] is what one client process sees of the world. It implements [ports.Network], [ports.Oracle],
// [ports.Placement] and [ports.Timers]. Programs wait for it in one of three ways:
//
//   - directly: a sink's Post steps a machine at once, inside [World.Step];
//   - as tasks ([World.Go]): ordinary blocking code on a coroutine that [Task.Park] suspends;
//   - in wall time ([NewWall]): many goroutines, and one that maps virtual time to real time.
//
// The store's behaviour follows TiKV's sources; every rule names the file that it was taken from.
package sim
