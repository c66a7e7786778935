// Package drive runs the machines of core on the ports.
//
// An operation is a root machine with a mailbox and somebody who runs it. Its
// caller runs it first: the goroutine that called [Op.Run] steps the machine,
// performs its effects on the ports, and waits for the events that answer them. No
// request, region or retry costs a goroutine. A machine that lives on after its
// answer (a commit with secondaries) is handed over, together with its mailbox, to
// a hosted loop, which also runs the tables that all operations share.
//
// Usage, from the application layer:
//
//	gets := drive.NewPool[read.Get](d, codec)
//	…
//	op := gets.Op()
//	op.Machine.Init(key, ts, opt, d.Deadline(ctx, timeout))
//	err := op.Run(ctx)              // until the machine has answered
//	value, ok := op.Machine.Value() // nobody steps the machine in between
//	op.Release()                    // hands over, or back to the pool
//
// An operation has one lock, its mailbox's: it is held to append or take events and
// to change the runner. No two locks of the driver are held together, and none
// while a port is called or a machine is stepped, so that a port may post from
// wherever it likes, with locks of its own.
//
// The driver looks at no clock but [ports.Timers], and draws every seed from its
// own. On a host with Direct set and ports that are deterministic, everything that
// it does is deterministic.
package drive
