package dropship

import (
	"context"
	"strings"
	"sync"
)

// maxDownloads bounds how many artifacts a machine fetches at once from one store, so that the start of an agent
// with many services does not drown its disk and its link.
const maxDownloads = 4

// downloads are limited for each store by itself: one that hangs holds up the services of no other. The zero
// value is ready. Safe for concurrent use.
type downloads struct {
	mu     sync.Mutex
	stores map[string]chan struct{} // each has an element for each download that is under way
}

// begin waits until one more download of source may be under way, or ctx ends; end says that it no longer is.
func (d *downloads) begin(ctx context.Context, source string) (end func(), err error) {
	store := d.store(source)
	select {
	case store <- struct{}{}:
		return func() { <-store }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// store returns what counts the downloads from the bucket or the host that source names: "s3://bucket/key".
func (d *downloads) store(source string) chan struct{} {
	scheme, rest, _ := strings.Cut(source, "://")
	name, _, _ := strings.Cut(rest, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stores == nil {
		d.stores = make(map[string]chan struct{})
	}
	key := scheme + "://" + name
	if d.stores[key] == nil {
		d.stores[key] = make(chan struct{}, maxDownloads)
	}
	return d.stores[key]
}
