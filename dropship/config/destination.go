package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A destination is where a service installs.
type destination struct {
	spot
	service string
	at      hcl.Range
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
	links    resolver
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
	configuration := make(index)
	for i, read := range ds.l.configuration {
		configuration.addUp(i, read)
	}
	var clear []destination
	at, above, releases := make(index), make(index), make(index) // of those in clear
	for _, d := range ds.all {
		if ds.stateDir.within(d.spot) || d.within(ds.stateDir) {
			ds.l.errorf("Destination overlaps stateDir", &d.at,
				"%s and the stateDir %s are one within the other: an update would replace Dropship's own state.", d.path, ds.stateDir.path)
			continue
		}
		if i := configuration.first(d.spot); i < none {
			ds.l.errorf("Destination holds the configuration", &d.at,
				"%s holds the configuration %s: an update would replace it.", d.path, ds.l.configuration[i].path)
			continue
		}
		own := d.own()
		if i := min(at.firstUp(d.spot), above.first(d.spot), releases.firstUp(d.spot), above.first(own)); i < none {
			summary, detail := d.clash(clear[i])
			ds.l.errorf(summary, &d.at, "%s", detail)
			continue
		}
		at.add(len(clear), d.spot)
		above.addUp(len(clear), d.spot)
		releases.add(len(clear), own)
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
