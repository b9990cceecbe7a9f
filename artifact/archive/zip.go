package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// zip unpacks a zip. Its table of contents is at its end, and only that is to be believed: the
// artifact is written to a file first.
func (u *unpacker) zip() error {
	spool, err := u.spool()
	if err != nil {
		return fmt.Errorf("cannot write down the zip to unpack: %w", err)
	}
	defer spool.Close()
	table := &tableReader{u: u, r: spool, left: u.limits.table()}
	z, err := zip.NewReader(table, u.in.read.Load())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked here, with or without GODEBUG
		return fmt.Errorf("cannot read the zip's table of contents, which is at its end: %w", err)
	}
	table.done = true
	t, err := u.target()
	if err != nil {
		return err
	}
	defer t.close()
	for _, f := range z.File {
		if err := u.ctx.Err(); err != nil {
			return fmt.Errorf("cannot unpack the artifact: %w", err)
		}
		if err := u.count(); err != nil {
			return entryError(f.Name, err)
		}
		if err := zipEntry(t, f); err != nil {
			return entryError(f.Name, truncated(err))
		}
	}
	return t.finish()
}

// A spool is a zip that was read to its end.
type spool interface {
	io.ReaderAt
	io.Closer
}

// spool returns the artifact as a file that has no name any more.
func (u *unpacker) spool() (spool, error) {
	if u.list != nil {
		return u.list.spool()
	}
	name := u.name + ".zip"
	f, err := u.dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := u.dir.Remove(name); err != nil {
		f.Close()
		return nil, err
	}
	if err := u.copy(&spoolWriter{f, u.limits, u.limits.Size + u.limits.table()}, u.packed); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// table is how many bytes a table of contents may have: 256 for each entry allowed is more than real
// ones take, and keeps the memory for it within bounds.
func (l Limits) table() int64 { return 1<<20 + 256*int64(l.Entries) }

// A spoolWriter stops the zip that alone would fill the disk.
type spoolWriter struct {
	w      io.Writer
	limits Limits
	left   int64
}

func (s *spoolWriter) Write(p []byte) (int, error) {
	if s.left -= int64(len(p)); s.left < 0 {
		return 0, &LimitError{What: "maxSize", Limit: s.limits.Size}
	}
	return s.w.Write(p)
}

// A tableReader bounds what is read until done is set. archive/zip reads the whole table at once,
// and how long it says it is proves nothing.
type tableReader struct {
	u    *unpacker
	r    io.ReaderAt
	left int64
	done bool
}

func (t *tableReader) ReadAt(p []byte, offset int64) (int, error) {
	if t.done {
		return t.r.ReadAt(p, offset)
	}
	if err := t.u.ctx.Err(); err != nil {
		return 0, err
	}
	if t.left < 0 {
		return 0, &LimitError{What: "maxEntries", Limit: int64(t.u.limits.Entries)}
	}
	n, err := t.r.ReadAt(p, offset)
	t.left -= int64(n)
	return n, err
}

func zipEntry(t target, f *zip.File) error {
	const encrypted = 0x1
	switch {
	case strings.Contains(f.Name, `\`):
		return errors.New("a backslash in its name means different things on different systems: pack with / between folders")
	case f.Flags&encrypted != 0:
		return errors.New("it is encrypted")
	}
	a := attributesOf(zipMode(f), f.Modified)
	switch a.mode.Type() {
	case fs.ModeDir:
		return t.directory(f.Name, a)
	case fs.ModeSymlink:
		target, err := zipTarget(f)
		if err != nil {
			return err
		}
		return t.symlink(f.Name, target, a)
	case 0:
		content, err := f.Open()
		if err != nil {
			return err
		}
		defer content.Close()
		return t.file(f.Name, content, a)
	default:
		return fmt.Errorf("it is a device, a fifo or a socket (%s)", a.mode)
	}
}

// zipMode returns an entry's mode: the usual one where the zip was made on a system that has none.
func zipMode(f *zip.File) fs.FileMode {
	const unix, macOS = 3, 19
	made := f.CreatorVersion >> 8
	if (made == unix || made == macOS) && f.ExternalAttrs>>16 != 0 {
		return f.Mode()
	}
	if f.Mode().IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// zipTarget reads a symlink's target, which is its content.
func zipTarget(f *zip.File) (string, error) {
	content, err := f.Open()
	if err != nil {
		return "", err
	}
	defer content.Close()
	target, err := io.ReadAll(io.LimitReader(content, maxPath+1))
	return string(target), err
}
