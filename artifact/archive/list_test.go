package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/archive"
)

// wantListed wants List to say of an archive what Unpack made of it in stage, or why it did not.
func wantListed(tb testing.TB, packed []byte, o archive.Options, stage string, stats archive.Stats, refused error) {
	tb.Helper()
	list, read, err := archive.List(tb.Context(), bytes.NewReader(packed), o)
	if refused != nil {
		// Where a symlink leads, os.Root says in its own words.
		if err == nil || !strings.HasPrefix(refused.Error(), err.Error()) {
			tb.Errorf("List: got error %v, want what Unpack says: %v", err, refused)
		}
		return
	}
	if err != nil {
		tb.Errorf("List: got error %v, want none, as of Unpack", err)
		return
	}
	if read != stats {
		tb.Errorf("List: got %+v, want what Unpack counts: %+v", read, stats)
	}
	if diff := cmp.Diff(entriesOf(tb, stage), list); diff != "" {
		tb.Errorf("List says otherwise than what was unpacked (-want +got):\n%s", diff)
	}
}

// entriesOf lists what was unpacked.
func entriesOf(tb testing.TB, stage string) []archive.Entry {
	tb.Helper()
	var all []archive.Entry
	err := filepath.WalkDir(stage, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(stage, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := archive.Entry{Name: relative, Mode: info.Mode()}
		switch e.Mode.Type() {
		case 0:
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			e.Size, e.SHA256 = info.Size(), sha256.Sum256(content)
		case fs.ModeSymlink:
			if e.Target, err = os.Readlink(name); err != nil {
				return err
			}
		}
		all = append(all, e)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(all[1:], func(a, b archive.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func TestListSaysWhatUnpackMakes(t *testing.T) {
	t.Parallel()
	archives := packedEverywhere(t)
	archives[archive.File] = []byte("#!/bin/sh\n")
	for format, packed := range archives {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			stats, err := s.unpack(t.Context(), bytes.NewReader(packed), options(format))
			if err != nil {
				t.Fatal(err)
			}
			wantListed(t, packed, options(format), s.stage, stats, nil)
			for _, end := range []int{len(packed) / 3, len(packed) - 2000} {
				if format == archive.File || end < 0 {
					continue
				}
				s.clear(t)
				stats, err := s.unpack(t.Context(), bytes.NewReader(packed[:end]), options(format))
				wantListed(t, packed[:end], options(format), s.stage, stats, err)
			}
		})
	}
}

// Symlinks that go up after they went down are followed, as far as they lead.
func TestListFollowsWindingLinks(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string][]tar.Header{
		"inside":           {file("d/e/f"), symlink("d/up", "e/.."), symlink("x", "d/up/../d/e/f")},
		"nothing there":    {dir("d"), symlink("x", "d/nothing/../../..")},
		"round in circles": {symlink("a/b", "../a/c/../b"), symlink("a/c", "../a/b/../c")},
		"through a file":   {file("d/f"), symlink("x", "d/f/../../..")},
		"out":              {file("d/e/f"), symlink("d/top", ".."), symlink("x", "d/top/../neighbour")},
		"out, twice":       {symlink("a/up", ".."), symlink("b/way", "../a/up"), symlink("x", "b/way/../f")},
		"back in":          {file("stage/f"), symlink("d/top", ".."), symlink("x", "d/top/../stage/f")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, packed := newSandbox(t), packTar(t, entries...)
			stats, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
			wantListed(t, packed, options(archive.Tar), s.stage, stats, err)
		})
	}
}

// A list that would fill the memory is refused, however small its archive is.
func TestListIsBounded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(strings.Repeat("n", 250)+"/", 15)
	var entries []tar.Header
	for i := range 18_000 {
		entries = append(entries, tar.Header{Name: fmt.Sprintf("%s%d", deep, i), Typeflag: tar.TypeReg, Size: 1})
	}
	packed := pipe(t, "", packTar(t, entries...), "zstd", "-q")
	o := options(archive.TarZstd)
	o.Limits.Ratio = 1 << 40
	if list, _, err := archive.List(t.Context(), bytes.NewReader(packed), o); list != nil || err == nil || !strings.Contains(err.Error(), "too much to list") {
		t.Errorf("of %d bytes: got %d entries, error %v, want a refusal", len(packed), len(list), err)
	}
	zip := append(packZip(t, zipped{"f", "x", 0o644}), make([]byte, 64<<20)...)
	if list, _, err := archive.List(t.Context(), bytes.NewReader(zip), options(archive.Zip)); list != nil || err == nil || !strings.Contains(err.Error(), "too large to list") {
		t.Errorf("a large zip: got %d entries, error %v, want a refusal", len(list), err)
	}
}

func TestListCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if list, _, err := archive.List(ctx, bytes.NewReader(packTar(t, file("f"))), options(archive.Tar)); list != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got (%v, %v), want context.Canceled", list, err)
	}
}
