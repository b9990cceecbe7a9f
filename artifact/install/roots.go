package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A roots is the parent of a destination and the folder beside it, both open. A name below the folder's is looked for
// in the folder that was opened and checked, whatever has its name by now: who owns the parent may put something else
// there at any time. And no name leads through a symlink: who owns a part of a release may put one there.
type roots struct {
	parent *os.Root
	folder *os.Root // nil until it was opened
	name   string   // of the folder in parent
}

func (r *roots) Name() string { return r.parent.Name() }

func (r *roots) Close() {
	if r.folder != nil {
		r.folder.Close()
	}
	r.parent.Close()
}

// in calls f with the directory that name is in, and what name is called there.
func (r *roots) in(name string, f func(dir *os.Root, base string) error) error {
	dir, rest := r.parent, name
	if below, ok := strings.CutPrefix(name, r.name); ok && r.folder != nil && (below == "" || below[0] == filepath.Separator) {
		dir, rest = r.folder, "."
		if below != "" {
			rest = below[1:]
		}
	}
	return r.named(name, walk(dir, rest, f))
}

// walk is [roots.in] for names below one directory.
func walk(root *os.Root, name string, f func(dir *os.Root, base string) error) error {
	dir := root
	defer func() {
		if dir != root {
			dir.Close()
		}
	}()
	for part, rest, more := strings.Cut(name, string(filepath.Separator)); more; part, rest, more = strings.Cut(rest, string(filepath.Separator)) {
		next, err := openSub(dir, part)
		if err != nil {
			return err
		}
		if dir != root {
			dir.Close()
		}
		dir, name = next, rest
	}
	return f(dir, name)
}

// openSub opens a directory in dir, and follows no symlink.
func openSub(dir *os.Root, name string) (*os.Root, error) {
	there, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !there.IsDir() {
		return nil, &noDirectory{name, there.Mode()}
	}
	return openSame(dir, name, there)
}

// openSame opens the directory that was seen under that name. An os.Root follows symlinks: so what it opened must be
// what was seen.
func openSame(dir *os.Root, name string, seen fs.FileInfo) (*os.Root, error) {
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := sub.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = &fs.PathError{Op: "open", Path: name, Err: errReplaced}
	}
	if err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

var errReplaced = errors.New("it was replaced meanwhile: somebody else can write beside it")

// A noDirectory is in the way of a name.
type noDirectory struct {
	path string
	mode fs.FileMode
}

func (e *noDirectory) Error() string {
	return fmt.Sprintf("%s must be a directory itself, and no link or file (it is %s)", e.path, e.mode)
}

// named gives an error the name that was asked for.
func (r *roots) named(name string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		p.Path = filepath.Join(r.Name(), name)
	}
	if n, ok := errors.AsType[*noDirectory](err); ok && !filepath.IsAbs(n.path) {
		before, _, _ := strings.Cut(name+"/", "/"+n.path+"/")
		n.path = filepath.Join(r.Name(), before, n.path)
	}
	return err
}

func (r *roots) Lstat(name string) (info fs.FileInfo, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		info, err = dir.Lstat(base)
		return err
	})
	return info, err
}

func (r *roots) Readlink(name string) (text string, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		text, err = dir.Readlink(base)
		return err
	})
	return text, err
}

func (r *roots) ReadFile(name string) (b []byte, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		b, err = dir.ReadFile(base)
		return err
	})
	return b, err
}

// ReadDir returns what is in a directory, by name.
func (r *roots) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		entries, err = fs.ReadDir(dir.FS(), base)
		return err
	})
	return entries, err
}

func (r *roots) Open(name string) (*os.File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

func (r *roots) OpenFile(name string, flags int, mode fs.FileMode) (f *os.File, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		f, err = dir.OpenFile(base, flags, mode)
		return err
	})
	return f, err
}

// OpenRoot opens a directory; it is none that a symlink leads to.
func (r *roots) OpenRoot(name string) (root *os.Root, err error) {
	err = r.in(name, func(dir *os.Root, base string) error {
		root, err = openSub(dir, base)
		return err
	})
	return root, err
}

// Mkdir makes a directory that has that mode whatever the umask.
func (r *roots) Mkdir(name string, mode fs.FileMode) error {
	return r.in(name, func(dir *os.Root, base string) error {
		if err := dir.Mkdir(base, mode); err != nil {
			return err
		}
		return setMode(dir, base, mode)
	})
}

func (r *roots) Symlink(target, name string) error {
	return r.in(name, func(dir *os.Root, base string) error { return dir.Symlink(target, base) })
}

func (r *roots) Remove(name string) error {
	return r.in(name, func(dir *os.Root, base string) error { return dir.Remove(base) })
}

func (r *roots) RemoveAll(name string) error {
	err := r.in(name, func(dir *os.Root, base string) error { return dir.RemoveAll(base) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nor the directory that it would be in
	}
	return err
}
