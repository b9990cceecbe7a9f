package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
)

// A sandbox is a directory to unpack in, with something to lose around it.
type sandbox struct {
	base, dir, stage string
	root             *os.Root
	before           map[string]string
}

const stageName = "stage"

func newSandbox(tb testing.TB) *sandbox {
	tb.Helper()
	base := tb.TempDir()
	s := &sandbox{base: base, dir: filepath.Join(base, "site")}
	s.stage = filepath.Join(s.dir, stageName)
	for name, content := range map[string]string{
		"passwd":             "root",
		"outside/file":       "outside",
		"site/neighbour":     "neighbour",
		"site/stage2/file":   "a name that begins like the stage's",
		"site/previous/file": "previous release",
	} {
		write(tb, filepath.Join(base, name), content, 0o600)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		tb.Fatal(err)
	}
	s.root = root
	tb.Cleanup(func() {
		root.Close()
		writable(s.base)
	})
	s.before = s.around(tb)
	return s
}

// writable lets everybody but root clean up.
func writable(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return nil
	})
}

func (s *sandbox) unpack(ctx context.Context, r io.Reader, o archive.Options) (archive.Stats, error) {
	return archive.Unpack(ctx, s.root, stageName, r, o)
}

// around lists everything but the stage.
func (s *sandbox) around(tb testing.TB) map[string]string {
	tb.Helper()
	all := listing(tb, s.base, s.stage)
	delete(all, "site") // its mtime changes with the stage
	return all
}

func (s *sandbox) checkAround(tb testing.TB) {
	tb.Helper()
	if diff := cmp.Diff(s.before, s.around(tb)); diff != "" {
		tb.Errorf("something outside the tree changed (-want +got):\n%s", diff)
	}
}

// checkTree says whether what was unpacked holds anything that leads outside or is no file, directory or link.
func (s *sandbox) checkTree(tb testing.TB) {
	tb.Helper()
	err := filepath.WalkDir(s.stage, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch d.Type() {
		case 0, fs.ModeDir:
		case fs.ModeSymlink:
			to, err := filepath.EvalSymlinks(name)
			if err == nil && to != s.stage && !strings.HasPrefix(to, s.stage+"/") {
				tb.Errorf("%s leads to %s, outside the tree", name, to)
			}
		default:
			tb.Errorf("%s is a %s", name, d.Type())
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		tb.Error(err)
	}
}

// clear removes the stage, for another attempt.
func (s *sandbox) clear(tb testing.TB) {
	tb.Helper()
	writable(s.stage)
	if err := os.RemoveAll(s.stage); err != nil {
		tb.Fatal(err)
	}
}

// listing says of everything below dir, but not of what is except, what it is: mode, mtime, links, content.
func listing(tb testing.TB, dir string, except ...string) map[string]string {
	tb.Helper()
	list := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(except, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%o %s", st.Mode, time.Unix(st.Mtim.Unix()).UTC().Format(time.RFC3339Nano))
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" links %d %q", st.Nlink, content)
		case unix.S_IFLNK:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		relative, err := filepath.Rel(dir, name)
		list[relative] = line
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func write(tb testing.TB, name, content string, mode fs.FileMode) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		tb.Fatal(err)
	}
}

// run is for the tools whose archives are unpacked here. They are required: a test without them shows nothing.
func run(tb testing.TB, dir string, command ...string) {
	tb.Helper()
	pipe(tb, dir, nil, command...)
}

// pipe returns what a tool makes of its input.
func pipe(tb testing.TB, dir string, in []byte, command ...string) []byte {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	var out, message bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &message
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%v: %v: %s", command, err, message.String())
	}
	return out.Bytes()
}

// packTar makes a tar of headers; a regular file's content is its name unless it has a size.
func packTar(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o755
		}
		content := make([]byte, h.Size)
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			content = []byte(h.Name)
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// A zipped is one entry of a zip.
type zipped struct {
	name, content string
	mode          fs.FileMode
}

func packZip(tb testing.TB, entries ...zipped) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// options are those of a service that says nothing but the format.
func options(f archive.Format) archive.Options {
	return archive.Options{Format: f, UID: -1, GID: -1}
}
