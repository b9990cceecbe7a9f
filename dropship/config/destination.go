package config

import (
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// A destination is where a service installs.
type destination struct {
	service string
	path    string
	at      hcl.Range
}

// own is the folder beside the destination that holds its releases.
func (d destination) own() string {
	return filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+".dropship")
}

// destinations are all of one configuration. Each must stand clear of the others, since a switch replaces
// everything below it.
type destinations struct {
	l        *loader
	stateDir string
	all      []destination
}

func (ds *destinations) add(d destination) {
	if d.path == filepath.Dir(d.path) {
		ds.l.errorf("Invalid destination", &d.at, "%s cannot be replaced. Name a directory or a file below it.", d.path)
		return
	}
	ds.all = append(ds.all, d)
}

func (ds *destinations) check() {
	for i, d := range ds.all {
		if within(ds.stateDir, d.path) || within(d.path, ds.stateDir) {
			ds.l.errorf("Destination overlaps stateDir", &d.at,
				"%s and the stateDir %s are one within the other: an update would replace Dropship's own state.", d.path, ds.stateDir)
		}
		for _, other := range ds.all[:i] {
			ds.clear(d, other)
		}
	}
}

// clear reports what keeps d from standing clear of one that came before it.
func (ds *destinations) clear(d, other destination) {
	switch {
	case d.path == other.path:
		ds.l.errorf("Duplicate destination", &d.at,
			"Service %q at %s installs to %s, too.", other.service, place(other.at), d.path)
	case within(d.path, other.path):
		ds.l.errorf("Destination inside another", &d.at,
			"%s is inside %s, where service %q at %s installs: each of its updates would remove this one.",
			d.path, other.path, other.service, place(other.at))
	case within(other.path, d.path):
		ds.l.errorf("Destination inside another", &d.at,
			"%s contains %s, where service %q at %s installs: each update of this one would remove that.",
			d.path, other.path, other.service, place(other.at))
	case within(d.path, other.own()):
		ds.l.errorf("Destination inside another", &d.at,
			"%s is inside %s, where the releases of service %q at %s are kept.", d.path, other.own(), other.service, place(other.at))
	case within(other.path, d.own()):
		ds.l.errorf("Destination inside another", &d.at,
			"The releases of this service are kept in %s, and service %q at %s installs to %s inside it.",
			d.own(), other.service, place(other.at), other.path)
	}
}

// within reports whether path is dir or below it. Both are clean, and both absolute or both relative.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
