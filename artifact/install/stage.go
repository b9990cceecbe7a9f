package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dropship/dropship/artifact/archive"
)

// A Stage is a release that is being made, not visible yet. It is used by one goroutine.
type Stage struct {
	// Size is that of the artifact in bytes, as advertised, if its caller knows it: then the error of a full disk tells
	// how much is missing at least.
	Size int64
	// Unpacked, if set, is told by Unpack how many bytes of files there are so far, often and in its own goroutine.
	Unpacked func(bytes int64)

	site   *Site
	id     string
	sealed bool
	gone   bool

	dir    *directory
	folder *os.Root // of the stage
	// disk is the stage's folder, opened before anything was written to it: a write that fails only when the kernel
	// writes it back is told by a sync of a file that was open then, and once to each.
	disk *os.File
}

// Stage makes room for a new release, and the destination's parent directories (mode 0755) and the folder
// where they are missing. What an earlier stage of that id left is removed. It is fs.ErrExist if a release of
// that id is sealed already. A stage ends with a Seal that succeeds or with Discard.
func (s *Site) Stage(id string) (*Stage, error) {
	st, err := s.stage(id)
	if err != nil {
		return nil, fmt.Errorf("cannot stage a release beside %s: %w", s.o.Destination, s.explain(err))
	}
	return st, nil
}

func (s *Site) stage(id string) (*Stage, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	d, err := s.create()
	if err != nil {
		return nil, err
	}
	folder, err := d.newStage(id)
	if err != nil {
		d.close()
		return nil, err
	}
	if err := s.probeOwner(folder); err != nil {
		folder.Close()
		defer d.close()
		return nil, errors.Join(err, d.removeAll(d.path(stagePrefix+id)))
	}
	disk, err := folder.Open(".")
	if err != nil {
		folder.Close()
		d.close()
		return nil, err
	}
	return &Stage{site: s, id: id, dir: d, folder: folder, disk: disk}, nil
}

func (d *directory) newStage(id string) (*os.Root, error) {
	if err := d.probe(); err != nil {
		return nil, err
	}
	taken, err := d.exists(d.path(id))
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, fmt.Errorf("there is a release %s: %w", id, fs.ErrExist)
	}
	name := d.path(stagePrefix + id)
	if err := d.removeAll(name); err != nil {
		return nil, err
	}
	if err := d.root.Mkdir(name, 0o711); err != nil {
		return nil, err
	}
	return d.root.OpenRoot(name)
}

// probeOwner makes sure that what is unpacked can be given to its owner, by doing that once: with capabilities, or for a
// group of our own, it takes no root.
func (s *Site) probeOwner(folder *os.Root) error {
	const name = "owner"
	uid, gid := s.o.Archive.UID, s.o.Archive.GID
	if uid < 0 && gid < 0 {
		return nil
	}
	f, err := folder.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = f.Chown(uid, gid)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("uid %d may not give files to uid %d and gid %d (-1: its own), which owner and group name: run dropship as root, or remove them: %w", os.Geteuid(), uid, gid, err)
	}
	return errors.Join(err, f.Close(), folder.Remove(name))
}

// Unpack fills the stage from r, which it reads to its end. It is called once; after an error the stage is
// good for Discard only. Errors are those of archive.Unpack, of r, and of ctx.
func (st *Stage) Unpack(ctx context.Context, r io.Reader) (archive.Stats, error) {
	in := &reader{r: r}
	o := st.site.o.Archive
	o.Unpacked = st.Unpacked
	stats, err := archive.Unpack(ctx, st.folder, "tree", in, o)
	if in.err != nil {
		return stats, fmt.Errorf("cannot unpack beside %s: %w", st.site.o.Destination, err) // no matter of our disk
	}
	if err != nil {
		err = st.site.explain(err)
		if more := st.Size - stats.Packed; more > 0 && errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w (at least %s are missing)", err, human(more))
		}
		return stats, fmt.Errorf("cannot unpack beside %s: %w", st.site.o.Destination, err)
	}
	return stats, nil
}

// A reader remembers that reading failed.
type reader struct {
	r   io.Reader
	err error // other than io.EOF
}

func (in *reader) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// Seal makes the stage a release: everything of it is on disk when Seal returns, so that no crash after a
// switch can show it incomplete. What could not be written is an error (before Linux 5.8 that is sure only of what
// failed during Seal), after which the stage is good for Discard only. It returns r with the ID of the stage and, where r has none, Staged = now.
func (st *Stage) Seal(r Release) (Release, error) {
	r.ID = st.id
	if r.Staged.IsZero() {
		r.Staged = time.Now().UTC()
	}
	if err := st.seal(r); err != nil {
		return Release{}, fmt.Errorf("cannot seal release %s of %s: %w", st.id, st.site.o.Destination, st.site.explain(err))
	}
	st.close() // whoever has sealed a release need not discard it
	return r, nil
}

func (st *Stage) seal(r Release) error {
	d := st.dir
	stage := stagePrefix + st.id
	info, err := d.root.Lstat(d.tree(stage))
	if err != nil {
		return fmt.Errorf("nothing was unpacked: %w", err)
	}
	if info.IsDir() {
		// Root renames any directory. Others must be able to write in it, since its ".." changes.
		if err := writable(filepath.Join(d.root.Name(), d.tree(stage))); err != nil {
			return fmt.Errorf("uid %d may not write in the artifact's topmost directory, so it could not be renamed: %w",
				os.Geteuid(), err)
		}
	}
	if err := d.link(stage); err != nil {
		return err
	}
	if err := d.dropUnneeded(stage); err != nil {
		return err
	}
	id, err := identify(d.root, d.tree(stage))
	if err != nil {
		return err
	}
	if err := d.writeJSON(d.path(stage, releaseName), record{r, id}); err != nil {
		return err
	}
	if err := syncTree(st.disk, st.folder); err != nil {
		return err
	}
	crashPoint("before seal")
	if err := renameNew(d.root, d.path(stage), d.path(st.id)); err != nil {
		return err
	}
	st.sealed = true
	crashPoint("sealed")
	return d.sync(d.folder)
}

// Discard removes the stage, sealed or not, unless a Switch of this Site has made it current: then it removes
// nothing, also when another release is current again. So it is right to defer it, and to call it again. What it could
// not remove, Recover or a later stage of that id does.
func (st *Stage) Discard() error {
	if st.gone {
		return nil
	}
	err := st.discard()
	// In any case: what is open would keep a disk that failed from being unmounted.
	st.gone = true
	st.close()
	if err != nil {
		return fmt.Errorf("cannot discard release %s of %s: %w", st.id, st.site.o.Destination, st.site.explain(err))
	}
	return nil
}

func (st *Stage) discard() error {
	if !st.sealed {
		return st.dir.removeAll(st.dir.path(stagePrefix + st.id))
	}
	st.site.mu.Lock()
	switched := st.site.switched[st.id]
	st.site.mu.Unlock()
	if switched {
		return nil
	}
	return st.site.Remove(st.id)
}

func (st *Stage) close() {
	st.disk.Close()
	st.folder.Close()
	st.dir.close()
}
