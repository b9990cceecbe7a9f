// Package file gives turns on one machine, through file locks: for updates that should not run at once where
// there is no Consul. It knows nothing of other machines.
//
// A group has its files GROUP.0, GROUP.1 … in one directory, one for each slot; who holds a slot holds the
// kernel's lock (flock) on its file and has written a lock.Holder into it as JSON. The kernel drops the lock
// with the process, however it ends, so a slot of a dead process is free at once. The files stay: to unlink
// them would let two processes lock two files of the same name.
//
// The kernel's locks are as good as the file system: use a local one. There is no order of arrival. Whoever
// waits tries again, each 10 ms at first and each 250 ms at last.
//
// A slot is lost if its file is removed or replaced, since others then lock another one. The holder looks
// once a second, so unlike a slot in Consul another process may have it before the holder notices; Check, right
// before the switch, always looks.
package file
