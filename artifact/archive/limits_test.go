package archive_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// zeros packs a file of zeros, and then the padding.
func zeros(t *testing.T, size, padding, compress string) []byte {
	t.Helper()
	return pipe(t, t.TempDir(), nil, "bash", "-o", "pipefail", "-c",
		"truncate -s "+size+" zeros && { tar -cf - zeros && head -c "+padding+" /dev/zero; } | "+compress)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	three := packTar(t, dir("d"), file("d/12345678"), symlink("d/l", "12345678"))
	threeZip := packZip(t, zipped{"d/", "", fs.ModeDir | 0o755}, zipped{"d/f", "0123456789", 0o644}, zipped{"d/g", "x", 0o644})
	tests := []struct {
		name   string
		packed []byte
		format archive.Format
		limits archive.Limits
		want   *archive.LimitError // nil: it is unpacked
	}{
		{"size reached", three, archive.Tar, archive.Limits{Size: 10}, nil},
		{"size exceeded", three, archive.Tar, archive.Limits{Size: 9}, &archive.LimitError{What: "maxSize", Limit: 9, Entry: "d/12345678"}},
		{"size of a file", []byte("0123456789"), archive.File, archive.Limits{Size: 9}, &archive.LimitError{What: "maxSize", Limit: 9}},
		{"size in a zip", threeZip, archive.Zip, archive.Limits{Size: 10}, &archive.LimitError{What: "maxSize", Limit: 10, Entry: "d/g"}},
		{"size of the zip itself", append(bytes.Clone(threeZip), make([]byte, 2<<20)...), archive.Zip, archive.Limits{Size: 100, Entries: 3}, &archive.LimitError{What: "maxSize", Limit: 100}},
		{"entries reached", three, archive.Tar, archive.Limits{Entries: 3}, nil},
		{"entries exceeded", three, archive.Tar, archive.Limits{Entries: 2}, &archive.LimitError{What: "maxEntries", Limit: 2, Entry: "d/l"}},
		{"entries reached by implied directories", packTar(t, file("a/b/c/f"), dir("a")), archive.Tar, archive.Limits{Entries: 5}, nil},
		{"entries exceeded by implied directories", packTar(t, file("a/b/c/f")), archive.Tar, archive.Limits{Entries: 3}, &archive.LimitError{What: "maxEntries", Limit: 3, Entry: "a/b/c/f"}},
		{"entries exceeded by implied directories in a zip", packZip(t, zipped{"a/b/c/", "", fs.ModeDir | 0o755}), archive.Zip, archive.Limits{Entries: 2}, &archive.LimitError{What: "maxEntries", Limit: 2, Entry: "a/b/c/"}},
		{"entries in a zip", threeZip, archive.Zip, archive.Limits{Entries: 2}, &archive.LimitError{What: "maxEntries", Limit: 2, Entry: "d/g"}},
		{"ratio of a file", zeros(t, "80M", "0", "zstd"), archive.TarZstd, archive.Limits{}, &archive.LimitError{What: "maxRatio", Limit: 200, Entry: "zeros"}},
		// What follows the entries is not written, and counts all the same.
		{"ratio of the padding", zeros(t, "10", "80M", "zstd"), archive.TarZstd, archive.Limits{}, &archive.LimitError{What: "maxRatio", Limit: 200}},
		{"ratio of gzip", zeros(t, "10", "80M", "gzip"), archive.TarGzip, archive.Limits{}, &archive.LimitError{What: "maxRatio", Limit: 200}},
		{"ratio below 64 MiB", zeros(t, "10", "60M", "zstd"), archive.TarZstd, archive.Limits{}, nil},
		{"ratio raised", zeros(t, "10", "80M", "zstd"), archive.TarZstd, archive.Limits{Ratio: math.MaxInt64}, nil},
		{"ratio of a plain tar", zeros(t, "10", "80M", "cat"), archive.Tar, archive.Limits{Ratio: 1}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			o := options(test.format)
			o.Limits = test.limits
			stats, err := s.unpack(t.Context(), bytes.NewReader(test.packed), o)
			s.checkAround(t)
			wantListed(t, test.packed, o, s.stage, stats, err)
			s.clear(t)
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			got, ok := errors.AsType[*archive.LimitError](err)
			if !ok || *got != *test.want {
				t.Errorf("got %v, want one of %+v", err, test.want)
			}
			checkError(t, err, "raise "+test.want.What, fmt.Sprint(test.want.Limit))
		})
	}
}

// A sparse file takes no bytes in the archive but is written in full.
func TestLimitsCountSparseFilesInFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, "truncate", "-s", "100M", "hole")
	for _, format := range []string{"gnu", "posix"} {
		s := newSandbox(t)
		o := options(archive.Tar)
		o.Limits.Size = 1 << 20
		packed := pipe(t, dir, nil, "tar", "-S", "--format="+format, "-cf", "-", "hole")
		if len(packed) > 1<<20 {
			t.Fatalf("%s: the tar has %d bytes, so the file is not sparse in it", format, len(packed))
		}
		_, err := s.unpack(t.Context(), bytes.NewReader(packed), o)
		checkError(t, err, `cannot unpack "hole": `, "raise maxSize")
		o.Limits = archive.Limits{}
		s.clear(t)
		_, err = s.unpack(t.Context(), bytes.NewReader(packed), o)
		checkError(t, err, `cannot unpack "hole": `, "raise maxRatio")
	}
}

// The table of contents of a zip is in memory as a whole: it may not be longer than the entries allow.
func TestLimitsBoundTheTableOfAZip(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 30_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%0200d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	o := options(archive.Zip)
	o.Limits.Entries = 10
	_, err := s.unpack(t.Context(), bytes.NewReader(b.Bytes()), o)
	got, ok := errors.AsType[*archive.LimitError](err)
	if want := (archive.LimitError{What: "maxEntries", Limit: 10}); !ok || *got != want {
		t.Errorf("got %v, want %+v", err, want)
	}
	s.checkAround(t)
}

// A header may lie about the size: what counts is what is there.
func TestLimitsDoNotBelieveHeaders(t *testing.T) {
	t.Parallel()
	packed := packTar(t, file("f"))
	lying := bytes.Clone(packed[:512])
	copy(lying[124:], "77777777777\x00") // 8 GiB
	sum := 8 * int(' ')
	for i, c := range lying {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	copy(lying[148:], fmt.Sprintf("%06o\x00 ", sum))
	s := newSandbox(t)
	_, err := s.unpack(t.Context(), bytes.NewReader(append(lying, packed[512:]...)), options(archive.Tar))
	checkError(t, err, `cannot unpack "f": the archive is truncated`)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF in it", err)
	}
}
