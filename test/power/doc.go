// Package power cuts the power of a machine on which the dropship binary works, as often as one likes: what the
// machine believed to be on its disks and had not flushed is gone, or is there in part, or in another order.
//
// There are two ways to cut, since each shows what the other cannot:
//
//   - A Recorder is a file system of ours (FUSE) whose files are disks. The kernel puts a file system (ext4, xfs,
//     btrfs) on one through a loop device, and a flush of that device arrives here as fsync. The Recorder keeps every
//     write and every flush in one log, together with what the hooks of the update told the world outside. From the
//     log of a single update come hundreds of disks as they can be found after a power failure: all that was flushed,
//     and any part of what was not. This is a disk with a volatile write cache that does what it promises.
//   - Shutdown tells a mounted ext4 or xfs to stop at this instant without writing its journal, right after the
//     process that worked on it was killed.
//
// After both the file system is mounted again, by which the kernel replays its journal, and a Machine tells whether
// what was promised is there.
package power
