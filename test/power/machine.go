package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Options say what a machine is like.
type Options struct {
	Dir        string // empty, its own
	Binary     string // dropship
	FileSystem FileSystem
	// TwoDisks keeps the state on a disk of its own, so that what is flushed on one tells nothing of the other.
	TwoDisks bool
	// TwoRenames takes renameat2 away from dropship, as on a file system that cannot exchange two names.
	TwoRenames bool
	// Persist has the path data live across releases, from the second release on.
	Persist bool
}

// A Machine is a machine with one service, whose destination and state directory are on disks of a Recorder. Its
// artifact and its hooks' words are outside, where no power fails. It is used by one goroutine.
type Machine struct {
	Recorder *Recorder
	o        Options
	volumes  []*volume
	log      bytes.Buffer // of the dropship processes, and of the checks
}

type volume struct {
	disk *Disk
	dir  string // where it is mounted
}

// NewMachine makes a machine whose disks have empty file systems, mounted.
func NewMachine(ctx context.Context, o Options) (*Machine, error) {
	m := &Machine{o: o}
	recorder := filepath.Join(o.Dir, "recorder")
	for _, dir := range []string{recorder, m.disk(0), m.disk(1), filepath.Join(o.Dir, "artifacts")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	if m.Recorder, err = NewRecorder(recorder); err != nil {
		return nil, err
	}
	count := 1
	if o.TwoDisks {
		count = 2
	}
	for i := range count {
		v := &volume{m.Recorder.NewDisk(o.FileSystem.Size), m.disk(i)}
		m.volumes = append(m.volumes, v)
		if err = o.FileSystem.Format(ctx, v.disk.Path()); err != nil {
			break
		}
	}
	if err == nil {
		err = m.Mount()
	}
	if err == nil {
		err = m.configure(false)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	return m, nil
}

func (m *Machine) disk(i int) string { return filepath.Join(m.o.Dir, fmt.Sprintf("mount-%d", i)) }

// Destination is where the service's releases go.
func (m *Machine) Destination() string { return filepath.Join(m.disk(0), "srv", "apps", "web") }

// StateDir is where dropship keeps what it knows.
func (m *Machine) StateDir() string {
	return filepath.Join(m.disk(len(m.volumes)-1), "var", "lib", "dropship")
}

func (m *Machine) config() string { return filepath.Join(m.o.Dir, "dropship.hcl") }

func (m *Machine) artifact() string { return filepath.Join(m.o.Dir, "artifacts", "web.tar.gz") }

func (m *Machine) configure(persist bool) error {
	return os.WriteFile(m.config(), []byte(m.hcl(persist)), 0o644)
}

func (m *Machine) hcl(keep bool) string {
	tell := func(phase, hook string) string {
		return fmt.Sprintf("echo %s %s $DROPSHIP_STATUS $DROPSHIP_UPDATE_ID >>%s", phase, hook, m.Recorder.EventsPath())
	}
	persist := ""
	if keep {
		persist = `persist = ["data"]`
	}
	return fmt.Sprintf(`stateDir = %q
repo "file" { root = %q }
service "web" {
  before "script" { command = %q }
  artifact "file" {
    path        = "web.tar.gz"
    destination = %q
    %s
  }
  after "script" { command = %q }
  after "script" {
    command = %q
    when    = "success"
    onError = "continue"
  }
  after "script" { command = %q }
}
`, m.StateDir(), filepath.Dir(m.artifact()), tell("before", "stop"), m.Destination(), persist,
		tell("after", "start"), tell("after", "announce"),
		tell("after", "check")+" && { test $DROPSHIP_STATUS = failed || ! grep -q broken "+m.Destination()+"/health; }")
}

// Publish puts a release into the repository; the zero one takes away what is there.
func (m *Machine) Publish(r Release) error {
	if r.Version == "" {
		err := os.Remove(m.artifact())
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	archive, err := r.Archive()
	if err != nil {
		return err
	}
	return os.WriteFile(m.artifact(), archive, 0o644)
}

// use has the application write into what it keeps, and that path live across releases from now on.
func (m *Machine) use(text string) error {
	if err := os.WriteFile(filepath.Join(m.Destination(), "data", "kept"), []byte(text), 0o644); err != nil {
		return err
	}
	return m.configure(true)
}

// Apply runs dropship apply to its end and returns its exit code, and what it printed.
func (m *Machine) Apply(ctx context.Context) (code int, output string, err error) {
	cmd := m.Command(ctx)
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(&m.log, "dropship apply: %v\n%s", err, out)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil && exit.Exited() {
		return exit.ExitCode(), string(out), nil
	}
	return 0, string(out), err
}

// Command returns dropship apply, not started yet.
func (m *Machine) Command(ctx context.Context) *exec.Cmd {
	args := []string{m.o.Binary, "apply", "--config", m.config()}
	if m.o.TwoRenames {
		trace := filepath.Join(m.o.Dir, "strace.log")
		args = append([]string{
			"strace", "-f", "-o", trace, "-e", "trace=renameat2", "--seccomp-bpf",
			"-e", "inject=renameat2:error=EINVAL", "--",
		}, args...)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// Mount mounts the machine's disks.
func (m *Machine) Mount() error {
	for _, v := range m.volumes {
		if err := m.o.FileSystem.Mount(v.disk.Path(), v.dir); err != nil {
			return err
		}
	}
	return nil
}

// Unmount unmounts them, by which all that was written is flushed.
func (m *Machine) Unmount(ctx context.Context) error {
	for _, v := range m.volumes {
		if err := Unmount(ctx, v.dir); err != nil {
			return err
		}
	}
	return nil
}

// Record begins a log with the disks as they are, everything flushed.
func (m *Machine) Record(ctx context.Context) error {
	if err := m.Unmount(ctx); err != nil {
		return err
	}
	var disks []*Disk
	for _, v := range m.volumes {
		disks = append(disks, v.disk)
	}
	m.Recorder.Record(disks...)
	m.Recorder.TakeEvents()
	return m.Mount()
}

// Close unmounts everything.
func (m *Machine) Close(ctx context.Context) error {
	var errs []error
	for _, v := range m.volumes {
		if mounted(v.dir) {
			errs = append(errs, Unmount(ctx, v.dir))
		}
	}
	return errors.Join(append(errs, m.Recorder.Close())...)
}

func mounted(dir string) bool {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	return strings.Contains(string(mounts), " "+dir+" ")
}
