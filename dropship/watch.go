package dropship

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/hooks"
)

// progressEvery is how often the progress of a download is told.
const progressEvery = 200 * time.Millisecond

// emit tells the machine's observers what happened in this update.
func (u *update) emit(e Event) {
	e.Service, e.UpdateID = u.Name, u.id
	u.m.emit(e)
}

// step tells of a step, and of its end: `defer u.step(StepStage)(&err)`.
func (u *update) step(step Step) (end func(*error)) {
	u.emit(Event{Type: StepBegun, Step: step})
	started := time.Now()
	return func(err *error) {
		u.emit(Event{Type: StepEnded, Step: step, Took: Seconds(time.Since(started)), Err: *err})
	}
}

// stat asks the repository what it holds.
func (u *update) stat(ctx context.Context) (info artifact.Info, err error) {
	defer u.step(StepCheck)(&err)
	if info, err = u.Source.Stat(ctx); err == nil {
		u.remote = &Remote{Revision: info.Revision, Hash: info.MD5, Size: info.Size}
	}
	return info, err
}

// beginUpdate tells once that there is something to install.
func (u *update) beginUpdate(status hooks.Status, hash, previous string) {
	if u.begun {
		return
	}
	u.begun, u.status = true, status
	u.emit(Event{Type: UpdateBegun, Status: status, Hash: hash, PreviousHash: previous, By: u.by, Reason: u.reason, Remote: u.remote, Recovered: u.recovered})
}

// end tells what came of it.
func (u *update) end(ctx context.Context, r Result, err error) {
	if err != nil && r.Outcome == "" && abandoned(ctx, err) {
		r.Outcome, err = Abandoned, nil
	}
	err = cmp.Or(err, u.undone)
	e := Event{Type: Checked, Outcome: r.Outcome, Hash: r.Hash, Remote: u.remote, Step: stepOf(err), Err: err}
	if e.Hash == "" && u.st != nil {
		e.Hash = u.installedHash()
	}
	if !u.begun && u.by != "" {
		return // what a person asked for cannot be, which says nothing of the service
	}
	if u.begun {
		if err != nil && e.Outcome == "" {
			e.Outcome = GivenUp
		}
		e.Type, e.Status, e.PreviousHash, e.By = UpdateEnded, u.status, r.PreviousHash, u.by
		e.Took = Seconds(time.Since(u.started))
	}
	u.emit(e)
}

// A progress tells how far a download is, and how much of it is unpacked. The one may be ahead of the other, in a
// goroutine of its own.
type progress struct {
	io.Reader
	u     *update
	total int64

	mu             sync.Mutex
	done, unpacked int64
	told           time.Time
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	p.tell(err != nil)
	return n, err
}

// wrote notes how many bytes of files there are. A zip is unpacked only when all of it was read.
func (p *progress) wrote(unpacked int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unpacked = unpacked
	p.tell(false)
}

func (p *progress) tell(now bool) {
	if t := time.Now(); now || t.Sub(p.told) >= progressEvery {
		p.told = t
		p.u.emit(Event{Type: Progress, Done: p.done, Total: p.total, Unpacked: p.unpacked})
	}
}
