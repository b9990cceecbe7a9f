package dropship

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"time"

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

// A download is under way until its end.
type download struct {
	of     *downloads
	store  *store
	waited time.Duration // for others
	began  time.Time     // after that

	connections int // it has now
	most        int // it had at once
}

// begin waits until one more download of source may be under way, or ctx ends.
func (d *downloads) begin(ctx context.Context, source string) (*download, error) {
	asked := time.Now()
	d.mu.Lock()
	s := d.store(source)
	admitted := make(chan struct{})
	turn := s.waiting.PushBack(admitted)
	d.admit(s)
	d.mu.Unlock()

	select {
	case <-admitted:
		return &download{of: d, store: s, waited: time.Since(asked), began: time.Now(), connections: 1, most: 1}, nil
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

// extra gives a download another connection if that leaves no other download without, and says so.
func (dl *download) extra() (end func(), ok bool) {
	d, s := dl.of, dl.store
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.room(s) || s.waiting.Len() > 0 {
		return nil, false
	}
	s.busy++
	dl.connections++
	dl.most = max(dl.most, dl.connections)
	return dl.end, true
}

// end gives a connection back, the last one of which ends the download.
func (dl *download) end() {
	d := dl.of
	d.mu.Lock()
	defer d.mu.Unlock()
	dl.connections--
	dl.store.busy--
	d.admit(dl.store)
}

// atOnce returns how many connections it had at once at the most.
func (dl *download) atOnce() int {
	dl.of.mu.Lock()
	defer dl.of.mu.Unlock()
	return dl.most
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
func (u *update) resuming(ctx context.Context, dl *download) artifact.ResumeOptions {
	return artifact.ResumeOptions{
		Bandwidth: &u.m.downloads.bandwidth,
		Extra:     dl.extra,
		OnResume: func(r artifact.Resume) {
			u.log.WarnContext(ctx, "resuming the download", "offset", r.Offset, "delay", r.Delay, "error", r.Cause)
		},
	}
}
