package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// deep returns the name of a file so many levels deep.
func deep(levels int) string { return strings.Repeat("d/", levels-1) + "f" }

func TestLongNames(t *testing.T) {
	t.Parallel()
	const longest = "f234567890"
	for _, test := range []struct {
		name string
		last tar.Header
		want string // in the error; none: it is unpacked
	}{
		{"part", file(strings.Repeat("p", 255)), ""},
		{"longer part", file("d/" + strings.Repeat("p", 256) + "/f"), "256 bytes"},
		{"deep", file(deep(256)), ""},
		{"deep with dots", file("./" + strings.Repeat("d/./", 255) + "/f"), ""},
		{"deeper", file(deep(257)), "257 levels deep"},
		{"deeper directory", dir(deep(257)), "257 levels deep"},
		{"deeper symlink", symlink(deep(257), "f"), "257 levels deep"},
		{"path", file(strings.Repeat(strings.Repeat("p", 249)+"/", 16) + strings.Repeat("p", 95)), ""},
		{"longer path", file(strings.Repeat(strings.Repeat("p", 249)+"/", 16) + strings.Repeat("p", 96)), "4096 bytes"},
		{"very long", file(strings.Repeat("p", 900_000)), "900000 bytes"},
		{"very deep", file(deep(400_000)), "799999 bytes"},
		{"hard link to a long name", hardLink("l", strings.Repeat("p", 900_000)), "900000 bytes"},
		{"hard link to what is not there", hardLink("l", strings.Repeat("p/", 250)+longest), "no earlier entry"},
		{"symlink to a long name", symlink("l", strings.Repeat("p", 900_000)), "too long"},
		{"symlink outside", symlink("l", strings.Repeat("p/", 250)+strings.Repeat("../", 251)), "outside"},
		{"absolute symlink", symlink("l", strings.Repeat("/p", 1000)), "absolute"},
		{"fifo", tar.Header{Name: strings.Repeat("p/", 100_000) + "f", Typeflag: tar.TypeFifo}, "fifo"},
		{"below a file", file(longest + strings.Repeat("/d", 250)), "another kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			packed := packTar(t, file(longest), test.last)
			_, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
			s.checkAround(t)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkError(t, err, test.want)
			checkShort(t, err)
		})
	}
}

// checkShort is there because errors are logged as long as their cause lasts.
func checkShort(t *testing.T, err error) {
	t.Helper()
	if got := len(err.Error()); got > 600 {
		t.Errorf("got an error of %d bytes, want at most 600: %.700s", got, err)
	}
}

func TestLongNamesInOtherErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("p/", 30_000)
	s := newSandbox(t)
	o := options(archive.Tar)
	o.Limits.Entries = 1
	_, err := s.unpack(t.Context(), bytes.NewReader(packTar(t, file("f"), dir(long))), o)
	limit, ok := errors.AsType[*archive.LimitError](err)
	if want := long[:200] + "…"; !ok || limit.Entry != want {
		t.Errorf("got %v, want a limit exceeded by %q", err, want)
	}
	checkShort(t, err)

	s = newSandbox(t)
	last := strings.Repeat("p/", 250) + "f"
	broken := bytes.TrimRight(packTar(t, file(last)), "\x00")
	broken = append(broken, bytes.Repeat([]byte("x"), 1024-len(broken)%512)...)
	_, err = s.unpack(t.Context(), bytes.NewReader(broken), options(archive.Tar))
	checkError(t, err, "cannot read the archive after")
	checkShort(t, err)

	s = newSandbox(t)
	_, err = s.unpack(t.Context(), bytes.NewReader(packZip(t, zipped{long, "", fs.ModeDir | 0o755})), options(archive.Zip))
	checkError(t, err, "60000 bytes")
	checkShort(t, err)
}

// A countdown is a context that ends after its error was asked for so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestContextEndsWithinImpliedDirectories(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	packed := packTar(t, file(deep(256)))
	stats, err := s.unpack(&countdown{t.Context(), 50}, bytes.NewReader(packed), options(archive.Tar))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v in it", err, context.Canceled)
	}
	if _, err := os.Lstat(filepath.Join(s.stage, strings.Repeat("d/", 50))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for the 50th directory, want it not to exist", err)
	}
	if got := stats.Entries; got < 2 || got > 51 {
		t.Errorf("got %d entries, want those before the end of the context", got)
	}
}

// The directories get their attributes after the last byte is read.
func TestContextEndsWithTheArchive(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := s.unpack(ctx, io.MultiReader(bytes.NewReader(packTar(t, dir("."))), &hook{cancel}), options(archive.Tar))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v in it", err, context.Canceled)
	}
	info, err := os.Stat(s.stage)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), fs.FileMode(0o700); got != want {
		t.Errorf("got mode %#o, want %#o: nothing is done after the end of the context", got, want)
	}
}
