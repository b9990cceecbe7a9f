package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/artifact/file"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	artifacttest.Run(t, artifacttest.Harness{
		Publish: func(t testing.TB, name string, content []byte) { publish(t, root, name, content) },
		Remove: func(t testing.TB, name string) {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		},
		Source: func(t testing.TB, name string) artifact.Source { return source(t, root, name) },
	})
}

// publish writes an artifact as its readers need it: complete at every instant.
func publish(t testing.TB, root, name string, content []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func body(t testing.TB, src string) hcl.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return f.Body
}

func source(t testing.TB, root, name string) artifact.Source {
	t.Helper()
	repo, diags := file.New(body(t, fmt.Sprintf("root = %q\n", root)), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	src, diags := repo.Source(body(t, fmt.Sprintf("path = %q\n", name)), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return src
}

func setTime(t *testing.T, path string, mtime time.Time) {
	t.Helper()
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// old is long enough ago for an md5 to be remembered.
func old() time.Time { return time.Now().Add(-time.Hour).Truncate(time.Second) }

func TestMD5IsRememberedByIdentity(t *testing.T) {
	t.Parallel()
	mtime := old()
	for name, tt := range map[string]struct {
		change func(t *testing.T, root, path string)
		seen   bool
	}{
		// Other bytes behind the same identity cannot be seen: that they are not shows that nothing is read again.
		"nothing": {func(t *testing.T, _, path string) { overwrite(t, path, "version 2"); setTime(t, path, mtime) }, false},
		"size":    {func(t *testing.T, _, path string) { overwrite(t, path, "version 10"); setTime(t, path, mtime) }, true},
		"mtime":   {func(t *testing.T, _, path string) { overwrite(t, path, "version 2"); setTime(t, path, mtime.Add(1)) }, true},
		"inode": {func(t *testing.T, root, path string) {
			publish(t, root, "a.tar.gz", []byte("version 2"))
			setTime(t, path, mtime)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			path := filepath.Join(root, "a.tar.gz")
			publish(t, root, "a.tar.gz", []byte("version 1"))
			setTime(t, path, mtime)
			src := source(t, root, "a.tar.gz")
			before, err := src.Stat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, root, path)
			after, err := src.Stat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if seen := before.MD5 != after.MD5; seen != tt.seen {
				t.Errorf("got the md5 %s and then %s, want a change seen: %v", before.MD5, after.MD5, tt.seen)
			}
		})
	}
}

func TestYoungFileIsReadAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	path := filepath.Join(root, "a.tar.gz")
	publish(t, root, "a.tar.gz", []byte("version 1"))
	now := time.Now()
	setTime(t, path, now)
	src := source(t, root, "a.tar.gz")
	first, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// As if written again within one tick of the file system's clock.
	overwrite(t, path, "version 2")
	setTime(t, path, now)
	second, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Revision == second.Revision {
		t.Errorf("other bytes have the same revision %s", first.Revision)
	}
}

func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, change := range map[string]struct {
		apply func(path string) error
		want  error
	}{
		"overwritten in place": {func(p string) error { return os.WriteFile(p, make([]byte, 100_000), 0o644) }, artifact.ErrChanged},
		"grown":                {appendTo, artifact.ErrChanged},
		"truncated":            {func(p string) error { return os.Truncate(p, 10) }, artifact.ErrChanged},
		"replaced by rename":   {replace, nil}, // the bytes that are read stay what they were
	} {
		t.Run(name, func(t *testing.T) {
			file := strings.ReplaceAll(name, " ", "-")
			path := filepath.Join(root, file)
			publish(t, root, file, []byte(strings.Repeat("a", 100_000)))
			setTime(t, path, old())
			src := source(t, root, file)
			info, err := src.Stat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r, err := src.Open(t.Context(), info, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if err := change.apply(path); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(r)
			if !errors.Is(err, change.want) {
				t.Errorf("got error %v, want %v", err, change.want)
			}
			if err == nil && string(rest) != strings.Repeat("a", 100_000-100) {
				t.Errorf("got %d other bytes", len(rest))
			}
		})
	}
}

func appendTo(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("more")
	return err
}

func replace(path string) error {
	if err := os.WriteFile(path+".new", make([]byte, 100_000), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
