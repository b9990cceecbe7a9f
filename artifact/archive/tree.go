package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"syscall"
	"time"
)

// A tree is the directory that an archive is unpacked to. Nothing but it writes there meanwhile.
//
// os.Root alone makes sure that nothing is written outside. What is refused beyond that is refused
// because a tree with it would lead its readers outside, or be another one than was packed.
type tree struct {
	u       *unpacker
	root    *os.Root
	umasked bool // the umask takes what we need in our own directories
	// directories are all that exist, by name. They get their attributes at the end: a directory that
	// may not be written to must be filled first, and filling it changes its mtime.
	directories map[string]attributes
	// winding are the symlinks whose targets go up after they went down. They may pass through another
	// symlink there, so that where they lead shows only when all is in place.
	winding []string
	// parent is the directory of the last entry, open. Entries come directory by directory.
	parent     *os.Root
	parentName string
}

// attributes are what an entry has beside its content.
type attributes struct {
	mode  fs.FileMode
	mtime time.Time // zero: the time of unpacking
}

// oldest and newest are how far a time may be from 1970 for its nanoseconds to fit into 64 bits, in which os hands
// them to the system: the years 1677 and 2262. What is beyond would come out as any other year.
var oldest, newest = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// attributesOf are those of an entry; a time of modification that is beyond the oldest or newest is set to that.
func attributesOf(mode fs.FileMode, mtime time.Time) attributes {
	switch {
	case mtime.IsZero():
	case mtime.Before(oldest):
		mtime = oldest
	case mtime.After(newest):
		mtime = newest
	}
	return attributes{mode, mtime}
}

// permissions are the bits of a mode that are kept.
const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func newTree(u *unpacker) (*tree, error) {
	if err := u.dir.Mkdir(u.name, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory to unpack to: %w", err)
	}
	info, err := u.dir.Lstat(u.name)
	if err != nil {
		return nil, fmt.Errorf("cannot look at the directory to unpack to: %w", err)
	}
	umasked := info.Mode().Perm() != 0o700
	if umasked {
		if err := u.dir.Chmod(u.name, 0o700); err != nil {
			return nil, fmt.Errorf("cannot open the directory to unpack to for ourselves: %w", err)
		}
	}
	root, err := u.dir.OpenRoot(u.name)
	if err != nil {
		return nil, fmt.Errorf("cannot open the directory to unpack to: %w", err)
	}
	return &tree{
		u:           u,
		root:        root,
		umasked:     umasked,
		directories: map[string]attributes{".": implied},
		parent:      root,
		parentName:  ".",
	}, nil
}

// implied are the attributes of a directory that is not an entry itself.
var implied = attributes{mode: fs.ModeDir | 0o755}

func (t *tree) close() {
	t.leave()
	t.root.Close()
}

// leave closes the parent of the last entry.
func (t *tree) leave() {
	if t.parent != t.root {
		t.parent.Close()
	}
	t.parent, t.parentName = t.root, "."
}

// enter opens the directory of that name, and makes it and those above where they are missing.
func (t *tree) enter(name string) error {
	if name == t.parentName {
		return nil
	}
	if err := t.imply(name); err != nil {
		return err
	}
	t.leave()
	if name == "." {
		return nil
	}
	parent, err := t.root.OpenRoot(name)
	if err != nil {
		return short(err)
	}
	t.parent, t.parentName = parent, name
	return nil
}

// imply makes the directory of that name, and those above, where they are missing. One entry can imply
// many: each counts as an entry, and none is made after the end of the context.
func (t *tree) imply(name string) error {
	if _, ok := t.directories[name]; ok {
		return nil
	}
	if err := t.imply(path.Dir(name)); err != nil {
		return err
	}
	if err := t.u.ctx.Err(); err != nil {
		return err
	}
	if err := t.u.count(); err != nil {
		return err
	}
	return t.mkdir(name)
}

// mkdir makes the directory of that name in one that there is.
func (t *tree) mkdir(name string) error {
	err := t.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%q is there already, as another kind of entry than a directory", cut(name))
	}
	if err == nil && t.umasked {
		err = t.root.Chmod(name, 0o700)
	}
	if err != nil {
		return short(err)
	}
	t.directories[name] = implied
	return nil
}

func (t *tree) directory(entry string, a attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	if err := t.u.allow(a); err != nil {
		return err
	}
	if _, ok := t.directories[name]; !ok {
		if err := t.imply(path.Dir(name)); err != nil {
			return err
		}
		if err := t.mkdir(name); err != nil {
			return err
		}
	}
	t.directories[name] = a
	return nil
}

func (t *tree) file(entry string, content io.Reader, a attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	if err := t.u.allow(a); err != nil {
		return err
	}
	var f *os.File
	err = t.create(name, func(base string) error {
		// Never through a link: O_EXCL does not follow them.
		f, err = t.parent.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.u.fill(&eager{f: f}, content); err != nil {
		return err
	}
	// The owner before the mode, since a change of owner takes setuid away.
	if err := t.u.own(f.Chown); err != nil {
		return err
	}
	if err := f.Chmod(a.mode & permissions); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return t.parent.Chtimes(path.Base(name), time.Time{}, a.mtime)
}

func (t *tree) symlink(entry, target string, a attributes) error {
	name, err := clean(entry)
	if err != nil {
		return err
	}
	winding, err := checkTarget(name, target)
	if err != nil {
		return err
	}
	err = t.create(name, func(base string) error { return t.parent.Symlink(target, base) })
	if err != nil {
		return err
	}
	if winding {
		t.winding = append(t.winding, name)
	}
	base := path.Base(name)
	if err := t.u.own(func(uid, gid int) error { return t.parent.Lchown(base, uid, gid) }); err != nil {
		return err
	}
	return t.setLinkTime(base, a.mtime)
}

func (t *tree) hardLink(entry, target string) error {
	name, to, err := cleanLink(entry, target)
	if err != nil {
		return err
	}
	// Not through a symlink: only directories are in the map.
	if _, ok := t.directories[path.Dir(to)]; !ok {
		return fmt.Errorf("it is a link to %q, which is no earlier entry", cut(target))
	}
	info, err := t.root.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it is a link to %q, which is no earlier entry", cut(target))
	case err != nil:
		return short(err)
	case info.IsDir():
		return fmt.Errorf("it is a hard link to the directory %q", cut(target))
	case info.Mode().Type() == fs.ModeSymlink:
		// The same relative target leads elsewhere from here.
		symlink, err := t.root.Readlink(to)
		if err != nil {
			return short(err)
		}
		winding, err := checkTarget(name, symlink)
		if err != nil {
			return err
		}
		if winding {
			t.winding = append(t.winding, name)
		}
	}
	return t.create(name, func(string) error { return short(t.root.Link(to, name)) })
}

// create has one entry made that is no directory, in place of an earlier one if need be.
func (t *tree) create(name string, create func(base string) error) error {
	if _, ok := t.directories[name]; ok {
		return errors.New("it is there already, as a directory")
	}
	if err := t.enter(path.Dir(name)); err != nil {
		return err
	}
	base := path.Base(name)
	err := create(base)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Removed, not overwritten: it may be a hard link, whose other names keep the earlier content.
	if err := t.parent.Remove(base); err != nil {
		return err
	}
	return create(base)
}

// allow says whether an entry may have the mode that it has.
func (u *unpacker) allow(a attributes) error {
	if a.mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 && !u.o.Setuid {
		return fmt.Errorf("it is setuid or setgid (%s): set setuid = true to allow that", a.mode)
	}
	return nil
}

// finish gives the directories their attributes, after the last entry.
func (t *tree) finish() error {
	t.leave()
	for _, name := range t.winding {
		if err := t.u.ctx.Err(); err != nil {
			return fmt.Errorf("cannot unpack the artifact: %w", err)
		}
		if err := t.checkWinding(name); err != nil {
			return entryError(name, err)
		}
	}
	// Backwards, what is in a directory comes before it: a directory may forbid to search it.
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(t.directories))) {
		if err := t.u.ctx.Err(); err != nil {
			return fmt.Errorf("cannot unpack the artifact: %w", err)
		}
		if err := t.settle(name, t.directories[name]); err != nil {
			return entryError(name, short(err))
		}
	}
	return nil
}

func (t *tree) settle(name string, a attributes) error {
	if err := t.u.own(func(uid, gid int) error { return t.root.Lchown(name, uid, gid) }); err != nil {
		return err
	}
	if err := t.root.Chtimes(name, time.Time{}, a.mtime); err != nil {
		return err
	}
	return t.root.Chmod(name, a.mode&permissions)
}

// checkWinding lets os.Root follow a symlink to where it leads: it goes nowhere outside.
func (t *tree) checkWinding(name string) error {
	_, err := t.root.Stat(name)
	for _, harmless := range []error{nil, fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, harmless) {
			return nil
		}
	}
	return fmt.Errorf("it is a symlink that leads outside: %w", short(err))
}
