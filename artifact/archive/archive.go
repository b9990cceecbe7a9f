// Package archive unpacks artifacts, in one pass over the bytes and confined to one directory.
//
// An artifact comes from wherever the configuration says, and may be anything: what it is unpacked to
// is therefore created through an os.Root, and everything that is no plain file, directory or link
// within the tree is refused.
package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Options say how to unpack.
type Options struct {
	Format Format
	// Sniff is set where Format is File only because nothing told another: then content that looks like
	// an archive is an error. A Format that the user wrote is taken at their word.
	Sniff    bool
	Limits   Limits
	Setuid   bool // keep setuid and setgid bits; without it an entry that has them is an error
	UID, GID int  // owner of everything unpacked, -1: the process's own
	// Unpacked, if set, is told how many bytes of files were unpacked so far, in Unpack's own goroutine and at every
	// write: it returns at once.
	Unpacked func(bytes int64)
}

// Stats is what was unpacked.
type Stats struct {
	Packed, Unpacked int64 // bytes read from the reader, bytes of all files together
	Entries          int
}

// Unpack reads an artifact from r to its very end and creates it as name in dir: a directory for an
// archive, a file for File. name is one path element, and must not exist.
//
// The bytes are read once, in order, and are not kept: by the calling goroutine or, where they are compressed, by another
// one, of which nothing is left when Unpack returns; after an error that is as soon as the read that is under way returns.
// They are read beyond the end of the archive (padding, and what gzip's own tool ignores as trailing garbage), so that a
// hash taken on the way covers all of them. Only a zip is written down first, since its table of
// contents comes last: to a file beside name that is unlinked while it is open, and so is gone in
// every case, even after a crash.
//
// Memory does not grow with the artifact but with the number of its directories (for a zip, of its
// entries). Window and dictionary of a compression are allocated as its writer chose, up to 128 MiB: more
// is an error.
//
// What is kept: the permission bits exactly as archived, whatever the umask; modification times, of
// links too; symlinks, hard links, empty directories; names as the bytes they are. The entry "." is
// the top directory itself. A directory that the archive implies without naming it, and the top
// directory if it is not named, get mode 0755; so do directories of a zip made without Unix modes,
// while its files get 0644. A File gets 0755 if it begins as a program does (ELF, or "#!"), else 0644.
// Not kept: owners (Options.UID and GID decide), access times, modification times before 1677 and after 2262
// (which become those), extended attributes and ACLs. A sparse
// file is written in full, and counts so; an implied directory counts as an entry. As with GNU tar, of
// several entries with one name the last wins; only a directory cannot replace another kind of entry,
// nor the reverse.
//
// What is refused, with the entry's name: an absolute name, ".." as part of a name, a NUL, in a zip a
// backslash; a name of more than 4095 bytes, of more than 255 in one of its parts, or of more than 256
// parts; an entry below one that is no directory, so also below a symlink; a symlink whose target
// is absolute or leads outside the tree; a hard link to anything but an earlier entry; devices, fifos
// and sockets; setuid and setgid bits without Options.Setuid.
//
// Other errors: content whose magic bytes are those of another format; an archive without any entry,
// so also an empty artifact (a File may be empty); a truncated or corrupt archive. A tar without its
// end marker is accepted, as GNU tar does, if its last entry is complete: only the size or checksum of
// the whole artifact shows that entries are missing after it. A *LimitError says which limit is
// exceeded. Names in errors end after 200 bytes. Errors of r and of the file system are wrapped (syscall.ENOSPC, say). After ctx ends,
// Unpack returns soon if reads from r do, with an error for which errors.Is(err, ctx.Err()) holds.
// Nothing is retried.
//
// Nothing is synced to disk. After an error what is unpacked so far stays as name, if it was created at
// all: the caller removes it. Stats then say how far it came.
func Unpack(ctx context.Context, dir *os.Root, name string, r io.Reader, o Options) (Stats, error) {
	u := newUnpacker(ctx, r, o)
	u.dir, u.name = dir, name
	err := u.unpack()
	return u.stats, err
}

func newUnpacker(ctx context.Context, r io.Reader, o Options) *unpacker {
	u := &unpacker{ctx: ctx, o: o, limits: o.Limits.withDefaults(), buf: make([]byte, bufferSize)}
	u.in = &input{u: u, r: r}
	u.packed = bufio.NewReaderSize(u.in, bufferSize)
	return u
}

// unpack is run, whose errors say all that is known of them.
func (u *unpacker) unpack() error {
	err := u.run()
	u.stats.Packed = u.in.read.Load()
	// Decompressors do not all wrap the errors of what they read from. The cause must not get lost.
	if err != nil && u.in.err != nil && !errors.Is(err, u.in.err) {
		err = fmt.Errorf("%w: %w", err, u.in.err)
	}
	if err != nil && u.ctx.Err() != nil && !errors.Is(err, u.ctx.Err()) {
		err = fmt.Errorf("%w: %w", err, u.ctx.Err())
	}
	return err
}

// bufferSize is large enough that the cost of system calls does not show.
const bufferSize = 256 << 10

// An unpacker is one call of Unpack.
type unpacker struct {
	ctx    context.Context
	dir    *os.Root
	name   string
	o      Options
	limits Limits
	list   *listing // nil: it is unpacked to disk
	in     *input
	packed *bufio.Reader // over in
	buf    []byte        // of copies
	inside int64         // bytes that came out of the decompression, including what is no file's content
	stats  Stats
}

// A target is what the entries of an archive become.
type target interface {
	file(entry string, content io.Reader, a attributes) error
	directory(entry string, a attributes) error
	symlink(entry, target string, a attributes) error
	hardLink(entry, target string) error
	finish() error // after the last entry
	close()
}

func (u *unpacker) target() (target, error) {
	if u.list != nil {
		return u.list, nil
	}
	return newTree(u)
}

func (u *unpacker) run() error {
	head, err := u.packed.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot read the artifact: %w", err)
	}
	if err := agree(u.o.Format, u.o.Sniff, head); err != nil {
		return fmt.Errorf("cannot unpack the artifact: %w", err)
	}
	switch u.o.Format {
	case File:
		err = u.file(head)
	case Zip:
		err = u.zip()
	default:
		err = u.tar()
	}
	if err != nil {
		return err
	}
	if u.o.Format != File && u.stats.Entries == 0 {
		return errors.New("cannot unpack the artifact: the archive has no entries")
	}
	if err := u.copy(io.Discard, u.packed); err != nil {
		return fmt.Errorf("cannot read the artifact to its end: %w", err)
	}
	return nil
}

// file makes the artifact itself the result. Nothing but its first bytes tells whether it is to be run.
func (u *unpacker) file(head []byte) error {
	mode := os.FileMode(0o644)
	if bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!")) {
		mode = 0o755
	}
	err := func() error {
		if u.list != nil {
			u.stats.Entries = 1
			return u.list.add(".", mode, u.packed)
		}
		f, err := u.dir.OpenFile(u.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		u.stats.Entries = 1
		if err := u.fill(&eager{f: f}, u.packed); err != nil {
			return err
		}
		if err := u.own(f.Chown); err != nil {
			return err
		}
		if err := f.Chmod(mode); err != nil {
			return err
		}
		return f.Close()
	}()
	if err != nil {
		return fmt.Errorf("cannot write the artifact as a file: %w", err)
	}
	return nil
}

// own gives what chown acts on to the owner that was configured, if one was.
func (u *unpacker) own(chown func(uid, gid int) error) error {
	if u.o.UID < 0 && u.o.GID < 0 {
		return nil
	}
	return chown(u.o.UID, u.o.GID)
}

// fill copies a file's content, and counts it.
func (u *unpacker) fill(w io.Writer, content io.Reader) error {
	return u.copy(&counted{u, w}, content)
}

// copy is io.CopyBuffer that stops when ctx ends, and always uses the one buffer there is.
func (u *unpacker) copy(w io.Writer, r io.Reader) error {
	for {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(u.buf)
		if n > 0 {
			if _, err := w.Write(u.buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// An input is the caller's reader. It remembers the reader's error, and counts.
type input struct {
	u      *unpacker
	r      io.Reader
	read   atomic.Int64 // bytes
	err    error        // of r, other than io.EOF
	enough atomic.Bool  // unpacking has failed: nobody needs more of it
}

var errEnough = errors.New("unpacking has failed")

func (in *input) Read(p []byte) (int, error) {
	if err := in.u.ctx.Err(); err != nil {
		return 0, err
	}
	if in.enough.Load() {
		return 0, errEnough
	}
	n, err := in.r.Read(p)
	in.read.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}
