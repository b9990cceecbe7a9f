//go:build linux

// Package rights runs the dropship binary under hostile umasks, and beside users who put links in its way.
package rights

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/test/disk"
)

// attackEnv tells a process that it is the attacker; see attack.
const attackEnv = "RIGHTS_TEST_ATTACK"

var binary string

func TestMain(m *testing.M) {
	if dir := os.Getenv(attackEnv); dir != "" {
		attack(dir)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dropship-rights-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "dropship")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/dropship").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build dropship: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A server is a directory that every user can reach, with a configuration for what is installed below parent.
type server struct{ dir, parent, config, artifact string }

func newServer(t *testing.T) *server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	// Without a disk a hundred updates take seconds.
	dir := disk.New(t, disk.Options{Kind: disk.Tmpfs}).Dir
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, parent: filepath.Join(dir, "parent"), config: filepath.Join(dir, "dropship.hcl"), artifact: filepath.Join(dir, "app.tar.gz")}
	text := fmt.Sprintf("stateDir = %q\nrepo \"file\" {\n  root = %q\n}\nservice \"app\" {\n  artifact \"file\" {\n    path = \"app.tar.gz\"\n    destination = %q\n    persist = [\"var/data\"]\n  }\n}\n",
		filepath.Join(dir, "state"), dir, filepath.Join(s.parent, "app"))
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// publish makes a release with modes of all kinds.
func (s *server) publish(t *testing.T, number int) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := tar.NewWriter(z)
	var errs []error
	text := fmt.Sprintf("release %d\n", number)
	for _, h := range []tar.Header{
		{Name: "closed/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "open/", Typeflag: tar.TypeDir, Mode: 0o777},
		{Name: "closed/secret", Mode: 0o600},
		{Name: "open/all", Mode: 0o666},
		{Name: "implied/program", Mode: 0o755},
		{Name: "version", Mode: 0o644},
	} {
		if h.Typeflag != tar.TypeDir {
			h.Size = int64(len(text))
		}
		errs = append(errs, a.WriteHeader(&h))
		if h.Size > 0 {
			_, err := a.Write([]byte(text))
			errs = append(errs, err)
		}
	}
	next := s.artifact + ".new"
	errs = append(errs, a.Close(), z.Close(), os.WriteFile(next, b.Bytes(), 0o644), os.Rename(next, s.artifact))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
