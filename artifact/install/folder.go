package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	stagePrefix = "stage-"
	trashPrefix = "trash-"
	persistName = "persist"
	releaseName = "release.json"
	intentName  = "switch.json"
	lockName    = "lock"
)

// crashPoint is called after each step that a crash can separate from the next one; tests die in it.
var crashPoint = func(string) {}

// folderChecked is called between the check of a folder and its use; a test puts something else there.
var folderChecked = func() {}

// A directory is the opened parent of a destination, with the folder. Every path below is relative to it, so that what
// is done stays in it whatever happens to the names above.
type directory struct {
	root    *roots
	name    string // the destination
	folder  string // .NAME.dropship
	site    *Site
	persist []string
	method  string // how to switch, once probed
}

// open opens the parent and checks the folder. It is fs.ErrNotExist if either is not there.
func (s *Site) open() (*directory, error) {
	d, err := s.openParent()
	if err != nil {
		return nil, err
	}
	if err := d.openFolder(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// create opens the parent and makes what is missing of it and of the folder.
func (s *Site) create() (*directory, error) {
	if err := makeWay(filepath.Dir(s.o.Destination)); err != nil {
		return nil, err
	}
	d, err := s.openParent()
	if err != nil {
		return nil, err
	}
	if err := d.makeFolder(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (s *Site) openParent() (*directory, error) {
	parent, name, folder := folderOf(s.o.Destination)
	root, err := openWay(parent)
	if err != nil {
		return nil, err
	}
	return &directory{root: &roots{parent: root, name: folder}, name: name, folder: folder, site: s, persist: s.o.Persist}, nil
}

// makeFolder makes the folder if it is missing. Whoever owns the parent can put something else in its place at
// any time: so what is checked and changed is what was opened, not what has its name.
func (d *directory) makeFolder() error {
	err := d.root.Mkdir(d.folder, 0o711)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err == nil {
		crashPoint("folder made")
	}
	return d.openFolder()
}

// openFolder opens the folder, and refuses one in which somebody else could put or change releases.
func (d *directory) openFolder() error {
	f, err := openDir(d.root.parent, d.folder)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkFolder(f); err != nil {
		return err
	}
	folderChecked()
	checked, err := f.Stat()
	if err != nil {
		return err
	}
	root, err := openSame(d.root.parent, d.folder, checked)
	if err != nil {
		return d.root.named(d.folder, err)
	}
	d.root.folder = root
	return nil
}

func checkFolder(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch uid := os.Geteuid(); {
	case ownerOf(info) != uid:
		return fmt.Errorf("%s belongs to uid %d and releases are installed by uid %d; change its owner or remove it",
			f.Name(), ownerOf(info), uid)
	case info.Mode().Perm()&0o022 != 0 && folderModes:
		return fmt.Errorf("%s can be written by others (mode %#o); chmod go-w it if you trust what is in it",
			f.Name(), info.Mode().Perm())
	}
	mounted, err := mountPoint(f.Name())
	if err != nil {
		return err
	}
	if mounted {
		return fmt.Errorf("%s is a mount point, and releases cannot be renamed out of it; unmount it", f.Name())
	}
	return nil
}

func (d *directory) close() { d.root.Close() }

func (d *directory) path(elem ...string) string {
	return filepath.Join(append([]string{d.folder}, elem...)...)
}

func (d *directory) tree(id string) string { return d.path(id, "tree") }

func (d *directory) exists(name string) (bool, error) {
	_, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// identify returns what tells name apart from everything else on the file system, and whether it is there.
func (d *directory) identify(name string) (identity, bool, error) {
	id, err := identify(d.root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, false, nil
	}
	return id, err == nil, err
}

// sync makes the entries of directories durable.
func (d *directory) sync(names ...string) error {
	for _, name := range names {
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		err = syncDir(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("cannot sync %s: %w", name, err)
		}
	}
	return nil
}

// An identity outlives renames. The birth time is there because inode numbers are used again:
// zero where the file system keeps none.
type identity struct {
	Inode uint64 `json:"inode"`
	Born  int64  `json:"born,omitempty"` // ns since 1970
}

func (i identity) is(j identity) bool {
	return i.Inode == j.Inode && (i.Born == j.Born || i.Born == 0 || j.Born == 0)
}

// A record is what release.json holds.
type record struct {
	Release
	identity
}

// records returns all sealed releases by ID.
func (d *directory) records() (map[string]record, error) {
	entries, err := d.root.ReadDir(d.folder)
	if err != nil {
		return nil, err
	}
	all := map[string]record{}
	for _, e := range entries {
		if !e.IsDir() || checkID(e.Name()) != nil {
			continue
		}
		b, err := d.readRecord(e.Name())
		if err != nil {
			return nil, err
		}
		var r record
		if b == nil || json.Unmarshal(b, &r) != nil || r.ID != e.Name() {
			continue // Releases says what becomes of it
		}
		all[r.ID] = r
	}
	return all, nil
}

// readRecord returns what release.json of a folder says, or nil if it is none that could be read. That the disk fails,
// or the process has too many files open, is an error: what we did install must not be taken for somebody else's.
func (d *directory) readRecord(id string) ([]byte, error) {
	name := d.path(id, releaseName)
	b, err := d.root.ReadFile(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return b, nil
	}
	if info, lerr := d.root.Lstat(name); lerr == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	return nil, err
}

// whole returns the releases that have their files, newest first, and the ID of the current one.
func (d *directory) whole() ([]record, string, error) {
	all, err := d.records()
	if err != nil {
		return nil, "", err
	}
	there, present, err := d.identify(d.name)
	if err != nil {
		return nil, "", err
	}
	current := ""
	if present {
		r, _ := claim(all, there)
		current = r.ID
	}
	var whole []record
	for _, r := range all {
		hasTree, err := d.exists(d.tree(r.ID))
		if err != nil {
			return nil, "", err
		}
		if hasTree || r.ID == current {
			whole = append(whole, r)
		}
	}
	newestFirst(whole)
	return whole, current, nil
}

// claim returns the release that the thing of that identity is.
func claim(all map[string]record, id identity) (record, bool) {
	for _, r := range all {
		if r.is(id) {
			return r, true
		}
	}
	return record{}, false
}

// checkID refuses names that are no folder of their own below .NAME.dropship.
func checkID(id string) error {
	switch {
	case id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`+"\x00"),
		id == persistName || id == intentName || id == lockName,
		strings.HasPrefix(id, stagePrefix), strings.HasPrefix(id, trashPrefix):
		return fmt.Errorf("%q cannot be the name of a release", id)
	}
	return nil
}

// writeJSON replaces the file name by v in one step, and v is on disk before the name is.
func (d *directory) writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	next := name + ".tmp"
	f, err := d.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if folderModes {
		err = errors.Join(err, f.Chmod(0o600)) // whatever the umask
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = d.root.Rename(next, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(next)) // nothing of ours stays on a disk that is full
	}
	return d.sync(filepath.Dir(name))
}

// removeAll removes name with all that is in it, also where its directories forbid that to their owner.
func (d *directory) removeAll(name string) error {
	err := d.root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = d.root.in(name, func(dir *os.Root, base string) error {
		return fs.WalkDir(dir.FS(), base, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				_ = dir.Chmod(path, 0o700) // the second RemoveAll tells what is still in the way
			}
			return nil
		})
	})
	return d.root.RemoveAll(name)
}

// mkdirAll makes the missing directories of name, each by mkdir.
func (d *directory) mkdirAll(name string, mkdir func(name string) error) error {
	if there, err := d.exists(name); there || err != nil {
		return err
	}
	if err := d.mkdirAll(filepath.Dir(name), mkdir); err != nil {
		return err
	}
	return mkdir(name)
}

// mkdirOwned makes a directory that is owned as the site's files are.
func (d *directory) mkdirOwned(name string) error {
	if err := d.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	if o := d.site.o.Archive; o.UID >= 0 || o.GID >= 0 {
		return d.root.chown(name, o.UID, o.GID)
	}
	return nil
}

// mkdirOurs makes a directory that others may pass through and only we may write in.
func (d *directory) mkdirOurs(name string) error {
	err := d.root.Mkdir(name, 0o711)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// renameChecked is for file systems that cannot refuse to replace. Between the two calls somebody else could
// make b; that nobody does is what the caller's lock is for.
func renameChecked(root *roots, a, b string) error {
	_, err := root.Lstat(b)
	if err == nil {
		return &os.LinkError{Op: "rename", Old: a, New: b, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Rename(a, b)
}
