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
	// Of these sources what came over several connections was refused: whether parts were put together that do not belong
	// together shows when it comes over one.
	refused map[string]bool
}

// A store is a bucket or a host.
type store struct {
	busy    int // connections, of all that are under way
	under   map[*download]bool
	waiting list.List // of *download; the first has waited longest
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
	of       *downloads
	store    *store
	source   string
	admitted chan struct{} // closed when it may begin
	waited   time.Duration // for others
	began    time.Time     // after that

	connections int // it has now
	wanted      int // it would have
	most        int // it had at once
}

// begin waits until one more download of source may be under way, or ctx ends.
func (d *downloads) begin(ctx context.Context, source string) (*download, error) {
	asked := time.Now()
	d.mu.Lock()
	s := d.store(source)
	dl := &download{of: d, store: s, source: source, admitted: make(chan struct{}), connections: 1, wanted: 1, most: 1}
	turn := s.waiting.PushBack(dl)
	d.admit(s)
	d.mu.Unlock()

	select {
	case <-dl.admitted:
		dl.waited, dl.began = time.Since(asked), time.Now()
		return dl, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	select {
	case <-dl.admitted: // as ctx ended
		d.mu.Unlock()
		dl.end()
	default:
		s.waiting.Remove(turn)
		d.mu.Unlock()
	}
	return nil, context.Cause(ctx)
}

// share is told how many connections a download has and would like, and returns how many it may have: its fair share,
// and of what is left as much as nobody else has a claim to. Whoever waits for a first connection has one, and
// whoever would like more, up to a fair share.
func (dl *download) share(have, want int) int {
	d, s := dl.of, dl.store
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refused[dl.source] {
		want = 1
	}
	dl.wanted = want
	free := d.atOnce() - (s.busy - dl.connections)
	fair := d.atOnce() / (len(s.under) + s.waiting.Len())
	claimed := s.waiting.Len()
	for other := range s.under {
		if other != dl {
			claimed += max(0, min(other.wanted, fair)-other.connections)
		}
	}
	may := max(1, have, min(want, max(free-claimed, min(free, fair))))
	s.busy += may - dl.connections
	dl.connections, dl.most = may, max(dl.most, may)
	d.admit(s)
	return may
}

// end ends the download.
func (dl *download) end() {
	d := dl.of
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(dl.store.under, dl)
	dl.store.busy -= dl.connections
	d.admit(dl.store)
}

// judge is told whether what came is good. What is not, though it came over several connections, comes over one until
// it is.
func (dl *download) judge(err error) {
	d := dl.of
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		delete(d.refused, dl.source)
	case dl.most > 1:
		if d.refused == nil {
			d.refused = make(map[string]bool)
		}
		d.refused[dl.source] = true
	}
}

// peak returns how many connections it had at once at the most.
func (dl *download) peak() int {
	dl.of.mu.Lock()
	defer dl.of.mu.Unlock()
	return dl.most
}

// admit lets those begin that have waited longest, as many as there is room for.
func (d *downloads) admit(s *store) {
	for s.waiting.Len() > 0 && s.busy < d.atOnce() {
		dl := s.waiting.Remove(s.waiting.Front()).(*download)
		s.busy++
		s.under[dl] = true
		close(dl.admitted)
	}
}

// atOnce returns how many connections all downloads of a store may have together.
func (d *downloads) atOnce() int {
	if d.most > 0 {
		return d.most
	}
	return DefaultMaxDownloads
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
		d.stores[key] = &store{under: make(map[*download]bool)}
	}
	return d.stores[key]
}

// resuming returns how the download of an update goes on, and what it shares with the others of this machine.
func (u *update) resuming(ctx context.Context, dl *download, verified bool) artifact.ResumeOptions {
	return artifact.ResumeOptions{
		Bandwidth:   &u.m.downloads.bandwidth,
		Connections: dl.share,
		Verified:    verified,
		OnResume: func(r artifact.Resume) {
			u.log.WarnContext(ctx, "resuming the download", "offset", r.Offset, "delay", r.Delay, "error", r.Cause)
		},
	}
}
