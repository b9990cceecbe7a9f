package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// What a listing keeps in memory is bounded, whatever limits an artifact has on disk.
const (
	maxNames = 64 << 20 // bytes of all names and of what symlinks lead to
	maxZip   = 64 << 20 // bytes of a zip, whose table of contents comes last
)

// An Entry is what an artifact unpacks to at one place.
type Entry struct {
	Name   string // below the top, parted by slashes; "." for the top itself, or for a File
	Mode   fs.FileMode
	Size   int64             // of a file, bytes
	SHA256 [sha256.Size]byte // of a file's content
	Target string            // of a symlink
}

// List reads an artifact from r to its very end and returns what Unpack makes of it, by name, the top first; it writes
// nothing. It refuses what Unpack refuses, and in the same words; of an artifact that is so large that a list of it would
// not fit into the memory that is set aside (64 MiB of names, or a zip of 64 MiB) it says so.
func List(ctx context.Context, r io.Reader, o Options) ([]Entry, Stats, error) {
	u := newUnpacker(ctx, r, o)
	u.list = &listing{u: u, entries: map[string]Entry{}}
	if o.Format != File {
		u.list.entries["."] = Entry{Name: ".", Mode: implied.mode}
	}
	if err := u.unpack(); err != nil {
		return nil, u.stats, err
	}
	return u.list.sorted(), u.stats, nil
}

// A listing is a target that keeps what would be there, by name.
type listing struct {
	u       *unpacker
	entries map[string]Entry
	winding []string // as in tree
	names   int      // bytes
}

func (l *listing) sorted() []Entry {
	all := slices.Collect(maps.Values(l.entries))
	slices.SortFunc(all, func(a, b Entry) int {
		switch {
		case a.Name == ".":
			return -1
		case b.Name == ".":
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

func (l *listing) close() {}

// spool keeps a zip in memory.
func (l *listing) spool() (spool, error) {
	var b bytes.Buffer
	left := min(maxZip, l.u.limits.Size+l.u.limits.table())
	if err := l.u.copy(&spoolWriter{&b, l.u.limits, left}, io.LimitReader(l.u.packed, maxZip)); err != nil {
		return nil, err
	}
	if b.Len() == maxZip {
		return nil, fmt.Errorf("it has %d MiB or more: too large to list", maxZip>>20)
	}
	return memory{bytes.NewReader(b.Bytes())}, nil
}

type memory struct{ *bytes.Reader }

// Close implements io.Closer.
func (memory) Close() error { return nil }

// put keeps an entry.
func (l *listing) put(e Entry) error {
	l.names += len(e.Name) + len(e.Target)
	if l.names > maxNames {
		return fmt.Errorf("the names up to here have more than %d MiB: too much to list", maxNames>>20)
	}
	l.entries[e.Name] = e
	return nil
}

// imply puts the directory of that name, and those above, where they are missing.
func (l *listing) imply(name string) error {
	if e, ok := l.entries[name]; ok {
		if !e.Mode.IsDir() {
			return fmt.Errorf("%q is there already, as another kind of entry than a directory", cut(name))
		}
		return nil
	}
	if err := l.imply(path.Dir(name)); err != nil {
		return err
	}
	if err := l.u.ctx.Err(); err != nil {
		return err
	}
	if err := l.u.count(); err != nil {
		return err
	}
	return l.put(Entry{Name: name, Mode: implied.mode})
}

// place makes sure that an entry that is no directory can have that name.
func (l *listing) place(name string) error {
	if e, ok := l.entries[name]; ok && e.Mode.IsDir() {
		return errors.New("it is there already, as a directory")
	}
	return l.imply(path.Dir(name))
}

func (l *listing) directory(entry string, a attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	if err := l.u.allow(a); err != nil {
		return err
	}
	if e, ok := l.entries[name]; ok && !e.Mode.IsDir() {
		return fmt.Errorf("%q is there already, as another kind of entry than a directory", cut(name))
	}
	if name != "." {
		if err := l.imply(path.Dir(name)); err != nil {
			return err
		}
	}
	return l.put(Entry{Name: name, Mode: fs.ModeDir | a.mode&permissions})
}

func (l *listing) file(entry string, content io.Reader, a attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	if err := l.u.allow(a); err != nil {
		return err
	}
	if err := l.place(name); err != nil {
		return err
	}
	return l.add(name, a.mode&permissions, content)
}

// add reads a file's content, which is counted as if it were written.
func (l *listing) add(name string, mode fs.FileMode, content io.Reader) error {
	before, sum := l.u.stats.Unpacked, sha256.New()
	if err := l.u.fill(sum, content); err != nil {
		return err
	}
	return l.put(Entry{Name: name, Mode: mode, Size: l.u.stats.Unpacked - before, SHA256: [sha256.Size]byte(sum.Sum(nil))})
}

func (l *listing) symlink(entry, target string, _ attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	winding, err := checkTarget(name, target)
	if err != nil {
		return err
	}
	if err := l.place(name); err != nil {
		return err
	}
	if winding {
		l.winding = append(l.winding, name)
	}
	return l.put(Entry{Name: name, Mode: fs.ModeSymlink | fs.ModePerm, Target: target})
}

func (l *listing) hardLink(entry, target string) error {
	name, to, err := cleanLink(entry, target)
	if err != nil {
		return err
	}
	e, ok := l.entries[to]
	switch {
	case !ok:
		return fmt.Errorf("it is a link to %q, which is no earlier entry", cut(target))
	case e.Mode.IsDir():
		return fmt.Errorf("it is a hard link to the directory %q", cut(target))
	case e.Mode.Type() == fs.ModeSymlink:
		winding, err := checkTarget(name, e.Target)
		if err != nil {
			return err
		}
		if winding {
			l.winding = append(l.winding, name)
		}
	}
	if err := l.place(name); err != nil {
		return err
	}
	e.Name = name
	return l.put(e)
}

func (l *listing) finish() error {
	for _, name := range l.winding {
		if err := l.u.ctx.Err(); err != nil {
			return fmt.Errorf("cannot unpack the artifact: %w", err)
		}
		if l.escapes(name) {
			return entryError(name, errors.New("it is a symlink that leads outside"))
		}
	}
	return nil
}

// maxFollowed is how many symlinks a look-up follows: more are a loop, and lead nowhere.
const maxFollowed = 255

// escapes reports whether a look-up of name, which follows symlinks, leaves the tree on its way. One that ends where
// nothing is, or goes round in circles, does not.
func (l *listing) escapes(name string) bool {
	at, rest := ".", strings.Split(name, "/")
	for followed := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return true
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		e, ok := l.entries[next]
		switch {
		case !ok, e.Mode.IsRegular() && len(rest) > 0:
			return false
		case e.Mode.Type() == fs.ModeSymlink:
			if followed++; followed > maxFollowed {
				return false
			}
			rest = append(strings.Split(e.Target, "/"), rest...)
		default:
			at = next
		}
	}
	return false
}
