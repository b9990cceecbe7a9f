package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// The service's hooks: "stop" and "start" of an application, each with a line in a log when it begins and when it is
// through.
//
//go:embed hook.sh
var hookScript []byte

// A Machine is a server in a directory: configuration, state, artifacts, a destination, and an application that the
// hooks stop and start.
type Machine struct {
	Dir         string
	Destination string
	StateDir    string
	Variant     Variant

	round     *Round
	run       string // the agent's socket is in it: its name must be short
	store     store
	published []Release // in order; the last is in the repository
	old       Release   // what was installed before the last publication
	reader    *reader

	mu    sync.Mutex
	alive []*Process
}

// NewMachine makes a machine in the round's directory and installs release 1 on it, undisturbed.
func NewMachine(ctx context.Context, r *Round, v Variant) (*Machine, error) {
	m, err := newMachine(ctx, r, v)
	if err != nil {
		return nil, fmt.Errorf("cannot set a machine up (%s): %w", v, err)
	}
	return m, nil
}

func newMachine(ctx context.Context, r *Round, v Variant) (_ *Machine, err error) {
	m := &Machine{
		Dir: r.Dir, Destination: filepath.Join(r.Dir, "srv", "app"), StateDir: filepath.Join(r.Dir, "state"), Variant: v, round: r,
	}
	for _, dir := range []string{"srv", "artifacts"} {
		if err := os.MkdirAll(filepath.Join(r.Dir, dir), 0o755); err != nil { // srv may be on a disk of its own
			return nil, err
		}
	}
	if err := os.WriteFile(m.path("hook"), hookScript, 0o755); err != nil {
		return nil, err
	}
	if m.store, err = newStore(ctx, m); err != nil {
		return nil, err
	}
	if m.run, err = os.MkdirTemp("", "dropship-torture-run-"); err != nil {
		return nil, errors.Join(err, m.store.close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	// Without a slot, which a machine under load may lose: its TTL is as short as Consul allows.
	if err := m.configure("", false); err != nil {
		return nil, err
	}
	if err := m.Publish(ctx, Good(1)); err != nil {
		return nil, err
	}
	if err := m.Apply(ctx); err != nil {
		return nil, err
	}
	if err := m.Configure(""); err != nil {
		return nil, err
	}
	m.old = Good(1)
	if v.Persist {
		if err := os.WriteFile(filepath.Join(m.Destination, persistent, "kept"), []byte("the application's own"), 0o644); err != nil {
			return nil, err
		}
	}
	if _, err := m.look(); err != nil {
		return nil, err
	}
	m.reader = m.read()
	return m, nil
}

func (m *Machine) path(name string) string { return filepath.Join(m.Dir, name) }

// Configure writes the configuration. More stands within the service's block.
func (m *Machine) Configure(more string) error { return m.configure(more, m.Variant.Slot) }

func (m *Machine) configure(more string, slot bool) error {
	var service strings.Builder
	if slot {
		fmt.Fprintf(&service, "  sequentialUpdates = true\n  updateGroup = %q\n  updateTTL = \"50ms\"\n", m.group())
	}
	name, persist := "app.tar.gz", ""
	if m.Variant.PlainFile {
		name = "app.sh"
	}
	if m.Variant.Persist {
		persist = fmt.Sprintf("    persist = [%q]\n", persistent)
	}
	text := fmt.Sprintf(`stateDir = %q
socket = %q
%s
consul {
  address = %q
}
lock "consul" {
  ttl = "1s"
}
service "app" {
  checkInterval = "100ms"
%s%s
  before "script" {
    command = [%q, "stop"]
  }
  artifact %q {
    %s
    destination = %q
    type        = %q
%s  }
  after "script" {
    command = [%[7]q, "start"]
  }
  after "script" {
    command = [%[7]q, "check"]
  }
}
`, m.StateDir, filepath.Join(m.run, "dropship.sock"), m.store.block(), m.round.Servers.Consul.Address, service.String(), more, m.path("hook"),
		m.Variant.Repo, m.store.where(name), m.Destination, m.format(), persist)
	return os.WriteFile(m.path("dropship.hcl"), []byte(text), 0o600)
}

func (m *Machine) format() string {
	if m.Variant.PlainFile {
		return "file"
	}
	return "tar.gz"
}

// group is the machine's own among the groups that take turns.
func (m *Machine) group() string { return "torture-" + unique(m.Dir) }

// Publish puts a release into the repository. Numbers rise.
func (m *Machine) Publish(ctx context.Context, r Release) error {
	data, _, err := r.pack(m.Variant)
	if err != nil {
		return fmt.Errorf("cannot pack %s: %w", r, err)
	}
	if len(m.published) > 0 {
		m.old = m.Newest()
	}
	m.mu.Lock()
	m.published = append(m.published, r)
	m.mu.Unlock()
	if err := m.store.put(ctx, data); err != nil {
		return fmt.Errorf("cannot publish %s: %w", r, err)
	}
	return nil
}

// Newest returns the newest good release: the one that the machine has to reach.
func (m *Machine) Newest() Release {
	all := m.releases()
	for _, r := range slices.Backward(all) {
		if !r.Broken {
			return r
		}
	}
	return Release{}
}

func (m *Machine) releases() []Release {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.published)
}

// look returns the release that is at the destination.
func (m *Machine) look() (Release, error) {
	r, _, err := identify(m.Destination, m.Variant, m.releases())
	return r, err
}

// Struck returns what is at the destination right after a fault, and checks that it is one complete release, and not
// older than what was acknowledged. Nothing at all is [Absent], and right only for a directory that two renames switch.
func (m *Machine) Struck() (Seen, error) {
	seen, err := m.Seen()
	if err == nil && seen != Absent {
		err = m.acknowledged()
	}
	return seen, err
}

// Seen is Struck while a process may be at work.
func (m *Machine) Seen() (Seen, error) {
	got, err := m.look()
	switch {
	case errors.Is(err, fs.ErrNotExist) && m.mayBeAbsent():
		return Absent, nil
	case err != nil:
		return "", err
	case got == m.old:
		return Old, nil
	}
	return New, nil
}

func (m *Machine) mayBeAbsent() bool { return m.Variant.Renames && !m.Variant.PlainFile }

// Close ends what still runs and removes what the machine has outside of its directory.
func (m *Machine) Close() error {
	if m.reader != nil {
		_ = m.reader.stop() // Check returned what it saw
	}
	m.mu.Lock()
	alive := m.alive
	m.mu.Unlock()
	for _, p := range alive {
		p.Kill()
		<-p.done
	}
	return errors.Join(m.store.close(), os.RemoveAll(m.run))
}

// mark makes a file that tells the hooks what to do: see hook.sh.
func (m *Machine) mark(name, text string) error {
	return os.WriteFile(m.path(name), []byte(text+"\n"), 0o644)
}
