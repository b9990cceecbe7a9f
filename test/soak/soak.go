package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	capi "github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/test/faultproxy"
)

// A soak is one run.
type soak struct {
	options
	name     string // of all that it makes on servers
	dir      string
	metrics  string // where the agent exports them
	begin    time.Time
	agent    *agent
	client   *api.Client
	web      *web
	stores   map[string]store             // by kind of repository
	links    map[string]*faultproxy.Proxy // the agent's to each server, by kind
	services []*service
	pool     pool
	samples  []sample

	published, rolledBack atomic.Int64
	told                  atomic.Int64 // events

	mu         sync.Mutex
	random     *rand.Rand
	journeys   map[string]int // that ended well, by name
	visits     map[string]int // by name
	provoked   map[string]*provocation
	violations []string
}

func newSoak(ctx context.Context, o options) (_ *soak, err error) {
	s := &soak{
		options: o, name: fmt.Sprintf("soak-%d-%d", os.Getpid(), time.Now().UnixNano()), random: rand.New(rand.NewPCG(o.seed, 0)),
		stores: make(map[string]store), links: make(map[string]*faultproxy.Proxy),
		journeys: make(map[string]int), visits: make(map[string]int), provoked: make(map[string]*provocation),
	}
	if s.binary, err = filepath.Abs(o.binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.binary); err != nil {
		return nil, fmt.Errorf("the dropship that soaks is not there; build it with make: %w", err)
	}
	if s.dir, err = os.MkdirTemp(o.dir, "dropship-soak-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.metrics, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if s.web, err = newWeb(ctx, filepath.Join(s.dir, "srv")); err != nil {
		return nil, err
	}
	if err := s.openStores(ctx); err != nil {
		return nil, err
	}
	s.services = newServices(s.dir, o.services)
	s.client = api.NewClient(filepath.Join(s.dir, "dropship.sock"))
	return s, s.configure("")
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *soak) state() string { return filepath.Join(s.dir, "state") }

func (s *soak) config() string { return filepath.Join(s.dir, "dropship.hcl") }

// all is the whole soak. The error is why it could not go on; what went wrong is in violations.
func (s *soak) all(ctx context.Context) error {
	fmt.Fprintf(s.out, "soaking %d services for %s in %s, seed %d\n", len(s.services), s.time, s.dir, s.seed)
	if err := s.start(ctx); err != nil {
		return err
	}
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stopWatching()
	events, err := s.client.Events(watching, s.hot()...)
	if err != nil {
		return err
	}
	s.begin = time.Now()
	failed := make(chan error, 1)
	watchers.Go(func() { s.follow(watching, events) })
	watchers.Go(func() { s.visit(watching) })
	watchers.Go(func() { s.tell(watching) })
	watchers.Go(func() { failed <- s.watchSamples(watching) })

	travelling, stopTravelling := context.WithCancel(ctx)
	defer stopTravelling()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.travel(travelling)
	}()
	select {
	case <-ended:
	case err = <-failed:
		stopTravelling()
		<-ended
	}
	stopWatching()
	watchers.Wait()
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return err
	}
	return s.finish(ctx)
}

// start publishes the first release of each service, and starts the agent. It returns when they are all installed.
func (s *soak) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, fmt.Errorf("%s have passed since the start", 2*patience))
	defer cancel()
	for _, v := range s.services {
		if err := s.publish(ctx, v, v.next(false)); err != nil {
			return err
		}
	}
	if s.agent, err = startAgent(s.binary, s.config(), filepath.Join(s.dir, "agent.log"), s.heed); err != nil {
		return err
	}
	if err := s.agent.answers(ctx, s.client); err != nil {
		return err
	}
	for _, v := range s.services {
		if err := s.arrive(ctx, v); err != nil {
			return err
		}
		s.pool.put(v)
	}
	return nil
}

// finish publishes a last release of each service, and checks that all is as it should be. It ends the agent.
func (s *soak) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, fmt.Errorf("%s have passed since the end", 2*patience))
	defer cancel()
	for _, v := range s.services {
		if err := s.publish(ctx, v, v.next(false)); err != nil {
			return err
		}
	}
	for _, v := range s.services {
		if err := s.arrive(ctx, v); err != nil {
			s.violate(fmt.Errorf("at the end: %w", err))
		}
	}
	if err := s.bounded(); err != nil {
		s.violate(err)
	}
	if err := s.takeDisk(&s.samples[len(s.samples)-1]); err != nil {
		return err
	}
	if err := s.agent.stop(patience); err != nil {
		s.violate(err)
	}
	return nil
}

// close ends what runs and removes all that the run made, but the directory if anything went wrong.
func (s *soak) close() error {
	var errs []error
	if s.agent != nil {
		if err := s.agent.stop(10 * time.Second); err != nil && len(s.violations) == 0 {
			errs = append(errs, err)
		}
	}
	for _, link := range s.links {
		link.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, store := range s.stores {
		errs = append(errs, store.close(ctx))
	}
	if s.web != nil && s.stores["http"] == nil {
		errs = append(errs, s.web.close(ctx))
	}
	config := capi.DefaultConfig()
	config.Address = s.servers.Consul.Address
	consul, err := capi.NewClient(config)
	if err == nil {
		_, err = consul.KV().DeleteTree(s.name, new(capi.WriteOptions).WithContext(ctx))
	}
	errs = append(errs, err)
	if len(s.violations) == 0 {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// violate notes, and tells, that something is not as it should be.
func (s *soak) violate(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, err.Error())
	fmt.Fprintf(s.out, "VIOLATION: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n    "))
}

// tell prints now and then how far it is.
func (s *soak) tell(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.mu.Lock()
			violations := len(s.violations)
			s.mu.Unlock()
			fmt.Fprintf(s.out, "%7s  %d releases published, %d rolled back, %d violations\n",
				time.Since(s.begin).Round(time.Second), s.published.Load(), s.rolledBack.Load(), violations)
		}
	}
}
