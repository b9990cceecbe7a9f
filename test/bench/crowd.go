package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// A crowd is many services of one machine whose artifacts are all at one store, behind a meter. Each is installed.
type crowd struct {
	dir      string // configuration, state, destinations
	binary   string // dropship
	interval time.Duration
	names    []string // of the services
	meter    *meter
	at       shelf
}

// A shelf is where a store keeps the artifacts of a crowd.
type shelf struct {
	server string                                                   // host:port
	put    func(ctx context.Context, key string, data []byte) error // uploads
	remove func(ctx context.Context, keys []string) error           // removes what was uploaded, and the shelf
	kind   string                                                   // of repository
	repo   func(address string) string                              // the inside of a repo block, of a server at that address
	where  func(key string) string                                  // what an artifact block says
	curl   func(address, key string) []string                       // arguments that ask for the headers of an artifact
	ask    asking                                                   // the same by a library; it lacks keys and beat
}

// stores make shelves, by the name of what they are at.
var stores = map[string]func(ctx context.Context, b *bench, name string) (shelf, error){
	"S3": s3Shelf, "Swift": swiftShelf, "HTTP": httpShelf,
}

// crowd uploads artifacts to a store, and configures and installs a service for each. The function that it returns
// removes what is in the store.
func (b *bench) crowd(ctx context.Context, store string) (c *crowd, remove func() error, err error) {
	c = &crowd{dir: filepath.Join(b.dir, store), binary: b.dropship, interval: 10 * time.Second}
	n := 1000
	if b.quick {
		n, c.interval = 20, 500*time.Millisecond
	}
	for i := range n {
		c.names = append(c.names, fmt.Sprintf("service-%04d", i))
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, nil, err
	}
	b.logf("%s: %d services", store, n)
	if c.at, err = stores[store](ctx, b, fmt.Sprintf("bench-%d", time.Now().UnixNano())); err != nil {
		return nil, nil, fmt.Errorf("cannot use %s: %w", store, err)
	}
	remove = func() error {
		if c.meter != nil {
			c.meter.listener.Close()
		}
		return c.at.remove(context.WithoutCancel(ctx), c.keys())
	}
	if err := c.fill(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot fill %s: %w", store, err), remove())
	}
	return c, remove, nil
}

func (c *crowd) fill(ctx context.Context) error {
	var small bytes.Buffer
	err := tarball{files: 1, size: 13}.gzip()(&small)
	if err != nil {
		return err
	}
	if err := each(ctx, c.keys(), func(ctx context.Context, key string) error { return c.at.put(ctx, key, small.Bytes()) }); err != nil {
		return err
	}
	if c.meter, err = newMeter(ctx, c.at.server); err != nil {
		return err
	}
	if err := c.configure(nil); err != nil {
		return err
	}
	_, err = command(ctx, c.dir, c.binary, "apply", "--config", c.config())
	return err
}

func keyOf(service string) string { return service + ".tar.gz" }

func (c *crowd) keys() []string {
	keys := make([]string, len(c.names))
	for i, name := range c.names {
		keys[i] = keyOf(name)
	}
	return keys
}

// each does something with many keys, a few at a time.
func each(ctx context.Context, keys []string, do func(ctx context.Context, key string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, key := range keys {
		group.Go(func() error { return do(ctx, key) })
	}
	return group.Wait()
}

func (c *crowd) config() string { return filepath.Join(c.dir, "dropship.hcl") }

// configure writes the configuration. The services in changed get another one than they have without.
func (c *crowd) configure(changed map[string]bool) error {
	services := filepath.Join(c.dir, "services")
	if err := os.MkdirAll(services, 0o755); err != nil {
		return err
	}
	main := fmt.Sprintf("stateDir     = %q\nsocket       = %q\nservice_path = %q\n\nrepo %q {\n%s}\n",
		filepath.Join(c.dir, "state"), filepath.Join(c.dir, "socket"), services, c.at.kind, c.at.repo(c.meter.address()))
	if err := os.WriteFile(c.config(), []byte(main), 0o600); err != nil {
		return err
	}
	for _, name := range c.names {
		keep := 3
		if changed[name] {
			keep = 4
		}
		text := fmt.Sprintf(`service %q {
  checkInterval = %q

  artifact %q {
%s
    destination  = %q
    keepReleases = %d
  }
}
`, name, c.interval, c.at.kind, c.at.where(keyOf(name)), filepath.Join(c.dir, "srv", name), keep)
		if err := os.WriteFile(filepath.Join(services, name+".hcl"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
