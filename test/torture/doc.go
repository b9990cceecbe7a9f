// Torture disturbs updates of the real dropship at every step, by every fault that is registered in faults.go, and
// checks after each round what docs/guarantees.md promises. It prints the matrix fault × step, in which each cell
// says what the destination was right after the fault, and exits with 1 if any round was a violation.
//
// # How to write a fault
//
// Put it into a file of its own, as a function that returns a [Fault], and add a line to faults.go. A round is
//
//	func round(ctx context.Context, r *Round) (_ Seen, err error) {
//		m, err := NewMachine(ctx, r, r.Variant()) // a machine that runs release 1
//		if err != nil {
//			return "", err
//		}
//		defer func() { err = errors.Join(err, m.Close()) }()
//		if err := m.Publish(ctx, Good(2)); err != nil { // or Broken(2), for one whose after chain fails
//			return "", err
//		}
//		p, err := m.Start(ctx, m.Command(), nil) // or a Watch, to decide about each of its system calls
//		… disturb, then wait until p has ended, or end it …
//		seen, err := m.Struck()  // what is there right now
//		if err != nil {
//			return "", err
//		}
//		return seen, m.Recover(ctx) // start again, wait for the newest good release, check everything
//	}
//
// The variant follows the round's number: every kind of repository, directory and plain file, exchange and two
// renames, with and without persistent paths and a Consul slot. A fault that needs one of them sets it itself.
// From NewMachine to Close a reader looks at the destination all the time; what it finds wrong is an error of Recover
// (or of Check, for a fault that recovers in its own way).
//
// How far an update has come is told by [Progress], from the log of the process and of the hooks. A process can be
// stopped at each of its system calls: see Watch, and package trap.
package main
