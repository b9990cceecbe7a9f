package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]archive.Format{
		"app.tar.gz": archive.TarGzip, "a/b/app-1.2.TGZ": archive.TarGzip, "app.taz": archive.TarGzip,
		"app.tar.zst": archive.TarZstd, "app.tzst": archive.TarZstd,
		"app.tar.xz": archive.TarXz, "app.txz": archive.TarXz,
		"app.tar.bz2": archive.TarBzip2, "app.tbz": archive.TarBzip2, "app.tbz2": archive.TarBzip2,
		"app.tar": archive.Tar, "App.Zip": archive.Zip,
		"app.jar": archive.File, "app.war": archive.File, "app.ear": archive.File,
		"app": "", "app.gz": "", "app.tar.gz/app": "", "app.tar.gz.sig": "", "targz": "", "": "",
	} {
		got, ok := archive.FormatOf(name)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", name, got, ok, want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, want := range []archive.Format{
		archive.TarGzip, archive.TarZstd, archive.TarXz, archive.TarBzip2, archive.Tar, archive.Zip, archive.File,
	} {
		if got, err := archive.ParseFormat(string(want)); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, name := range []string{"", "tgz", "TAR", "rar"} {
		_, err := archive.ParseFormat(name)
		checkError(t, err, `"file", "tar", "tar.bz2", "tar.gz", "tar.xz", "tar.zst", "zip"`)
	}
}

// Fault 12: a wrong MIME type wrote the archive itself over the destination directory. Here the content
// must agree with the format, and a file is made of an archive only if the user asks for one.
func TestFault12ContentMustAgreeWithFormat(t *testing.T) {
	t.Parallel()
	tarred := packTar(t, file("f"))
	contents := map[string][]byte{
		"tar":   tarred,
		"gzip":  pipe(t, "", tarred, "gzip"),
		"zstd":  pipe(t, "", tarred, "zstd", "-q"),
		"xz":    pipe(t, "", tarred, "xz"),
		"bzip2": pipe(t, "", tarred, "bzip2"),
		"zip":   packZip(t, zipped{"f", "x", 0o644}),
		"page":  []byte("<!DOCTYPE html><title>403 Forbidden</title>"),
		"empty": nil,
	}
	right := map[archive.Format]string{
		archive.Tar: "tar", archive.TarGzip: "gzip", archive.TarZstd: "zstd", archive.TarXz: "xz",
		archive.TarBzip2: "bzip2", archive.Zip: "zip", archive.File: "",
	}
	types := map[string]archive.Format{}
	for format, looks := range right {
		types[looks] = format
	}
	for format := range right {
		for looks, content := range contents {
			for _, sniff := range []bool{false, true} {
				s := newSandbox(t)
				o := options(format)
				o.Sniff = sniff
				_, err := s.unpack(t.Context(), bytes.NewReader(content), o)
				s.checkAround(t)
				archived := types[looks] != ""
				switch {
				case format == archive.File && sniff && archived:
					checkError(t, err, "looks like "+looks+",", `set type = "`+string(types[looks])+`"`, `type = "file" to keep it packed`)
				case format == archive.File, right[format] == looks:
					if err != nil {
						t.Errorf("%s as %s: %v", looks, format, err)
					}
					continue
				case archived:
					checkError(t, err, "looks like "+looks+", not "+string(format), `set type = "`+string(types[looks])+`"`)
				case looks == "empty":
					checkError(t, err, "it is empty, not "+string(format))
				case format == archive.Tar:
					checkError(t, err, "the archive is truncated")
				default:
					checkError(t, err, "does not look like "+string(format), "3c 21 44 4f")
				}
				if format != archive.Tar || archived { // a tar's first block must be tried
					if _, err := os.Lstat(s.stage); err == nil {
						t.Errorf("%s as %s: something was created", looks, format)
					}
				}
			}
		}
	}
}

func TestFault12WhatIsInsideMustBeATar(t *testing.T) {
	t.Parallel()
	tarred := packTar(t, file("f"))
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"text":         {[]byte(strings.Repeat("no tar\n", 1000)), "there is no tar archive in it"},
		"short text":   {[]byte("no tar\n"), "truncated"},
		"nothing":      {nil, "no entries"},
		"empty tar":    {make([]byte, 10240), "no entries"},
		"gzip in gzip": {bytes.Repeat(pipe(t, "", tarred, "gzip"), 10), "there is no tar archive in it"},
	} {
		s := newSandbox(t)
		_, err := s.unpack(t.Context(), bytes.NewReader(pipe(t, "", test.content, "gzip")), options(archive.TarGzip))
		t.Log(name, err)
		checkError(t, err, "cannot unpack the artifact: ", test.want)
		s.checkAround(t)
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	_, err := s.unpack(t.Context(), strings.NewReader("x"), options("rar"))
	checkError(t, err, `"rar"`, `"tar.gz"`)
	if _, err := os.Lstat(filepath.Join(s.dir, stageName)); err == nil {
		t.Error("something was created")
	}
}
