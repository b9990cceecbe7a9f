package install

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Switch makes release `to` current, in one atomic step, and keeps what was there as a release.
//
// What was there keeps the ID that Current tells. If it is none of ours, it becomes release `from`, with an
// empty Hash, so that a later Switch can put it back; then `from` must not name a release that there is
// (fs.ErrExist). Where nothing was there, or a release of ours was, `from` may be empty.
//
// Before that step persistent paths find their place: what is not in .NAME.dropship/persist yet is taken
// from what is at the destination, which gets a link to it; else from release `to`; else it is an empty directory.
//
// Switch is safe to be killed at any point and to be called again with the same arguments: it completes what
// is missing, and does nothing if `to` is current. After an error the destination is as it was, except
// where the error says otherwise. It is ErrNoRelease if `to` is not on disk.
func (s *Site) Switch(to, from string) error {
	if err := s.switchTo(to, from); err != nil {
		return fmt.Errorf("cannot switch %s to release %s: %w", s.o.Destination, to, s.explain(err))
	}
	return nil
}

func (s *Site) switchTo(to, from string) error {
	if err := s.ready(); err != nil {
		return err
	}
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoRelease
	}
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.probe(); err != nil {
		return err
	}
	all, err := d.settle()
	if err != nil {
		return err
	}
	next, err := d.incoming(all, to)
	if err != nil {
		return err
	}
	there, present, err := d.identify(d.name)
	if err != nil {
		return err
	}
	if present && next.is(there) {
		s.markSwitched(to)
		return nil
	}
	if !present {
		return d.first(next)
	}
	old, err := d.outgoing(all, there, next, from)
	if err != nil {
		return err
	}
	return d.replace(old, next)
}

// markSwitched keeps Discard from removing a release that was current once.
func (s *Site) markSwitched(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switched[id] = true
}

// incoming returns release id, whose tree stands in its folder or at the destination.
func (d *directory) incoming(all map[string]record, id string) (record, error) {
	r, ok := all[id]
	if !ok {
		return record{}, ErrNoRelease
	}
	tree, present, err := d.identify(d.tree(id))
	if err != nil {
		return record{}, err
	}
	if !present {
		if there, present, err := d.identify(d.name); err != nil || (present && r.is(there)) {
			return r, err
		}
		return record{}, fmt.Errorf("its files are gone: %w", ErrNoRelease)
	}
	if !r.is(tree) {
		// settle has left it here, so no release claims it: the folder was copied or restored from a backup.
		r.identity = tree
		all[id] = r
		return r, d.writeJSON(d.path(id, releaseName), r)
	}
	return r, nil
}

// outgoing returns the release that is at the destination; it gets a folder and the name `from` if it has none.
func (d *directory) outgoing(all map[string]record, there identity, next record, from string) (record, error) {
	if r, ok := claim(all, there); ok {
		taken, err := d.exists(d.tree(r.ID))
		if taken {
			return record{}, fmt.Errorf("%s is in the way of what is at the destination; move it away", d.tree(r.ID))
		}
		return r, err
	}
	if err := checkID(from); err != nil {
		return record{}, fmt.Errorf("what is there is not ours and needs a name to be kept under: %w", err)
	}
	taken, err := d.exists(d.path(from))
	if err != nil {
		return record{}, err
	}
	if taken {
		return record{}, fmt.Errorf("what is there is not ours and cannot be kept as release %s: %w", from, fs.ErrExist)
	}
	info, err := d.root.Lstat(d.name)
	if err != nil {
		return record{}, err
	}
	staged := info.ModTime().UTC()
	if !staged.Before(next.Staged) {
		staged = next.Staged.Add(-time.Second) // it was there before the release that replaces it
	}
	r := record{Release{ID: from, Staged: staged}, there}
	stage := stagePrefix + from
	if err := d.removeAll(d.path(stage)); err != nil {
		return record{}, err
	}
	if err := d.root.Mkdir(d.path(stage), 0o711); err != nil {
		return record{}, err
	}
	if err := d.writeJSON(d.path(stage, releaseName), r); err != nil {
		return record{}, err
	}
	if err := d.root.Rename(d.path(stage), d.path(from)); err != nil {
		return record{}, err
	}
	crashPoint("old release has a name")
	return r, d.sync(d.folder)
}

// first puts next where nothing is.
func (d *directory) first(next record) error {
	if err := d.link(next.ID); err != nil {
		return err
	}
	if err := d.settlePersist(next.ID, false); err != nil {
		return err
	}
	crashPoint("before first rename")
	if err := renameNew(d.root, d.tree(next.ID), d.name); err != nil {
		return err
	}
	d.site.markSwitched(next.ID)
	crashPoint("first release in place")
	return d.sync(".", d.path(next.ID))
}

// replace puts next in the place of old.
func (d *directory) replace(old, next record) error {
	oldInfo, err := d.root.Lstat(d.name)
	if err != nil {
		return err
	}
	nextInfo, err := d.root.Lstat(d.tree(next.ID))
	if err != nil {
		return err
	}
	if oldInfo.IsDir() != nextInfo.IsDir() {
		return errors.New("one of the two is a file and the other a directory; move what is there away")
	}
	if err := d.link(next.ID); err != nil {
		return err
	}
	if d.method == methodExchange {
		return d.replaceByExchange(old, next)
	}
	return d.replaceByRenames(old, next, oldInfo.IsDir())
}

func (d *directory) replaceByExchange(old, next record) error {
	if err := d.settlePersist(next.ID, true); err != nil {
		return err
	}
	crashPoint("before exchange")
	if err := exchange(d.root, d.name, d.tree(next.ID)); err != nil {
		return err
	}
	d.site.markSwitched(next.ID)
	crashPoint("exchanged")
	// One of the two directories is enough: a file system that can exchange has both entries in one record of its
	// journal. And each sync between the two chains counts, on a disk that others write to.
	if err := d.sync("."); err != nil {
		return fmt.Errorf("the new release is in place, but: %w", err)
	}
	crashPoint("exchange synced")
	// The application may stand still: nobody waits until this is on disk, too. settle does again what a power loss
	// takes back.
	if err := renameNew(d.root, d.tree(next.ID), d.tree(old.ID)); err != nil {
		return fmt.Errorf("the new release is in place, but the old one has yet to be filed: %w", err)
	}
	crashPoint("old release filed")
	return nil
}

// An intent is on disk while a switch by two renames is under way. Without it nobody could tell a
// destination that is absent because of a crash from one that was removed by hand.
type intent struct {
	To    string   `json:"to"`
	From  string   `json:"from"`
	Adopt []string `json:"adopt,omitempty"` // persistent paths that are being taken from the destination
}

func (d *directory) replaceByRenames(old, next record, isDir bool) error {
	adopt, err := d.adoptable()
	if err != nil {
		return err
	}
	if err := d.writeJSON(d.path(intentName), intent{To: next.ID, From: old.ID, Adopt: adopt}); err != nil {
		return err
	}
	crashPoint("intent written")
	if err := d.rename(old, next, isDir); err != nil {
		if present, _ := d.exists(d.name); present {
			err = errors.Join(err, d.dropIntent()) // otherwise it tells Recover what belongs there
		}
		return err
	}
	d.site.markSwitched(next.ID)
	if err := d.sync(".", d.path(old.ID), d.path(next.ID)); err != nil {
		return fmt.Errorf("the new release is in place, but: %w", err)
	}
	return d.dropIntent()
}

// rename moves old out of the way and next in, and undoes the first if the second fails.
func (d *directory) rename(old, next record, isDir bool) error {
	if err := d.settlePersist(next.ID, true); err != nil {
		return err
	}
	crashPoint("before renames")
	linked := false
	if !isDir {
		// A file needs no gap: the old one gets a second name, then the new one takes its place. Where the
		// file system has no hard links there is one, as for directories.
		linked = d.root.Link(d.name, d.tree(old.ID)) == nil
	}
	if !linked {
		if err := d.root.Rename(d.name, d.tree(old.ID)); err != nil {
			return err
		}
	}
	crashPoint("old release away")
	if err := d.root.Rename(d.tree(next.ID), d.name); err != nil {
		if linked {
			return errors.Join(err, d.root.Remove(d.tree(old.ID)))
		}
		return errors.Join(err, d.root.Rename(d.tree(old.ID), d.name))
	}
	crashPoint("new release in place")
	return nil
}

func (d *directory) dropIntent() error {
	if err := d.root.Remove(filepath.Join(d.folder, intentName)); err != nil {
		return err
	}
	crashPoint("intent removed")
	return d.sync(d.folder)
}
