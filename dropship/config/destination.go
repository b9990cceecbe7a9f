package config

import (
	"fmt"
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

// check reports each destination that does not stand clear of one before it, once.
func (ds *destinations) check() {
	var clear []destination
next:
	for _, d := range ds.all {
		if within(ds.stateDir, d.path) || within(d.path, ds.stateDir) {
			ds.l.errorf("Destination overlaps stateDir", &d.at,
				"%s and the stateDir %s are one within the other: an update would replace Dropship's own state.", d.path, ds.stateDir)
			continue
		}
		for _, other := range clear {
			if summary, detail := d.clash(other); summary != "" {
				ds.l.errorf(summary, &d.at, "%s", detail)
				continue next
			}
		}
		clear = append(clear, d)
	}
}

// clash says what keeps d from standing clear of another, if anything does.
func (d destination) clash(other destination) (summary, detail string) {
	who := fmt.Sprintf("service %q at %s", other.service, place(other.at))
	const inside = "Destination inside another"
	switch {
	case d.path == other.path:
		return "Duplicate destination", fmt.Sprintf("%s is where %s installs, too.", d.path, who)
	case within(d.path, other.path):
		return inside, fmt.Sprintf("%s is inside %s, where %s installs: each of its updates would remove this one.", d.path, other.path, who)
	case within(other.path, d.path):
		return inside, fmt.Sprintf("%s contains %s, where %s installs: each update of this one would remove that.", d.path, other.path, who)
	case within(d.path, other.own()):
		return inside, fmt.Sprintf("%s is inside %s, where the releases of %s are kept.", d.path, other.own(), who)
	case within(other.path, d.own()):
		return inside, fmt.Sprintf("The releases of this service are kept in %s, and %s installs to %s inside it.", d.own(), who, other.path)
	}
	return "", ""
}

// within reports whether path is dir or below it. Both are clean, and both absolute or both relative.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, separator)+separator)
}

const separator = string(filepath.Separator)
