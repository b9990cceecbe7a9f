package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// versionFile is the file of a directory that says which release it is.
const versionFile = "VERSION"

// A release is one that was published, of one service.
type release struct {
	service string
	number  int
	broken  bool
	plain   bool
}

func (r release) String() string {
	text := fmt.Sprintf("%s, release %d", r.service, r.number)
	if r.broken {
		text += ", broken"
	}
	return text
}

// files is what it consists of, by path; a plain file has the path ".".
func (r release) files() map[string][]byte {
	version := []byte(r.String() + "\n")
	if r.plain {
		return map[string][]byte{".": append(version, r.random("", 150_000)...)}
	}
	all := map[string][]byte{versionFile: version}
	for i := range 24 {
		path := fmt.Sprintf("%s/file-%d", []string{"bin", "lib/data", "share"}[i%3], i)
		all[path] = append([]byte(r.String()+"\n"), r.random(path, 6_000)...)
	}
	return all
}

// random returns bytes that are the same each time, and that do not compress.
func (r release) random(path string, n int) []byte {
	h := fnv.New64a()
	fmt.Fprint(h, r, path)
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte(fmt.Appendf(nil, "%032x", h.Sum64()))).Read(data) // never fails
	return data
}

// pack returns the artifact, and its md5 in hex.
func (r release) pack() (data []byte, sum string, err error) {
	files := r.files()
	if data = files["."]; !r.plain {
		if data, err = archive(files); err != nil {
			return nil, "", fmt.Errorf("cannot pack %s: %w", r, err)
		}
	}
	digest := md5.Sum(data)
	return data, hex.EncodeToString(digest[:]), nil
}

func archive(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	w := tar.NewWriter(packed)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: time.Unix(1_700_000_000, 0), Size: int64(len(files[path]))}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[path]); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), packed.Close())
	return b.Bytes(), err
}

// at returns an error unless the release, all of it and nothing else, is at the path.
func (r release) at(path string) error {
	want := r.files()
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(path, file)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want[name]) {
			return fmt.Errorf("%s differs: %.80q", name, got)
		}
		delete(want, name)
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("%d of its files are missing", len(want))
	}
	if err != nil {
		return fmt.Errorf("%s is not at %s: %w", r, path, err)
	}
	return nil
}
