package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dropship/dropship/test/power"
	"github.com/dropship/dropship/test/servers"
	"github.com/dropship/dropship/test/torture/trap"
)

// binary is the dropship under torture.
var binary string

func TestMain(m *testing.M) {
	trap.ExecIfAsked()
	if err := power.Isolate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dropship-torture-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "dropship")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/dropship")
	if text, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build dropship: %v\n%s", err, text)
		return 1
	}
	return m.Run()
}

// Each fault strikes once at each of its steps, so that none of them rots. What it takes to find something is the
// many rounds of make torture.
func TestEveryFaultAtEveryStep(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r, err := newRun(options{
		rounds: 1, number: -1, workers: 6, seed: 1, binary: binary, dir: t.TempDir(), servers: servers.Get(t), out: &out,
	}, faults(), regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	r.all(t.Context())
	for _, c := range r.cells {
		if len(c.errs) == 0 && c.rounds == 1 {
			continue
		}
		t.Errorf("%s at step %s: %d rounds: %s", c.fault.Name, c.step, c.rounds, strings.Join(c.errs, "\n"))
	}
}

func TestViolationIsReported(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bad := Fault{Name: "bad", Steps: []string{"switch"}, Round: func(_ context.Context, r *Round) (Seen, error) {
		return "", os.WriteFile(filepath.Join(r.Dir, "missing", "file"), nil, 0o644)
	}}
	good := Fault{Name: "kill -9", Steps: []string{"switch", "after"}, Round: func(context.Context, *Round) (Seen, error) { return New, nil }}
	r, err := newRun(options{rounds: 3, number: -1, workers: 2, seed: 42, binary: binary, dir: t.TempDir(), out: &out},
		[]Fault{bad, good}, regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	r.all(t.Context())
	if got := r.violations(); got != 3 {
		t.Errorf("got %d violations, want 3", got)
	}
	for _, want := range []string{"VIOLATION: bad, at step switch, round 2, seed 42", "missing/file"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	kept, err := filepath.Glob(filepath.Join(r.dirs, "*"))
	if err != nil || len(kept) != 3 {
		t.Errorf("got %q, %v, want the directories of the violations", kept, err)
	}
	matrix := r.matrix()
	for _, want := range []string{"| bad |  |  |  |  | **3 VIOLATIONS** (3) |", "| kill -9 |  |  |  |  | new (3) | new (3) |", "9 rounds, 6 of them with kill -9: 3 violations"} {
		if !strings.Contains(matrix, want) {
			t.Errorf("the matrix lacks %q:\n%s", want, matrix)
		}
	}
}

// A checker that finds nothing must be one that would have.
func TestCheckerFinds(t *testing.T) {
	t.Parallel()
	set := servers.Get(t)
	for _, tt := range []struct {
		name string
		harm func(m *Machine) error
		want string
	}{
		{"nothing where nothing is wrong", func(*Machine) error { return nil }, ""},
		{"a mixed tree", func(m *Machine) error {
			return os.WriteFile(filepath.Join(m.Destination, "lib/file-6"), []byte("release 2, file 6\n"), 0o644)
		}, "no complete release"},
		{"a file that is missing", func(m *Machine) error { return os.Remove(filepath.Join(m.Destination, "etc/file-4")) }, "missing"},
		{"a file too many", func(m *Machine) error {
			return os.WriteFile(filepath.Join(m.Destination, "etc/other"), nil, 0o644)
		}, "none of its files"},
		{"a mode", func(m *Machine) error { return os.Chmod(filepath.Join(m.Destination, "bin/file-0"), 0o600) }, "has mode"},
		{"another link", func(m *Machine) error {
			link := filepath.Join(m.Destination, "current")
			return errors.Join(os.Remove(link), os.Symlink("lib", link))
		}, "current is"},
		{"a destination that is gone", func(m *Machine) error { return os.RemoveAll(m.Destination) }, "no such file"},
		{"a stage", func(m *Machine) error { return os.Mkdir(m.path("srv/.app.dropship/stage-1"), 0o755) }, "a stage is left"},
		{"what was being removed", func(m *Machine) error { return os.Mkdir(m.path("srv/.app.dropship/trash-1"), 0o755) }, "a stage is left"},
		{"an intent", func(m *Machine) error { return os.WriteFile(m.path("srv/.app.dropship/switch.json"), nil, 0o644) }, "switch.json is left"},
		{"a state half written", func(m *Machine) error { return os.WriteFile(m.path("state/app.json.new"), nil, 0o644) }, "app.json.new"},
		{"an application that stands still", func(m *Machine) error { return os.Remove(m.path("running")) }, "left stopped"},
		{"an update that did not start again", func(m *Machine) error { return m.append("hooks.log", "stop end update 7\n") }, "update 7 stopped"},
		{"a start that was cut off", func(m *Machine) error {
			return m.append("hooks.log", "stop begin update 7\nstart begin update 7\n")
		}, "update 7 stopped"},
		{"an older release than acknowledged", func(m *Machine) error {
			_, old, err := Good(1).pack(m.Variant)
			if err != nil {
				return err
			}
			_, sum, err := Good(2).pack(m.Variant)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(m.path("state/app.json"))
			if err != nil {
				return err
			}
			return os.WriteFile(m.path("state/app.json"), bytes.ReplaceAll(b, []byte(old), []byte(sum)), 0o600)
		}, "acknowledged release is lost"},
		{"a newer release in the repository", func(m *Machine) error { return m.Publish(t.Context(), Good(2)) }, "not release 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := NewMachine(t.Context(), &Round{Dir: t.TempDir(), Servers: set, Binary: binary}, Variant{Repo: "file"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := tt.harm(m); err != nil {
				t.Fatal(err)
			}
			err = m.Check(t.Context())
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// What is right again at the end was wrong for whoever looked before.
func TestReaderSeesAMixtureThatPasses(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(t.Context(), &Round{Dir: t.TempDir(), Servers: servers.Get(t), Binary: binary}, Variant{Repo: "file"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	path := filepath.Join(m.Destination, "lib/file-6")
	right, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("release 2"), 0o644); err != nil {
		t.Fatal(err)
	}
	<-m.reader.done
	if err := os.WriteFile(path, right, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(t.Context()); !errors.Is(err, errMixed) {
		t.Errorf("got %v, want what the reader saw", err)
	}
}

func (m *Machine) append(name, text string) error {
	f, err := os.OpenFile(m.path(name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func TestSpreadMeetsEveryCallOnce(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 200; n++ {
		met := make(map[int]bool)
		for round := range n {
			met[spread(round, n)] = true
		}
		if len(met) != n {
			t.Errorf("of %d calls %d rounds meet %d", n, n, len(met))
		}
	}
}
