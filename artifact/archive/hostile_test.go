package archive_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

func file(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
func dir(name string) tar.Header  { return tar.Header{Name: name, Typeflag: tar.TypeDir} }

func symlink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
}

func hardLink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}
}

// Fault 6: archive entries with "../" or links could write anywhere.
func TestFault06NothingIsWrittenOutside(t *testing.T) {
	t.Parallel()
	const absolute = "/tmp/dropship-must-not-write-here"
	tests := []struct {
		name    string
		entries []tar.Header // the last one is refused
		want    string       // in the error, after the entry's name
	}{
		{"parent", []tar.Header{file("../outside.txt")}, "outside"},
		{"deep parent", []tar.Header{file("a/b/../../../neighbour")}, "outside"},
		{"parent that stays inside", []tar.Header{file("a/../b")}, "outside"},
		{"parent directory", []tar.Header{dir("../stage2")}, "outside"},
		{"parent alone", []tar.Header{dir("..")}, "outside"},
		{"sibling with the stage's prefix", []tar.Header{file("../stage2/file")}, "outside"},
		{"absolute", []tar.Header{file(absolute)}, "absolute"},
		{"absolute directory", []tar.Header{dir(absolute)}, "absolute"},
		{"double slash", []tar.Header{file("/" + absolute)}, "absolute"},
		{"symlink to an absolute path", []tar.Header{symlink("l", "/etc/passwd")}, "absolute"},
		{"symlink to the parent", []tar.Header{symlink("l", "..")}, "outside"},
		{"symlink out and back in", []tar.Header{symlink("l", "../stage/f")}, "outside"},
		{"deep symlink", []tar.Header{symlink("a/b/l", "../../../neighbour")}, "outside"},
		{"symlink that goes down first", []tar.Header{symlink("l", "a/../../neighbour")}, "outside"},
		{"symlink to nothing but a NUL", []tar.Header{symlink("l", "")}, "nothing"},
		{"through a symlink", []tar.Header{dir("d"), symlink("s", "d"), file("s/f")}, "another kind"},
		{"through a symlink, deeper", []tar.Header{dir("d"), symlink("s", "d"), file("s/x/y/f")}, "another kind"},
		{"directory over a symlink", []tar.Header{dir("d"), symlink("s", "d"), dir("s")}, "another kind"},
		{"symlink through a symlink", []tar.Header{dir("d"), symlink("s", "d"), symlink("s/l", "../x")}, "another kind"},
		{"winding symlinks", []tar.Header{file("d/f"), symlink("d/top", ".."), symlink("x", "d/top/../neighbour")}, "outside"},
		{"winding hard link to a symlink", []tar.Header{symlink("d/a/up", ".."), symlink("a/up", ".."), symlink("d/x", "a/up/../f"), hardLink("z", "d/x")}, "outside"},
		{"hard link to the parent", []tar.Header{hardLink("l", "../neighbour")}, "outside"},
		{"hard link to an absolute path", []tar.Header{hardLink("l", "/etc/passwd")}, "absolute"},
		{"hard link to nothing", []tar.Header{hardLink("l", "later")}, "no earlier entry"},
		{"hard link to itself", []tar.Header{file("l"), hardLink("l", "./l")}, "itself"},
		{"hard link to a directory", []tar.Header{dir("d"), hardLink("l", "d")}, "directory"},
		{"hard link to the top", []tar.Header{hardLink("l", ".")}, "directory"},
		{"hard link through a symlink", []tar.Header{file("d/f"), symlink("s", "d"), hardLink("l", "s/f")}, "no earlier entry"},
		{"hard link moves a symlink", []tar.Header{file("f"), symlink("a/b/l", "../../f"), hardLink("l", "a/b/l")}, "outside"},
		{"file over a directory", []tar.Header{file("d/f"), file("d")}, "directory"},
		{"symlink over a directory", []tar.Header{dir("d"), symlink("d", "x")}, "directory"},
		{"file over the top", []tar.Header{file(".")}, "directory"},
		{"directory over a file", []tar.Header{file("f"), dir("f")}, "another kind"},
		{"below a file", []tar.Header{file("f"), file("f/g")}, "another kind"},
		{"character device", []tar.Header{{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}, "device"},
		{"block device", []tar.Header{{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}}, "device"},
		{"fifo", []tar.Header{{Name: "fifo", Typeflag: tar.TypeFifo}}, "fifo"},
		{"unknown type", []tar.Header{{Name: "x", Typeflag: 'M'}}, "not supported"},
		{"setuid", []tar.Header{{Name: "su", Typeflag: tar.TypeReg, Mode: 0o4755}}, "setuid = true"},
		{"setgid", []tar.Header{{Name: "sg", Typeflag: tar.TypeReg, Mode: 0o2755}}, "setuid = true"},
		{"setgid directory", []tar.Header{{Name: "sgd", Typeflag: tar.TypeDir, Mode: 0o2755}}, "setuid = true"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			packed := packTar(t, test.entries...)
			stats, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
			s.checkAround(t)
			wantListed(t, packed, options(archive.Tar), s.stage, stats, err)
			if _, err := os.Lstat(absolute); err == nil {
				t.Errorf("%s was written", absolute)
			}
			checkError(t, err, fmt.Sprintf("cannot unpack %q: ", test.entries[len(test.entries)-1].Name), test.want)
			// Where these lead is known only when all is in place: the caller removes them.
			if !strings.HasPrefix(test.name, "winding") {
				s.checkTree(t)
			}
		})
	}
}

// What looks like the above and is harmless must pass: people's archives have it.
func TestFault06HarmlessIsUnpacked(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	packed := packTar(t,
		file("..."), file("..a/b.."), file(`back\slash`), dir("d"),
		symlink("d/up", "../..."), symlink("d/top", ".."), symlink("loop", "loop"), symlink("round", "d/../d/up"),
		symlink("gone", "missing/../also missing"), symlink("through", "d/up/../x"), hardLink("d/hard", "./d/top"))
	stats, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
	if err != nil {
		t.Fatal(err)
	}
	wantListed(t, packed, options(archive.Tar), s.stage, stats, nil)
	s.checkTree(t)
	s.checkAround(t)
	if got, want := len(listing(t, s.stage)), 13; got != want {
		t.Errorf("got %d names, want %d", got, want)
	}
}

func TestFault06ZipWritesNothingOutside(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		entries []zipped // the last one is refused
		want    string
	}{
		{"parent", []zipped{{"../neighbour", "x", 0o644}}, "outside"},
		{"absolute", []zipped{{"/etc/dropship-test", "x", 0o644}}, "absolute"},
		{"backslash", []zipped{{`..\neighbour`, "x", 0o644}}, "backslash"},
		{"drive", []zipped{{`C:\neighbour`, "x", 0o644}}, "backslash"},
		{"NUL", []zipped{{"a\x00b", "x", 0o644}}, "NUL"},
		{"empty name", []zipped{{"", "x", 0o644}}, "empty"},
		{"symlink", []zipped{{"l", "../neighbour", fs.ModeSymlink | 0o777}}, "outside"},
		{"symlink with a NUL", []zipped{{"l", "a\x00b", fs.ModeSymlink | 0o777}}, "NUL"},
		{"endless symlink", []zipped{{"l", strings.Repeat("a", 1<<20), fs.ModeSymlink | 0o777}}, "too long"},
		{"through a symlink", []zipped{{"d/", "", fs.ModeDir | 0o755}, {"s", "d", fs.ModeSymlink | 0o777}, {"s/f", "x", 0o644}}, "another kind"},
		{"device", []zipped{{"dev", "", fs.ModeDevice | fs.ModeCharDevice | 0o644}}, "device"},
		{"fifo", []zipped{{"fifo", "", fs.ModeNamedPipe | 0o644}}, "fifo"},
		{"socket", []zipped{{"socket", "", fs.ModeSocket | 0o644}}, "socket"},
		{"setuid", []zipped{{"su", "x", fs.ModeSetuid | 0o755}}, "setuid = true"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			_, err := s.unpack(t.Context(), bytes.NewReader(packZip(t, test.entries...)), options(archive.Zip))
			s.checkAround(t) // so the spooled zip is gone, too
			s.checkTree(t)
			checkError(t, err, fmt.Sprintf("cannot unpack %q: ", test.entries[len(test.entries)-1].name), test.want)
		})
	}
}

// What is at the place already is left as it is.
func TestUnpackReplacesNothing(t *testing.T) {
	t.Parallel()
	packed := map[archive.Format][]byte{
		archive.File: []byte("x"),
		archive.Tar:  packTar(t, file("f")),
		archive.Zip:  packZip(t, zipped{"f", "x", 0o644}),
	}
	for format, bytesOf := range packed {
		s := newSandbox(t)
		_, err := archive.Unpack(t.Context(), s.root, "previous", bytes.NewReader(bytesOf), options(format))
		checkError(t, err, "exists")
		s.checkAround(t)
	}
}

func checkError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got the error %q, want %q in it", err, part)
		}
	}
}
