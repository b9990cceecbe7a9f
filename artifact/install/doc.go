// Package install puts releases in place: it stages a release beside its destination, switches it in
// with one atomic step, puts the previous one back, and prunes old ones.
//
// For the destination /srv/app everything but the current release stands in /srv/.app.dropship, on the
// same file system, because only there a rename is possible:
//
//	/srv/app                              the current release, with nothing of ours in it
//	/srv/.app.dropship/ID/release.json    what release ID is
//	/srv/.app.dropship/ID/tree            its files; absent while it is the current one
//	/srv/.app.dropship/ID/own/PATH        what it brought itself for a persistent path, if not in use
//	/srv/.app.dropship/persist/PATH       persistent paths, to which every release links
//	/srv/.app.dropship/stage-ID/          not sealed yet: worthless after a crash
//	/srv/.app.dropship/trash-ID/          being removed: worthless after a crash
//	/srv/.app.dropship/switch.json        a switch by two renames is under way
//	/srv/.app.dropship/lock               locked by the process that works on the destination
//
// Which release is at the destination is never written down, so it cannot be wrong: release.json holds
// the inode number and the birth time of the release's topmost directory (or of its file), which a rename
// leaves as they are, and they are compared with those of the destination.
//
// A Switch exchanges the destination and ID/tree with renameat2(RENAME_EXCHANGE): whoever opens the
// destination finds the old release or the new one, never nothing. File systems without it (NFS,
// 9p, some FUSE; every system but Linux) get two renames, between which a directory is absent for an instant;
// a file is replaced without a gap even there. Whatever kills the process or the machine, Recover
// finds the destination complete or completes it.
//
// The folder has mode 0711: nobody lists it, but applications that run as other users can follow their
// release's links into persist. Whatever the umask, directories have mode 0711 or 0755 (what is missing above the
// destination, and persistent paths), and files that are ours 0600.
//
// Who else may write in the parent cannot have anything read, written or removed elsewhere: the folder is opened once,
// checked, and used as what was opened, no name leads through a symlink, and symlinks above the destination are followed
// only if they are root's or our own (Linux). Who may rename what is in the parent decides, of course, what stands there.
package install
