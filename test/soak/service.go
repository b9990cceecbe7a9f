package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A service is one of the agent's, and what was published for it.
type service struct {
	name        string
	repo        string // kind of its repository
	plain       bool   // the artifact is a plain file
	turns       bool   // it takes them, through Consul
	health      bool   // an http-check finds what is broken; else a script does
	webhook     bool
	graphite    bool
	hot         bool // of those that have half of all journeys, so that what is bounded, as the history is, fills soon
	destination string

	// For the journey that it is on; nobody else reads or writes them.
	number  int         // of the newest release
	good    []published // the last good ones; the newest at the end
	reloads int         // that changed it
}

// A published release has the md5 of its artifact.
type published struct {
	release
	sum string
}

// newest returns the newest good release.
func (s *service) newest() published { return s.good[len(s.good)-1] }

// A pool has the services that are on no journey.
type pool struct {
	mu   sync.Mutex
	free []*service
}

// newServices returns them in as many mixtures as there can be. One alone is in Swift, each of whose answers costs more than
// all that the agent does for a check.
func newServices(dir string, n int) []*service {
	all := make([]*service, n)
	for i := range all {
		all[i] = &service{
			name:  fmt.Sprintf("app-%02d", i),
			repo:  []string{"file", "http", "s3"}[i/3%3],
			plain: i%4 == 3, turns: i%3 == 1, health: i%3 == 0, webhook: i%3 == 2, graphite: i%10 == 5, hot: i%4 == 0,
		}
		all[i].destination = filepath.Join(dir, "srv", all[i].name)
	}
	all[7].repo = "swift"
	return all
}

// artifact is its name in the repository.
func (s *service) artifact() string {
	if s.plain {
		return s.name + ".bin"
	}
	return s.name + ".tar.gz"
}

// next returns the release after all that there were.
func (s *service) next(broken bool) release {
	s.number++
	return release{service: s.name, number: s.number, broken: broken, plain: s.plain}
}

// hot are the names of the services that have half of all journeys.
func (s *soak) hot() (names []string) {
	for _, v := range s.services {
		if v.hot {
			names = append(names, v.name)
		}
	}
	return names
}

// configure writes the configuration; more stands at its end. It is renamed into place: who runs a command meanwhile
// finds a whole one.
func (s *soak) configure(more string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "stateDir = %q\nsocket = %q\n", s.state(), filepath.Join(s.dir, "dropship.sock"))
	fmt.Fprintf(&b, "metrics \"prometheus\" {\n  listen = %q\n}\n", s.metrics)
	fmt.Fprintf(&b, "consul {\n  address = %q\n}\nlock \"consul\" {\n  prefix = %q\n}\n", strings.TrimPrefix(s.links["consul"].URL, "http://"), s.name)
	for _, kind := range []string{"file", "http", "s3", "swift"} {
		url := ""
		if link := s.links[kind]; link != nil {
			url = link.URL
		}
		b.WriteString(s.stores[kind].block(url))
	}
	for _, v := range s.services {
		b.WriteString(s.block(v))
	}
	b.WriteString(more)
	part := s.config() + ".part"
	if err := os.WriteFile(part, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(part, s.config())
}

// block is that of a service.
func (s *soak) block(v *service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "service %q {\n  checkInterval = \"100ms\"\n", v.name)
	if v.turns {
		b.WriteString("  sequentialUpdates = true\n  updateTTL = \"200ms\"\n  updateGroup = \"apps\"\n")
	}
	fmt.Fprintf(&b, "  before \"script\" {\n    command = \"echo stop $DROPSHIP_NAME\"\n    env = { RELOADS = \"%d\" }\n  }\n", v.reloads)
	fmt.Fprintf(&b, "  artifact %q {\n    %s\n    destination = %q\n  }\n", v.repo, s.stores[v.repo].where(v.artifact()), v.destination)
	b.WriteString("  after \"script\" {\n    command = [\"/bin/echo\", \"start\"]\n  }\n")
	if v.health {
		fmt.Fprintf(&b, "  after \"http-check\" {\n    url = %q\n    deadline = \"2s\"\n  }\n", s.web.url+"/health/"+v.name)
	} else {
		version := "$DROPSHIP_DESTINATION"
		if !v.plain {
			version += "/" + versionFile
		}
		fmt.Fprintf(&b, "  after \"script\" {\n    command = \"! head -n 1 %s | grep -q broken\"\n  }\n", version)
	}
	if v.webhook {
		fmt.Fprintf(&b, "  after \"webhook\" {\n    url = %q\n    when = \"always\"\n    secret = \"whsec_%s\"\n  }\n", s.web.url+"/webhook", strings.Repeat("c29h", 8))
	}
	if v.graphite {
		fmt.Fprintf(&b, "  after \"graphite-event\" {\n    host = %q\n    tags = %q\n    what = \"deployed {{.Name}}\"\n  }\n", s.servers.Graphite.URL, s.name)
	}
	b.WriteString("}\n")
	return b.String()
}

// take returns a service that is on no journey, nil if there is none, or none that fits.
func (p *pool) take(pick func(n int) int, fits func(*service) bool) *service {
	p.mu.Lock()
	defer p.mu.Unlock()
	var hots, all []*service
	for _, v := range p.free {
		if fits(v) {
			all = append(all, v)
			if v.hot {
				hots = append(hots, v)
			}
		}
	}
	if len(hots) > 0 && pick(2) == 0 {
		all = hots
	}
	if len(all) == 0 {
		return nil
	}
	v := all[pick(len(all))]
	p.free = slices.DeleteFunc(p.free, func(f *service) bool { return f == v })
	return v
}

func (p *pool) put(v *service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, v)
}
