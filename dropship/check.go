package dropship

import (
	"context"
	"errors"
	"fmt"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// prepare does the part of an update that no other machine need wait for: it checks, and stages what
// is new. An outcome in the result means that there is nothing to install.
func (u *update) prepare(ctx context.Context) (artifact.Info, install.Release, Result, error) {
	for attempt := 1; ; attempt++ {
		info, err := u.stat(ctx)
		if err != nil {
			return info, install.Release{}, Result{}, &StepError{StepCheck, err}
		}
		r, err := u.nothingToDo(info, info.MD5)
		if err == nil && r.Outcome == "" {
			r, err = u.held()
		}
		if err == nil && r.Outcome == "" {
			err = u.m.attempts.early(u.Service, info.Revision, u.st.Retried)
		}
		if err == nil {
			r, err = u.consult(ctx, info, info.MD5, r)
		}
		if err == nil {
			err = u.discardQuarantined(r)
		}
		if err != nil || r.Outcome != "" {
			return info, install.Release{}, r, err
		}
		if err := u.own(); err != nil {
			return info, install.Release{}, Result{}, &StepError{StepStage, err}
		}
		// What another process has installed meanwhile counts.
		if r, err := u.nothingToDo(info, info.MD5); err != nil || r.Outcome != "" {
			return info, install.Release{}, r, err
		}
		u.beginUpdate(hooks.StatusUpdate, info.MD5, u.installedHash())
		rel, err := u.stage(ctx, info)
		if errors.Is(err, artifact.ErrChanged) && attempt < 3 {
			continue // published anew while we read: start again from Stat
		}
		if err != nil {
			err := &StepError{StepStage, err}
			if u.fetched && ctx.Err() == nil {
				u.m.attempts.failed(u.Service, info.Revision, u.st.Retried, err)
			}
			return info, rel, Result{}, err
		}
		// Only now is the hash known for sure where the repository has no md5.
		r, err = u.nothingToDo(info, rel.Hash)
		if err == nil && r.Outcome != "" {
			if derr := u.discardStaged(); derr != nil {
				err = &StepError{StepStage, derr}
			}
		}
		return info, rel, r, err
	}
}

// decide returns a result with an outcome if what the repository holds is installed already, or must not be.
// hash is the md5 of it, or empty: not known yet.
func (u *update) decide(info artifact.Info, hash string) Result {
	source, in := u.Source.String(), u.st.Installed
	if !u.present {
		in = nil // it was deleted
	}
	r := Result{}
	if in != nil {
		r.Hash = in.Hash
	}
	info.MD5 = hash
	q, bad := u.st.quarantined(source, hash, info.Revision)
	switch {
	case bad && (in == nil || in.Hash != q.Hash || u.st.Failed != nil):
		r.Outcome, r.Quarantined, r.Host, r.Detail = Quarantine, q.Hash, q.Host, q.String()
	case in != nil && u.st.Failed == nil && in.holds(source, info):
		r.Outcome = UpToDate
	}
	return r
}

// nothingToDo is decide, and remembers bytes that are known, good or bad, under the revision that they are
// published as now, so that the next check is cheap.
func (u *update) nothingToDo(info artifact.Info, hash string) (Result, error) {
	r := u.decide(info, hash)
	source, in := u.Source.String(), u.st.Installed
	switch r.Outcome {
	case UpToDate:
		if in.Revision == info.Revision && in.Artifact == source && !u.corrected {
			return r, nil
		}
		in.Revision, in.Artifact = info.Revision, source
	case Quarantine:
		q, _ := u.st.quarantined(source, hash, info.Revision)
		if q.Revision == info.Revision && q.Artifact == source {
			return r, nil
		}
		q.Revision, q.Artifact = info.Revision, source
		u.st.quarantine(q)
	default:
		return r, nil
	}
	if err := u.m.Store.Save(u.st); err != nil {
		return Result{}, &StepError{StepState, err}
	}
	u.corrected = false
	return r, nil
}

// emptyHanded returns an error if there is nothing at the destination, and what the repository holds is not to be
// installed: this machine runs nothing until somebody helps.
func (u *update) emptyHanded(r Result) error {
	if r.Outcome != Quarantine || u.present {
		return nil
	}
	return &StepError{StepCheck, emptyHandedError{fmt.Sprintf("nothing is at the destination %s, and what the repository holds is quarantined: publish another artifact, or run dropship retry %s: %s",
		u.Site.Destination(), u.Name, r.Detail)}}
}

type emptyHandedError struct{ text string }

func (e emptyHandedError) Error() string { return e.text }
