package dropship

import (
	"container/list"
	"context"
	"strings"
	"sync"

	"github.com/dropship/dropship/artifact"
)

// DefaultMaxDownloads bounds how many artifacts a machine fetches at once from one store, so that the start of an agent
// with many services does not drown its disk and its link.
const DefaultMaxDownloads = 4

// LimitDownloads bounds the downloads of this machine from now on: how many at once from one store, and to how many
// bytes a second all of them come together; 0 is DefaultMaxDownloads, and no limit. What is under way goes on, if it is
// too many; all of it keeps to the new bandwidth at once.
func (m *Machine) LimitDownloads(atOnce int, bytesPerSecond int64) {
	m.downloads.limit(atOnce)
	m.downloads.bandwidth.Limit(bytesPerSecond)
}

// downloads are limited for each store by itself: one that hangs holds up the services of no other. The zero
// value is ready. Safe for concurrent use.
type downloads struct {
	bandwidth artifact.Bandwidth

	mu     sync.Mutex
	most   int // at once from one store; 0: DefaultMaxDownloads
	stores map[string]*store
}

// A store is a bucket or a host.
type store struct {
	busy    int       // downloads, and connections that they have beyond their first
	waiting list.List // of chan struct{}, each closed when its download may begin; the first has waited longest
}

func (d *downloads) limit(atOnce int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.most = atOnce
	for _, s := range d.stores {
		d.admit(s)
	}
}

// begin waits until one more download of source may be under way, or ctx ends; end says that it no longer is.
func (d *downloads) begin(ctx context.Context, source string) (end func(), err error) {
	d.mu.Lock()
	s := d.store(source)
	admitted := make(chan struct{})
	turn := s.waiting.PushBack(admitted)
	d.admit(s)
	d.mu.Unlock()

	select {
	case <-admitted:
		return func() { d.end(s) }, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-admitted: // as ctx ended
		s.busy--
		d.admit(s)
	default:
		s.waiting.Remove(turn)
	}
	return nil, context.Cause(ctx)
}

// extra gives a download of source another connection if that leaves no other download without, and says so.
func (d *downloads) extra(source string) (end func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.store(source)
	if !d.room(s) || s.waiting.Len() > 0 {
		return nil, false
	}
	s.busy++
	return func() { d.end(s) }, true
}

func (d *downloads) end(s *store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.busy--
	d.admit(s)
}

// admit lets those begin that have waited longest, as many as there is room for.
func (d *downloads) admit(s *store) {
	for s.waiting.Len() > 0 && d.room(s) {
		s.busy++
		close(s.waiting.Remove(s.waiting.Front()).(chan struct{}))
	}
}

func (d *downloads) room(s *store) bool {
	if d.most > 0 {
		return s.busy < d.most
	}
	return s.busy < DefaultMaxDownloads
}

// store returns the bucket or the host that source names: "s3://bucket/key".
func (d *downloads) store(source string) *store {
	scheme, rest, _ := strings.Cut(source, "://")
	name, _, _ := strings.Cut(rest, "/")
	if d.stores == nil {
		d.stores = make(map[string]*store)
	}
	key := scheme + "://" + name
	if d.stores[key] == nil {
		d.stores[key] = &store{}
	}
	return d.stores[key]
}

// resuming returns how the download of an update goes on, and what it shares with the others of this machine.
func (u *update) resuming(ctx context.Context) artifact.ResumeOptions {
	return artifact.ResumeOptions{
		Bandwidth: &u.m.downloads.bandwidth,
		Extra:     func() (end func(), ok bool) { return u.m.downloads.extra(u.Source.String()) },
		OnResume: func(r artifact.Resume) {
			u.log.WarnContext(ctx, "resuming the download", "offset", r.Offset, "delay", r.Delay, "error", r.Cause)
		},
	}
}
