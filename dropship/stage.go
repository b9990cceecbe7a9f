package dropship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
)

// stage downloads, verifies and unpacks what the repository holds, in one pass, beside the destination.
// What an earlier attempt staged and never switched in is used again.
func (u *update) stage(ctx context.Context, info artifact.Info) (rel install.Release, err error) {
	defer u.step(StepStage)(&err)
	source := u.Source.String()
	if err := u.ready(); err != nil {
		return install.Release{}, err
	}
	switch rel, ok, err := u.staged(info); {
	case err != nil:
		return install.Release{}, err
	case ok:
		return rel, nil
	}
	if err := u.discardStaged(); err != nil {
		return install.Release{}, err
	}
	// Where the state cannot be kept in the end, the download is for nothing.
	if err := u.m.Store.Save(u.st); err != nil {
		return install.Release{}, err
	}

	dl, err := u.m.downloads.begin(ctx, source)
	if err != nil {
		return install.Release{}, err
	}
	defer dl.end()
	u.emit(Event{Type: Progress, Total: info.Size}) // that it waits for no other download any more

	if err := u.room(info); err != nil {
		return install.Release{}, fmt.Errorf("cannot stage %s: %w", source, err)
	}
	sums, err := u.Source.Checksums(ctx, info)
	if err != nil {
		return install.Release{}, err
	}
	if len(sums) == 0 && u.m.once(u.Name, "unverifiable", source) {
		u.log.WarnContext(ctx, "the repository keeps no checksum of this artifact: only its size is checked", "artifact", source, "size", info.Size)
	}
	verifier, err := artifact.NewVerifier(source, info.Size, sums)
	if err != nil {
		return install.Release{}, err
	}
	defer verifier.Stop()

	u.fetched = true
	u.log.InfoContext(ctx, "staging", "artifact", source, "revision", info.Revision, "size", info.Size,
		"waited", dl.waited.Round(time.Millisecond))
	body := artifact.NewResumingReader(ctx, u.Source, info, u.resuming(ctx, dl, len(sums) > 0))
	defer body.Close()

	stage, err := u.Site.Stage(u.id)
	if err != nil {
		return install.Release{}, err
	}
	read := &progress{Reader: io.TeeReader(body, verifier), u: u, total: info.Size}
	stage.Unpacked = read.wrote
	rel, err = u.fill(ctx, stage, read, verifier, info, dl)
	if ctx.Err() == nil && !errors.Is(err, artifact.ErrChanged) {
		dl.judge(err)
	}
	if err != nil {
		if derr := stage.Discard(); derr != nil {
			u.untidy()
			u.log.WarnContext(ctx, "cannot remove a stage: it is removed at the next check", "error", derr)
		}
	}
	return rel, err
}

// room returns an error if what the repository holds has no room beside the destination, from the size that it
// advertises: nothing is asked of it for that, and nothing downloaded in vain. Only releases beyond keepReleases are
// removed to make room, so that to lower it frees space at the next check.
func (u *update) room(info artifact.Info) error {
	err := u.Site.Room(info.Size)
	if _, full := errors.AsType[*install.SpaceError](err); !full {
		return err
	}
	if perr := u.Site.Prune(); perr != nil {
		return errors.Join(err, perr)
	}
	return u.Site.Room(info.Size)
}

// staged returns the release that an earlier attempt made of what the repository holds, if it did.
func (u *update) staged(info artifact.Info) (install.Release, bool, error) {
	s := u.st.Staged
	if s == nil || s.Artifact != u.Source.String() || s.Revision != info.Revision {
		return install.Release{}, false, nil
	}
	sealed, err := u.Site.Releases()
	return *s, slices.ContainsFunc(sealed, func(r install.Release) bool { return r.ID == s.ID }), err
}

// fill unpacks body into the stage and seals it if its bytes are the ones advertised.
func (u *update) fill(ctx context.Context, stage *install.Stage, body io.Reader, v *artifact.Verifier, info artifact.Info, dl *download) (install.Release, error) {
	stage.Size = info.Size
	stats, err := stage.Unpack(ctx, body)
	if err != nil {
		return install.Release{}, err
	}
	if err := v.Verify(); err != nil {
		return install.Release{}, err
	}
	rel := install.Release{
		ID: u.id, Hash: v.MD5(), SHA256: v.SHA256(), Revision: info.Revision,
		Artifact: u.Source.String(), Size: v.Size(), Staged: u.started.UTC(),
	}
	// Remembered before it is sealed: a kill in between leaves a name without a release, which staged sees,
	// and never a release that nobody knows of.
	u.st.Staged = &rel
	if err := u.m.Store.Save(u.st); err != nil {
		return install.Release{}, err
	}
	if _, err := stage.Seal(rel); err != nil {
		return install.Release{}, err
	}
	u.log.InfoContext(ctx, "staged", "hash", rel.Hash, "entries", stats.Entries, "bytes", stats.Unpacked,
		"took", time.Since(dl.began).Round(time.Millisecond), "connections", dl.peak())
	if method := u.Site.Method(); method != "exchange" && u.m.once(u.Name, "method", u.Site.Destination()) {
		u.log.WarnContext(ctx, "this file system cannot exchange two names in one step: a directory is absent for an instant when it is switched",
			"destination", u.Site.Destination(), "method", method)
	}
	return rel, nil
}

// discardStaged removes what was staged and is not wanted any more.
func (u *update) discardStaged() error {
	if u.st.Staged == nil {
		return nil
	}
	if err := u.Site.Remove(u.st.Staged.ID); err != nil {
		return err
	}
	u.st.Staged = nil
	return u.m.Store.Save(u.st)
}
