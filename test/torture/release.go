package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Release is what is published: a number, and whether its after chain fails.
type Release struct {
	Number int
	Broken bool
}

// Good is release n that works.
func Good(n int) Release { return Release{Number: n} }

// Broken is release n whose after chain fails.
func Broken(n int) Release { return Release{Number: n, Broken: true} }

func (r Release) String() string {
	if r.Broken {
		return fmt.Sprintf("release %d, broken", r.Number)
	}
	return fmt.Sprintf("release %d", r.Number)
}

// persistent is the path of a directory that lives across releases, where a variant has one.
const persistent = "data"

// An entry is a file, a symlink or a directory of a release.
type entry struct {
	mode fs.FileMode
	text string // the content, or where a link leads
}

// files returns what the release consists of, by path. All of it names the release, so that a mixture shows. The map is
// shared: nobody changes it.
func (r Release) files() map[string]entry {
	if known, ok := contents.Load(r); ok {
		return known.(map[string]entry)
	}
	known, _ := contents.LoadOrStore(r, r.make())
	return known.(map[string]entry)
}

var contents sync.Map // of maps from path to entry, by Release

func (r Release) make() map[string]entry {
	all := map[string]entry{".": {fs.ModeDir | 0o755, ""}}
	for i := range 30 {
		dir := []string{"bin", "lib", "share/doc", "share/locale/de", "etc"}[i%5]
		for d := dir; d != "."; d = filepath.Dir(d) {
			all[d] = entry{fs.ModeDir | 0o755, ""}
		}
		mode := fs.FileMode(0o644)
		if dir == "bin" {
			mode = 0o755
		}
		line := fmt.Sprintf("%s, file %d\n", r, i)
		all[fmt.Sprintf("%s/file-%d", dir, i)] = entry{mode, strings.Repeat(line, 1+i*i)}
	}
	all["empty"] = entry{fs.ModeDir | 0o700, ""}
	all["current"] = entry{fs.ModeSymlink, fmt.Sprintf("lib/../bin/file-%d", 5*(r.Number%2))}
	if r.Broken {
		all["BROKEN"] = entry{0o644, r.String()}
	}
	return all
}

// plain is the release as a plain file.
func (r Release) plain() []byte {
	text := "#!/bin/sh\n"
	if r.Broken {
		text += "# BROKEN\n"
	}
	return []byte(text + strings.Repeat(fmt.Sprintf("# %s\n", r), 20_000))
}

// pack returns the artifact, and its md5 in hex.
func (r Release) pack(v Variant) (data []byte, sum string, err error) {
	if v.PlainFile {
		data = r.plain()
	} else if data, err = r.tar(v); err != nil {
		return nil, "", err
	}
	digest := md5.Sum(data)
	return data, hex.EncodeToString(digest[:]), nil
}

func (r Release) tar(v Variant) ([]byte, error) {
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	archive := tar.NewWriter(compressed)
	all := maps.Clone(r.files())
	if v.Persist {
		all[persistent] = entry{fs.ModeDir | 0o755, ""}
		all[persistent+"/sample"] = entry{0o644, r.String()}
	}
	for _, path := range sorted(all) {
		e := all[path]
		h := &tar.Header{Name: path, Mode: int64(e.mode.Perm()), ModTime: time.Unix(1_700_000_000, 0), Size: int64(len(e.text))}
		switch {
		case e.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.text, 0
		}
		if err := archive.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := archive.Write([]byte(e.text)); err != nil {
				return nil, err
			}
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// errMixed means that something is at a destination that is no release, or not all of one.
var errMixed = errors.New("what is at the destination is no complete release")

// identify returns which of the releases is at the path, byte for byte, and what it looked at. It is fs.ErrNotExist if
// nothing is there, and errMixed if none of them is.
func identify(path string, v Variant, releases []Release) (Release, fs.FileInfo, error) {
	f, err := os.Open(path) // one and the same file or directory from here on, whatever is switched
	if err != nil {
		return Release{}, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Release{}, nil, err
	}
	if v.PlainFile != info.Mode().IsRegular() {
		return Release{}, info, fmt.Errorf("%w: it is of mode %s", errMixed, info.Mode())
	}
	same := func(r Release) error { return sameTree(f, v, r) }
	if v.PlainFile {
		got, err := io.ReadAll(f)
		if err != nil {
			return Release{}, info, err
		}
		same = func(r Release) error {
			if !bytes.Equal(got, r.plain()) {
				return fmt.Errorf("%d other bytes, beginning with %.60q", len(got), got)
			}
			return nil
		}
	}
	var errs []error
	for _, r := range releases {
		err := same(r)
		if err == nil {
			return r, info, nil
		}
		errs = append(errs, fmt.Errorf("not %s: %w", r, err))
	}
	return Release{}, info, fmt.Errorf("%w: %w", errMixed, errors.Join(errs...))
}

func sameTree(dir *os.File, v Variant, r Release) error {
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	if err != nil {
		return err
	}
	defer root.Close()
	want := maps.Clone(r.files())
	err = fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if v.Persist && name == persistent {
			// A link into the folder of persistent paths, or, until the first switch that knows them, what came with it.
			if info.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		e, ok := want[name]
		if !ok {
			return fmt.Errorf("%s is none of its files", name)
		}
		delete(want, name)
		if info.Mode().Type() != e.mode.Type() || (e.mode&fs.ModeSymlink == 0 && info.Mode().Perm() != e.mode.Perm()) {
			return fmt.Errorf("%s has mode %s, not %s", name, info.Mode(), e.mode)
		}
		var got string
		switch {
		case info.IsDir():
			return nil
		case info.Mode().IsRegular():
			b, err := root.ReadFile(name)
			if err != nil {
				return err
			}
			got = string(b)
		default:
			if got, err = root.Readlink(name); err != nil {
				return err
			}
		}
		if got != e.text {
			return fmt.Errorf("%s is %.60q, not %.60q", name, got, e.text)
		}
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("%q is missing", sorted(want)[0])
	}
	return err
}
