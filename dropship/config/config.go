// Package config makes services from HCL files.
//
// Load reads every file, reports every mistake of all of them at its place, and does no other I/O than
// reading those files, following the links on the way to destinations, and looking up owners in the
// machine's user database: a configuration can be checked anywhere, offline. docs/configuration.md is the reference of what the files may say.
package config

import (
	"os"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// Where things are unless the files say otherwise.
const (
	DefaultStateDir = "/var/lib/dropship"
	DefaultSocket   = "/run/dropship/dropship.sock"
)

// mostDownloads is far beyond what any store or machine is the better for.
const mostDownloads = 1000

// leastBandwidth is below what brings an artifact within a day: a unit was forgotten.
const leastBandwidth = 1 << 10

// Kinds are the implementations that a configuration can name. They are made anew for each load, since
// Consul is told a block of that load. Services are made side by side: Hooks, and the repositories once they are made,
// are asked by several goroutines at a time.
type Kinds struct {
	// Repositories make a repository from a repo block, by its type. The body is empty where an
	// artifact names a type that no repo block configures.
	Repositories map[string]func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics)
	Hooks        map[string]hooks.Kind
	// Lockers make a locker from a lock block, by its label. The body is nil where there is no such
	// block: all defaults.
	Lockers map[string]func(hcl.Body, *hcl.EvalContext) (lock.Locker, hcl.Diagnostics)
	// Metrics and Tracing make an exporter from a metrics, or a tracing, block, by its label.
	Metrics map[string]NewExporter
	Tracing map[string]NewExporter
	// Consul, if set, is told the shared consul block before any other block is decoded, and is not
	// called if there is none.
	Consul func(hcl.Body, *hcl.EvalContext) hcl.Diagnostics
}

// NewExporter makes an exporter from its block. It does no I/O.
type NewExporter = func(hcl.Body, *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics)

// A Config is what the files say, complete and without mistakes.
type Config struct {
	StateDir string // absolute
	Socket   string // absolute
	// MaxDownloads is how many artifacts are fetched at once from one store, MaxBandwidth to how many bytes a second
	// all downloads come together, 0 being no limit.
	MaxDownloads int
	MaxBandwidth int64
	Services     []*dropship.Service
	// Exporters tell others what the agent does. They live as long as it.
	Exporters []dropship.Exporter
	Files     []string // every file that was read, in the order of reading

	lasting []lasting
}

// Load reads path, a file or a directory whose *.hcl files are all read, and the files that it leads to.
// The configuration is nil if there is any error; the diagnostics are never nil and may hold warnings
// either way.
func Load(path string, kinds Kinds) (*Config, *Diagnostics) { return load(path, kinds, nil) }

// load loads a configuration for an agent that runs with another one, if there is one.
func load(path string, kinds Kinds, running *Config) (*Config, *Diagnostics) {
	l := newLoader(kinds)
	l.read(path)
	if name, err := os.Hostname(); err != nil {
		l.errorf("Cannot find the name of this machine", nil, "%v.", err)
	} else {
		l.hostname = name
	}
	config := l.decode()
	config.lasting = l.lasting
	l.compare(running)
	diags := l.finish()
	if diags.HasErrors() {
		return nil, diags
	}
	return config, diags
}

// decode makes everything from the files, shared blocks first, since services refer to them.
func (l *loader) decode() *Config {
	config := &Config{Files: make([]string, len(l.files))}
	for i, f := range l.files {
		config.Files[i] = f.path
	}
	stateDir, socket := lasting{name: "stateDir", value: DefaultStateDir}, lasting{name: socketName, value: DefaultSocket}
	config.MaxDownloads = dropship.DefaultMaxDownloads
	l.setting(func(r rootBlock) *hcl.Attribute { return r.StateDir }, func(f *fields, attr *hcl.Attribute) {
		stateDir.value, stateDir.at = f.path(attr, DefaultStateDir), attr.Expr.Range()
	})
	l.setting(func(r rootBlock) *hcl.Attribute { return r.Socket }, func(f *fields, attr *hcl.Attribute) {
		socket.value, socket.at = f.path(attr, DefaultSocket), attr.Expr.Range()
	})
	config.StateDir, config.Socket = stateDir.value, socket.value
	stateDir.shown, socket.shown = stateDir.value, socket.value
	l.lasting = append(l.lasting, stateDir, socket)
	l.setting(func(r rootBlock) *hcl.Attribute { return r.MaxDownloads }, func(f *fields, attr *hcl.Attribute) {
		config.MaxDownloads = int(f.integer(attr, dropship.DefaultMaxDownloads, 1, mostDownloads))
	})
	l.setting(func(r rootBlock) *hcl.Attribute { return r.MaxBandwidth }, func(f *fields, attr *hcl.Attribute) {
		config.MaxBandwidth = f.bandwidth(attr)
	})
	l.places = append(l.places, config.StateDir)
	l.warnReadable()
	l.decodeConsul()
	l.decodeLock()
	l.decodeRepositories()
	l.decodeExporters(config)
	config.Services = l.decodeServices(config.StateDir)
	return config
}
