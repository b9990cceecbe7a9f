package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// A destination is where a service installs.
type destination struct {
	spot
	service string
	at      hcl.Range
}

// A spot is a path as it is written, and the same one as it is on this machine, where a directory on the
// way may be a link to another.
type spot struct{ path, real string }

// newSpot resolves the directories on the way to path, an absolute one, as far as they exist. What path
// names itself stays as it is.
func newSpot(path string) spot {
	base := filepath.Base(path)
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return spot{path, filepath.Join(real, base)}
		}
		if dir == filepath.Dir(dir) {
			return spot{path, path}
		}
		base = filepath.Join(filepath.Base(dir), base)
	}
}

// own is the folder beside a destination that holds its releases.
func (s spot) own() spot { return spot{ownFolder(s.path), ownFolder(s.real)} }

func ownFolder(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".dropship")
}

func (s spot) same(other spot) bool { return s.path == other.path || s.real == other.real }

// within reports whether s is other or below it, by one way or another.
func (s spot) within(other spot) bool {
	return within(s.path, other.path) || within(s.real, other.real)
}

// systemDirectories hold what others put there. An update replaces all that is in a destination.
var systemDirectories = []string{
	"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
	"/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin",
	"/usr/share", "/var", "/var/lib", "/var/log", "/var/tmp",
}

// destinations are all of one configuration. Each must stand clear of the others, since a switch replaces
// everything below it.
type destinations struct {
	l        *loader
	stateDir spot
	all      []destination
}

func (ds *destinations) add(d destination) {
	switch {
	case d.path == filepath.Dir(d.path):
		ds.l.errorf("Invalid destination", &d.at, "%s cannot be replaced. Name a directory or a file below it.", d.path)
	case slices.Contains(systemDirectories, d.path) || slices.Contains(systemDirectories, d.real):
		ds.l.errorf("Invalid destination", &d.at,
			"%s is a directory of the system: an update would replace all that is in it. Name a directory or a file below it.", d.path)
	default:
		ds.all = append(ds.all, d)
	}
}

// check reports each destination that does not stand clear of one before it, once.
func (ds *destinations) check() {
	var clear []destination
next:
	for _, d := range ds.all {
		if ds.stateDir.within(d.spot) || d.within(ds.stateDir) {
			ds.l.errorf("Destination overlaps stateDir", &d.at,
				"%s and the stateDir %s are one within the other: an update would replace Dropship's own state.", d.path, ds.stateDir.path)
			continue
		}
		for _, read := range ds.l.configuration {
			if read.within(d.spot) {
				ds.l.errorf("Destination holds the configuration", &d.at,
					"%s holds the configuration %s: an update would replace it.", d.path, read.path)
				continue next
			}
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
	case d.same(other.spot):
		return "Duplicate destination", fmt.Sprintf("%s is where %s installs, too.", d.path, who)
	case d.within(other.spot):
		return inside, fmt.Sprintf("%s is inside %s, where %s installs: each of its updates would remove this one.", d.path, other.path, who)
	case other.within(d.spot):
		return inside, fmt.Sprintf("%s contains %s, where %s installs: each update of this one would remove that.", d.path, other.path, who)
	case d.within(other.own()):
		return inside, fmt.Sprintf("%s is inside %s, where the releases of %s are kept.", d.path, other.own().path, who)
	case other.within(d.own()):
		return inside, fmt.Sprintf("The releases of this service are kept in %s, and %s installs to %s inside it.", d.own().path, who, other.path)
	}
	return "", ""
}

// within reports whether path is dir or below it. Both are clean, and both absolute or both relative.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, separator)+separator)
}

const separator = string(filepath.Separator)
