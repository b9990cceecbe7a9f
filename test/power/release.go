package power

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Release is what an artifact holds.
type Release struct {
	Version string
	entries map[string]entryOf
	kept    string // what the application has made of the file kept in data; empty: what the artifact holds
}

type entryOf struct {
	mode    fs.FileMode
	content string // of a file; what a link says
}

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// NewRelease returns a release whose every file is another in each version. A broken one fails its check after the
// switch.
func NewRelease(version string, broken bool) Release {
	r := Release{Version: version, entries: map[string]entryOf{
		".":       {fs.ModeDir | 0o755, ""},
		"empty":   {0o644, ""},
		"health":  {0o644, "good " + version},
		"bin":     {fs.ModeDir | 0o750, ""},
		"bin/run": {0o755, "#!/bin/sh\necho " + version + "\n"},
		"current": {fs.ModeSymlink | 0o777, "bin/run"},
		"lib":     {fs.ModeDir | 0o755, ""},
		"void":    {fs.ModeDir | 0o700, ""},
	}}
	if broken {
		r.entries["health"] = entryOf{0o644, "broken " + version}
	}
	rnd := rand.New(rand.NewPCG(uint64(len(version)), uint64(version[len(version)-1])))
	for i := range 24 {
		content := make([]byte, 1<<(i%18)+i)
		for j := range content {
			content[j] = byte(rnd.Uint32())
		}
		r.entries[fmt.Sprintf("lib/%02d.bin", i)] = entryOf{0o640, string(content)}
	}
	r.entries["data"] = entryOf{fs.ModeDir | 0o755, ""}
	r.entries["data/kept"] = entryOf{0o644, "shipped with " + version}
	return r
}

// Keeping returns the release as it is while its path data lives across releases, and the application has written
// that text there.
func (r Release) Keeping(text string) Release {
	r.kept = text
	return r
}

// Archive returns the release as a .tar.gz.
func (r Release) Archive() ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(r.entries)) { // a directory before what is in it
		e := r.entries[name]
		h := &tar.Header{Name: name, Mode: int64(e.mode.Perm()), ModTime: modified, Typeflag: tar.TypeReg, Size: int64(len(e.content))}
		switch {
		case name == ".":
			continue
		case e.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.content, 0
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(e.content)); err != nil {
				return nil, err
			}
		}
	}
	err := errors.Join(w.Close(), zip.Close())
	return out.Bytes(), err
}

// Unpack makes the directory dir with what is in the release, and syncs nothing.
func (r Release) Unpack(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		e, path := r.entries[name], filepath.Join(dir, name)
		var err error
		switch {
		case e.mode.IsDir():
			err = errors.Join(os.MkdirAll(path, e.mode.Perm()), os.Chmod(path, e.mode.Perm()))
		case e.mode&fs.ModeSymlink != 0:
			err = os.Symlink(e.content, path)
		default:
			err = errors.Join(os.WriteFile(path, []byte(e.content), e.mode.Perm()), os.Chtimes(path, modified, modified))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// At tells what dir has that the release has not, and the other way round: nil if it is byte for byte the release.
func (r Release) At(dir string) error {
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if r.kept != "" && name == "data" {
			seen += 2
			got, err := os.ReadFile(filepath.Join(path, "kept"))
			if err == nil && string(got) != r.kept {
				err = fmt.Errorf("data/kept has %q, and the application wrote %q", got, r.kept)
			}
			if err == nil && d.IsDir() {
				err = fs.SkipDir
			}
			return err
		}
		want, ok := r.entries[name]
		if !ok {
			return fmt.Errorf("%s is not in %s", name, r.Version)
		}
		seen++
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode() != want.mode {
			return fmt.Errorf("%s has mode %s, and %s in %s", name, info.Mode(), want.mode, r.Version)
		}
		var got string
		switch {
		case d.Type().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			got = string(content)
			if !info.ModTime().Equal(modified) {
				return fmt.Errorf("%s was modified at %s, and at %s in %s", name, info.ModTime(), modified, r.Version)
			}
		case d.Type() == fs.ModeSymlink:
			got, err = os.Readlink(path)
		}
		if err != nil {
			return err
		}
		if got != want.content {
			return fmt.Errorf("%s has %d bytes, other ones than the %d in %s", name, len(got), len(want.content), r.Version)
		}
		return nil
	})
	if err == nil && seen != len(r.entries) {
		err = fmt.Errorf("%d of %d entries of %s are there", seen, len(r.entries), r.Version)
	}
	return err
}
