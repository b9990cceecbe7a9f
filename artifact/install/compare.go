package install

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/dropship/dropship/artifact/archive"
)

// Changes are what a switch would change below the destination: the paths of files and symlinks, parted by slashes and
// sorted; "." is the destination itself, where it is a file. Persistent paths are left out, and so are directories.
type Changes struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"` // also what the application, or a person, has put there beside the release
	Changed []string `json:"changed"` // another content, another mode, or another kind of file
}

// Compare reads an artifact from r to its end, and returns what would change if it were installed. It unpacks nothing
// and writes nothing, but refuses what a Stage would refuse. What is at the destination is read as far as size, mode and
// kind are the same. Errors are those of archive.List, of r, of ctx, and of reading what is at the destination.
func (s *Site) Compare(ctx context.Context, r io.Reader) (Changes, error) {
	c, err := func() (Changes, error) {
		entries, _, err := archive.List(ctx, r, s.o.Archive)
		if err != nil {
			return Changes{}, err
		}
		next := map[string]leaf{}
		for _, e := range entries {
			if name := filepath.FromSlash(e.Name); !e.Mode.IsDir() && !s.persists(name) {
				sum := e.SHA256
				next[name] = leaf{mode: e.Mode, size: e.Size, target: e.Target, sum: func(context.Context) ([sha256.Size]byte, error) { return sum, nil }}
			}
		}
		return s.compare(ctx, next, nil)
	}()
	if err != nil {
		return Changes{}, fmt.Errorf("cannot compare the artifact with %s: %w", s.o.Destination, s.explain(err))
	}
	return c, nil
}

// CompareRelease returns what a Switch to release id would change. It is ErrNoRelease if its files are not on disk.
func (s *Site) CompareRelease(ctx context.Context, id string) (Changes, error) {
	c, err := func() (Changes, error) {
		if err := checkID(id); err != nil {
			return Changes{}, err
		}
		d, err := s.open()
		if errors.Is(err, fs.ErrNotExist) {
			return Changes{}, ErrNoRelease
		}
		if err != nil {
			return Changes{}, err
		}
		defer d.close()
		next, done, err := d.leaves(ctx, d.tree(id))
		if errors.Is(err, fs.ErrNotExist) {
			return Changes{}, ErrNoRelease
		}
		if err != nil {
			return Changes{}, err
		}
		defer done()
		return s.compare(ctx, next, d)
	}()
	if err != nil {
		return Changes{}, fmt.Errorf("cannot compare release %s with %s: %w", id, s.o.Destination, s.explain(err))
	}
	return c, nil
}

// A leaf is a file or a symlink of a tree.
type leaf struct {
	mode   fs.FileMode
	size   int64
	target string // of a symlink
	sum    func(context.Context) ([sha256.Size]byte, error)
}

// compare compares what would be there with what is there. d is the opened parent, or nil.
func (s *Site) compare(ctx context.Context, next map[string]leaf, d *directory) (Changes, error) {
	var live map[string]leaf
	if d == nil {
		parent, err := s.openParent()
		if err == nil {
			defer parent.close()
			d = parent
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Changes{}, err
		}
	}
	if d != nil {
		found, done, err := d.leaves(ctx, d.name)
		if err == nil {
			defer done()
			live = found
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Changes{}, err
		}
	}
	c := Changes{Added: []string{}, Removed: []string{}, Changed: []string{}} // none is an empty array, also in JSON
	for name, n := range next {
		l, there := live[name]
		if !there {
			c.Added = append(c.Added, filepath.ToSlash(name))
			continue
		}
		same, err := n.is(ctx, l)
		if err != nil {
			return Changes{}, err
		}
		if !same {
			c.Changed = append(c.Changed, filepath.ToSlash(name))
		}
	}
	for name := range live {
		if _, stays := next[name]; !stays {
			c.Removed = append(c.Removed, filepath.ToSlash(name))
		}
	}
	for _, names := range [][]string{c.Added, c.Removed, c.Changed} {
		slices.Sort(names)
	}
	return c, nil
}

// is reports whether two leaves are the same, and reads them only if that is the last question.
func (l leaf) is(ctx context.Context, other leaf) (bool, error) {
	if l.mode.Type() != other.mode.Type() || l.target != other.target {
		return false, nil
	}
	if l.mode.Type() != 0 {
		return true, nil
	}
	if l.mode != other.mode || l.size != other.size {
		return false, nil
	}
	a, err := l.sum(ctx)
	if err != nil {
		return false, err
	}
	b, err := other.sum(ctx)
	return a == b, err
}

// persists reports whether name is, or is in, a path that lives across releases.
func (s *Site) persists(name string) bool {
	return slices.ContainsFunc(s.o.Persist, func(p string) bool { return name == p || inside(name, p) })
}

// leaves returns what is below name, in the parent, and what frees it: leaves are read through it.
func (d *directory) leaves(ctx context.Context, name string) (all map[string]leaf, done func(), err error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		open := func() (*os.File, error) { return d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) }
		return map[string]leaf{".": {mode: info.Mode(), size: info.Size(), sum: sumOf(open)}}, func() {}, nil
	}
	tree, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	all = map[string]leaf{}
	err = fs.WalkDir(tree.FS(), ".", func(slashed string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		path := filepath.FromSlash(slashed)
		if d.site.persists(path) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed while we look: the application runs
		}
		if err != nil {
			return err
		}
		// A file may have become a fifo since: to open one that nobody writes to would take for ever.
		l := leaf{mode: info.Mode(), size: info.Size(), sum: sumOf(func() (*os.File, error) {
			return tree.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		})}
		if l.mode.Type() == fs.ModeSymlink {
			if l.target, err = tree.Readlink(path); err != nil {
				return err
			}
		}
		all[path] = l
		return nil
	})
	if err != nil {
		tree.Close()
		return nil, nil, err
	}
	return all, func() { tree.Close() }, nil
}

// sumOf hashes what open opens. What is gone by then has a sum that no content has.
func sumOf(open func() (*os.File, error)) func(context.Context) ([sha256.Size]byte, error) {
	return func(ctx context.Context) (sum [sha256.Size]byte, err error) {
		f, err := open()
		if errors.Is(err, fs.ErrNotExist) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return sum, err
		}
		h := sha256.New()
		if _, err := io.Copy(h, &untilDone{ctx, f}); err != nil {
			return sum, err
		}
		return [sha256.Size]byte(h.Sum(nil)), nil
	}
}

// An untilDone reader ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
