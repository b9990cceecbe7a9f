package file

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dropship/dropship/artifact"
)

// A change within one tick of the file system's clock cannot be seen in the modification time, so the
// md5 of a file that is younger than this is not remembered.
const settled = 2 * time.Second

// source is one file below root.
type source struct {
	root, path string
	known      chan known // holds one value; taking it out is the lock, and a wait that ctx can end
}

// known is what was learnt by reading the file to its end.
type known struct {
	file fs.FileInfo // nil: nothing yet
	md5  string
}

var _ artifact.Source = (*source)(nil)

func newSource(root, path string) *source {
	s := &source{root: root, path: path, known: make(chan known, 1)}
	s.known <- known{}
	return s
}

func (s *source) String() string {
	return "file://" + filepath.ToSlash(filepath.Join(s.root, filepath.FromSlash(s.path)))
}

// Stat implements artifact.Source. It reads the file where its md5 is not known yet.
func (s *source) Stat(ctx context.Context) (artifact.Info, error) {
	f, fi, err := s.open()
	if err != nil {
		return artifact.Info{}, fmt.Errorf("cannot stat %s: %w", s, err)
	}
	defer f.Close()
	sum, err := s.md5(ctx, f, fi)
	if err != nil {
		return artifact.Info{}, fmt.Errorf("cannot stat %s: %w", s, err)
	}
	return artifact.Info{Revision: sum, MD5: sum, Size: fi.Size(), ModTime: fi.ModTime()}, nil
}

// Checksums implements artifact.Source.
func (s *source) Checksums(_ context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	sum, err := hex.DecodeString(info.MD5)
	if err != nil {
		return nil, fmt.Errorf("cannot check %s by the md5 %q: %w", s, info.MD5, err)
	}
	return []artifact.Checksum{{Algorithm: artifact.MD5, Sum: sum}}, nil
}

// Open implements artifact.Source.
func (s *source) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	f, fi, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", s, err)
	}
	sum, err := s.md5(ctx, f, fi)
	if err == nil && sum != info.Revision {
		err = artifact.ErrChanged
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot open %s: %w", s, err)
	}
	if length < 0 {
		length = fi.Size() - offset
	}
	return artifact.NewBody(ctx, s.String(), pin(f, fi, offset, length), length), nil
}

func (s *source) open() (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		// Nothing tells what would be in it, so this is not artifact.ErrNotExist.
		return nil, nil, fmt.Errorf("the repository's root is not there: mount it, or create it: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	// A fifo must not hold us up until somebody writes into it.
	f, err := root.OpenFile(filepath.FromSlash(s.path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil, artifact.ErrNotExist
	}
	if _, byKernel := errors.AsType[syscall.Errno](err); err != nil && !byKernel { // os.Root refused it itself
		return nil, nil, fmt.Errorf("a link in its path leads out of the root %s, or is absolute, which is refused: make it a relative link to a file in the root, or publish a copy: %w", s.root, err)
	}
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("it is no regular file (%s); an artifact is one file", fi.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// md5 returns the md5 of f, from memory if it is still the file that it was.
func (s *source) md5(ctx context.Context, f *os.File, fi fs.FileInfo) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var k known
	select {
	case k = <-s.known:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { s.known <- k }()
	if k.file != nil && same(k.file, fi) {
		return k.md5, nil
	}
	age := time.Since(fi.ModTime()).Abs() // from before the first byte is read
	h := md5.New()
	if _, err := io.Copy(h, artifact.NewBody(ctx, s.String(), pin(f, fi, 0, fi.Size()), fi.Size())); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if age > settled {
		k = known{file: fi, md5: sum}
	}
	return sum, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// pinned reads a part of a file, and at its end makes sure that it is still what it was at first.
type pinned struct {
	io.Reader
	file  *os.File
	first fs.FileInfo
}

func pin(f *os.File, first fs.FileInfo, offset, length int64) *pinned {
	return &pinned{Reader: io.NewSectionReader(f, offset, length), file: f, first: first}
}

func (p *pinned) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err != io.EOF { //nolint:errorlint // io.Reader promises a bare io.EOF
		return n, err
	}
	now, err := p.file.Stat()
	switch {
	case err != nil:
		return n, err
	case !same(p.first, now):
		return n, artifact.ErrChanged
	}
	return n, io.EOF
}

func (p *pinned) Close() error { return p.file.Close() }
