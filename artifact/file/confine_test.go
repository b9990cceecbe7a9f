package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/file"
)

func TestOnlyFilesBelowRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	publish(t, dir, "outside.tar.gz", []byte("not ours"))
	publish(t, root, "inside.tar.gz", []byte("ours"))
	for name, target := range map[string]string{
		"out.tar.gz":      "../outside.tar.gz",
		"absolute.tar.gz": filepath.Join(dir, "outside.tar.gz"),
		"up":              "..",
		"current.tar.gz":  "inside.tar.gz",
		"dangling.tar.gz": "absent.tar.gz",
		"loop.tar.gz":     "loop.tar.gz",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path   string
		absent bool
		want   string // in the error; empty: no error
	}{
		{path: "inside.tar.gz"},
		{path: "current.tar.gz"},
		{path: "dangling.tar.gz", absent: true, want: "does not exist"},
		{path: "inside.tar.gz/below", absent: true, want: "does not exist"},
		{path: "out.tar.gz", want: "a link in its path leads out of the root " + root + ", or is absolute, which is refused"},
		{path: "absolute.tar.gz", want: "a link in its path leads out of the root " + root + ", or is absolute, which is refused"},
		{path: "up/outside.tar.gz", want: "a link in its path leads out of the root " + root + ", or is absolute, which is refused"},
		{path: "loop.tar.gz", want: "too many levels of symbolic links"},
		{path: "fifo", want: "no regular file"},
		{path: ".", want: "no regular file"},
	} {
		src := source(t, root, tt.path)
		_, err := src.Stat(t.Context())
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.path, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), src.String()) {
			t.Errorf("%s: got error %v, want one with %q and %s", tt.path, err, tt.want, src)
		}
		if got := errors.Is(err, artifact.ErrNotExist); got != tt.absent {
			t.Errorf("%s: got absent %v, want %v (%v)", tt.path, got, tt.absent, err)
		}
	}
}

func TestRootThatIsNoDirectoryIsNotAbsence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish(t, dir, "root", []byte("a file"))
	_, err := source(t, filepath.Join(dir, "root"), "a.tar.gz").Stat(t.Context())
	if err == nil || errors.Is(err, artifact.ErrNotExist) {
		t.Errorf("got error %v, want one that is not ErrNotExist", err)
	}
}

// A root that is not mounted says nothing of the artifacts in it.
func TestRootThatIsNotThereIsNotAbsence(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "mnt", "artifacts")
	src := source(t, root, "a.tar.gz")
	_, statErr := src.Stat(t.Context())
	_, openErr := src.Open(t.Context(), artifact.Info{Revision: "0cc175b9c0f1b6a831c399e269772661"}, 0, -1)
	for call, err := range map[string]error{"stat": statErr, "open": openErr} {
		if errors.Is(err, artifact.ErrNotExist) {
			t.Errorf("%s: got error %v, want one that is not ErrNotExist", call, err)
		}
		want := fmt.Sprintf("cannot %s %s: the repository's root is not there: mount it, or create it: open %s: no such file or directory", call, src, root)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got error %s, want %s", got, want)
		}
	}
	publish(t, root, "b.tar.gz", nil) // which mounts it
	if _, err := src.Stat(t.Context()); !errors.Is(err, artifact.ErrNotExist) {
		t.Errorf("got error %v, want ErrNotExist", err)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, want string }{
		{`root = "/srv/artifacts"`, ""},
		{`root = "artifacts"`, "test.hcl:1,8-19: Root is not absolute"},
		{`root = ""`, "test.hcl:1,8-10: Root is not absolute"},
		{``, `Missing required argument; The argument "root" is required`},
		{"root = \"/srv\"\nrot = 1", "test.hcl:2,1-4: Unsupported argument"},
	} {
		_, diags := file.New(body(t, tt.src), nil)
		check(t, tt.src, diags.Error(), diags.HasErrors(), tt.want)
	}
	repo, diags := file.New(body(t, `root = "/srv/artifacts"`), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, tt := range []struct{ src, want string }{
		{`path = "app/app.tar.gz"`, ""},
		{``, `The argument "path" is required`},
		{`path = ""`, "test.hcl:1,8-10: Invalid artifact path"},
		{`path = "/app.tar.gz"`, "without the slash"},
		{`path = "app/"`, "names a directory"},
		{`path = "../app.tar.gz"`, "leads out"},
		{`path = "a/../../app.tar.gz"`, "leads out"},
		{"path = \"a\"\nbucket = \"b\"", "test.hcl:2,1-7: Unsupported argument"},
	} {
		_, diags := repo.Source(body(t, tt.src), nil)
		check(t, tt.src, diags.Error(), diags.HasErrors(), tt.want)
	}
}

func check(t *testing.T, src, got string, failed bool, want string) {
	t.Helper()
	if failed != (want != "") || want != "" && !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want %q", src, got, want)
	}
}
