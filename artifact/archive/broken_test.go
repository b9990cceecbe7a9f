package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
)

// packedEverywhere is one small tree in every format.
func packedEverywhere(tb testing.TB) map[archive.Format][]byte {
	tb.Helper()
	tarred := packTar(tb, dir("d"), file("d/f"), symlink("l", "d/f"), tar.Header{Name: "large", Typeflag: tar.TypeReg, Size: 59 * 512})
	return map[archive.Format][]byte{
		archive.Tar:      tarred,
		archive.TarGzip:  pipe(tb, "", tarred, "gzip"),
		archive.TarZstd:  pipe(tb, "", tarred, "zstd", "-q"),
		archive.TarXz:    pipe(tb, "", tarred, "xz"),
		archive.TarBzip2: pipe(tb, "", tarred, "bzip2"),
		archive.Zip:      packZip(tb, zipped{"d/f", "x", 0o644}, zipped{"large", strings.Repeat("x", 30_000), 0o644}),
	}
}

// Wherever an archive is cut off, that is an error, and nothing but the stage stays.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for format, packed := range packedEverywhere(t) {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			start, end := 0, len(packed)
			if format == archive.Tar {
				// Only what is cut off within an entry shows, here the last one. See the next test.
				start, end = 4*512+1, end-2*512
			}
			var cuts []int // in many places, and everywhere in what comes after the content
			for i := range 25 {
				cuts = append(cuts, start+(end-start)*i/25)
			}
			for cut := max(start, end-40); cut < end; cut++ {
				cuts = append(cuts, cut)
			}
			for _, cut := range cuts {
				_, err := s.unpack(t.Context(), bytes.NewReader(packed[:cut]), options(format))
				if err == nil {
					t.Errorf("cut off after %d of %d bytes: got no error", cut, len(packed))
				}
				s.clear(t)
			}
			s.checkAround(t)
		})
	}
}

// GNU tar accepts a tar without its end marker, and so do archives that programs append to.
func TestTarWithoutEndMarker(t *testing.T) {
	t.Parallel()
	packed := packTar(t, dir("d"), file("d/f"))
	for _, missing := range []int{512, 1024} {
		s := newSandbox(t)
		stats, err := s.unpack(t.Context(), bytes.NewReader(packed[:len(packed)-missing]), options(archive.Tar))
		if err != nil {
			t.Errorf("without the last %d bytes: %v", missing, err)
		}
		if got, want := stats.Entries, 2; got != want {
			t.Errorf("got %d entries, want %d", got, want)
		}
	}
}

// One bit that fell over shows wherever the format has a checksum for it.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	for format, packed := range packedEverywhere(t) {
		if format == archive.Tar {
			continue // has checksums of its headers only
		}
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			flipped := bytes.Clone(packed)
			flipped[len(flipped)/3] ^= 0x10
			_, err := s.unpack(t.Context(), bytes.NewReader(flipped), options(format))
			if err == nil {
				t.Error("got no error")
			}
			s.checkAround(t)
		})
	}
}

func TestEncryptedZip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/f", "content", 0o644)
	run(t, dir, "zip", "-q", "-P", "password", "e.zip", "f")
	packed, err := os.ReadFile(dir + "/e.zip")
	if err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	_, err = s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Zip))
	checkError(t, err, `cannot unpack "f": it is encrypted`)
}

// An error of the reader arrives, wherever it comes: it may say that the bytes are not to be trusted.
func TestReaderErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("checksum is wrong")
	for format, packed := range packedEverywhere(t) {
		for _, after := range []int{0, 100, len(packed) / 2, len(packed) - 1, len(packed)} {
			s := newSandbox(t)
			r := io.MultiReader(bytes.NewReader(packed[:after]), iotest.ErrReader(cause))
			_, err := s.unpack(t.Context(), r, options(format))
			if !errors.Is(err, cause) {
				t.Errorf("%s, after %d of %d bytes: got %v, want %v in it", format, after, len(packed), err, cause)
			}
			s.checkAround(t)
		}
	}
}

// Readers may return any number of bytes, and the last ones together with the end.
func TestOddReaders(t *testing.T) {
	t.Parallel()
	for format, packed := range packedEverywhere(t) {
		for name, odd := range map[string]func(io.Reader) io.Reader{
			"half": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
		} {
			s := newSandbox(t)
			stats, err := s.unpack(t.Context(), odd(bytes.NewReader(packed)), options(format))
			if err != nil {
				t.Errorf("%s, %s: %v", format, name, err)
			}
			if got, want := stats.Packed, int64(len(packed)); got != want {
				t.Errorf("%s, %s: got %d bytes, want %d", format, name, got, want)
			}
		}
	}
}

// A canceller ends the context when so many bytes are read.
type canceller struct {
	io.Reader
	left   int
	cancel context.CancelFunc
}

func (c *canceller) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= n; c.left <= 0 {
		c.cancel()
	}
	return n, err
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	for format, packed := range packedEverywhere(t) {
		for _, after := range []int{0, 1, len(packed)} {
			s := newSandbox(t)
			ctx, cancel := context.WithCancel(t.Context())
			r := &canceller{bytes.NewReader(packed), after, cancel}
			if after == 0 {
				cancel()
			}
			_, err := s.unpack(ctx, r, options(format))
			if !errors.Is(err, ctx.Err()) || err == nil {
				t.Errorf("%s, after %d bytes: got %v, want %v in it", format, after, err, ctx.Err())
			}
			s.checkAround(t)
			cancel()
		}
	}
}

// It ends within a file, too: this one would take until the test times out.
func TestContextEndsWithinAFile(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(archive.File)
	s := newSandbox(t)
	stats, err := s.unpack(ctx, &canceller{endless{}, 10 << 20, cancel}, o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if got := stats.Packed; got < 10<<20 || got > 11<<20 {
		t.Errorf("got %d bytes read, want little more than 10 MiB", got)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// What the file system says is in the error, and of the names the beginning only.
func TestFileSystemErrors(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	parent := strings.Repeat(strings.Repeat("n", 150)+"/", 3)
	packed := packTar(t, dir("d"), file(parent+"f"), file("d/f"), file(parent+"g"))
	half := len(packTar(t, dir("d"), file(parent+"f"))) - 2*512 // without the end marker
	remove := func() {
		if err := os.RemoveAll(filepath.Join(s.stage, parent)); err != nil {
			t.Error(err)
		}
	}
	r := io.MultiReader(bytes.NewReader(packed[:half]), &hook{remove}, bytes.NewReader(packed[half:]))
	_, err := s.unpack(t.Context(), r, options(archive.Tar))
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("got %v, want %v in it", err, unix.ENOENT)
	}
	checkError(t, err, "cannot unpack "+strconv.Quote(parent[:200]+"…"), "openat "+parent[:200]+"…: ")
}

// A hook runs when it is read, and is empty.
type hook struct{ run func() }

func (h *hook) Read([]byte) (int, error) {
	h.run()
	return 0, io.EOF
}
