// Package simtest tests applications in simulated worlds: a TiKV cluster in memory, in which anything can go wrong,
// in virtual time, and so that every run can be repeated.
//
//	func TestTransfers(t *testing.T) {
//		simtest.Run(t, sim.Config{Faults: sim.AllFaults}, func(w *simtest.World, db *app.Client) {
//			w.NoErr(bank.Deposit(w.Context(), db, "ada", 100))
//			for i := range 4 {
//				w.Go(fmt.Sprint("teller-", i), func(ctx context.Context) error { return bank.Work(ctx, db) })
//			}
//			w.Wait() // faults, then peace: every teller must come to an end
//			w.NoErr(bank.Audit(w.Context(), db))
//		})
//	}
//
// [Run] does this for many seeds. Each is a run in a bubble of package testing/synctest, where time stands still
// while somebody works and leaps when everybody waits. The application is ordinary code: goroutines, contexts,
// timers. The client is the real one, and the simulated cluster answers it.
//
// # What makes runs repeat
//
// Only one task works at a time. It works until it has to wait, for the cluster, a timer, or another task; only then
// the world goes on, and decides who works next. All decisions come from the seed, so that a run repeats as long as
// the application does. It does not if tasks share memory without waiting for each other in ways of their own; if
// what it does depends on the order of a map, a select with several ready cases, math/rand, or addresses; and if
// goroutines that were not started with [World.Go] use the client at the same instant. With -sim.check each seed
// runs twice, and the first decision that differs is reported.
//
// Nothing may wait for anything outside the bubble: network connections, processes. And no mutex may be held across
// a call of the client while another task wants it: for the bubble, a goroutine that waits for a mutex is not
// blocked, so that no time passes and the answer never comes. A run that hangs in this way ends with the stacks of
// all goroutines.
//
// # What is found
//
// A run fails when the test says so ([World.NoErr], [World.Errorf], testify with the World in place of testing.T),
// when a task returns an error or panics, when a task has not ended some time after the cluster was healed, and when
// a client cannot be closed. [Run] then shrinks the run: it drops decisions for as long as the test still fails, and
// writes what is left as a [Transcript], whose comments tell what happened. Committed with the fix it is a
// regression test: [Run] begins with it, and [Replay] runs one from anywhere.
//
// docs/simulation.md tells the same at greater length.
package simtest
