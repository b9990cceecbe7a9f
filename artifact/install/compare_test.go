//go:build linux

package install_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// wantChanges wants the same of an artifact that is only listed, and of one that is staged.
func wantChanges(t *testing.T, s *install.Site, next files, want install.Changes) {
	t.Helper()
	before := everything(t, filepath.Dir(s.Destination()))
	got, err := s.Compare(t.Context(), bytes.NewReader(tarball(t, next)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Compare (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, everything(t, filepath.Dir(s.Destination()))); diff != "" {
		t.Errorf("Compare changed something (-before +after):\n%s", diff)
	}
	stage(t, s, "next", tarball(t, next))
	defer func() {
		if err := s.Remove("next"); err != nil {
			t.Error(err)
		}
	}()
	if got, err = s.CompareRelease(t.Context(), "next"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("CompareRelease (-want +got):\n%s", diff)
	}
}

// everything lists everything below dir.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			all[name] = info.Mode().String() + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCompare(t *testing.T) {
	t.Parallel()
	s := newSite(t, "data", "var/log/app.log")
	first := files{"bin/app": "one", "etc/same": "same", "etc/old": "old", "empty/": "", "data/seed": "seed"}
	wantChanges(t, s, first, install.Changes{Added: []string{"bin/app", "etc/old", "etc/same"}})
	update(t, s, "one", "", first)
	wantChanges(t, s, first, install.Changes{})

	top := s.Destination()
	write(t, filepath.Join(top, "data", "db"), "of the application")
	write(t, filepath.Join(top, "cache", "by-hand"), "of the application")
	if err := os.Symlink("same", filepath.Join(top, "etc", "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(top, "etc", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(top, "etc", "old"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, s, files{"bin/app": "two", "etc/same": "same", "etc/old": "old", "etc/fifo": "a file", "etc/link": "a file", "data/seed": "new", "new": "new"},
		install.Changes{
			Added:   []string{"new"},
			Removed: []string{"cache/by-hand"},
			Changed: []string{"bin/app", "etc/fifo", "etc/link", "etc/old"},
		})
}

func TestCompareFile(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(t.TempDir(), "srv", "tool"))
	o.Archive.Format = archive.File
	s := install.New(o)
	compare := func(content string, want install.Changes) {
		t.Helper()
		got, err := s.Compare(t.Context(), strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
	compare("one", install.Changes{Added: []string{"."}})
	write(t, s.Destination(), "one")
	compare("one", install.Changes{})
	compare("two", install.Changes{Changed: []string{"."}})
	compare("#!/bin/sh", install.Changes{Changed: []string{"."}})
}

func TestCompareFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	update(t, s, "one", "", files{"version": "1"})
	broken := errors.New("the connection broke")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		packed []byte
		want   string
		is     error
	}{
		"hostile":   {t.Context(), tarball(t, files{"../neighbour": "x"}), "leads outside", nil},
		"no tar":    {t.Context(), []byte(strings.Repeat("x", 1024)), "no tar archive", nil},
		"broken":    {t.Context(), nil, "cannot compare the artifact with " + s.Destination(), broken},
		"cancelled": {cancelled, tarball(t, files{"version": "2"}), "", context.Canceled},
	} {
		r := iotest.ErrReader(broken)
		if test.packed != nil {
			r = bytes.NewReader(test.packed)
		}
		c, err := s.Compare(test.ctx, r)
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: got (%v, %v), want %q in the error", name, c, err, test.want)
		}
	}
	if _, err := s.CompareRelease(t.Context(), "two"); !errors.Is(err, install.ErrNoRelease) {
		t.Errorf("a release that is not there: got %v, want ErrNoRelease", err)
	}
	if _, err := newSite(t).CompareRelease(t.Context(), "two"); !errors.Is(err, install.ErrNoRelease) {
		t.Errorf("where nothing is: got %v, want ErrNoRelease", err)
	}
	stage(t, s, "three", tarball(t, files{"version": "1"}))
	if _, err := s.CompareRelease(cancelled, "three"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want context.Canceled", err)
	}
}
