package archive_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
)

// release makes a tree with one of everything that an archive must keep.
func release(t *testing.T, hardLinks bool) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { writable(dir) })
	write(t, filepath.Join(dir, "bin/app"), "#!/bin/sh\necho app\n", 0o755)
	write(t, filepath.Join(dir, "etc/secret.conf"), "key", 0o640)
	write(t, filepath.Join(dir, "open/for/all"), "x", 0o666)
	write(t, filepath.Join(dir, "empty.file"), "", 0o644)
	write(t, filepath.Join(dir, "read-only/inside/file"), "r", 0o444)
	write(t, filepath.Join(dir, "größe ☃ \t.txt"), "unicode", 0o600)
	write(t, filepath.Join(dir, strings.Repeat("long/", 30)+strings.Repeat("n", 200)), "long", 0o644)
	write(t, filepath.Join(dir, "large"), strings.Repeat("0123456789abcdef", 50_000), 0o644)
	for _, name := range []string{"empty-dir", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"bin/alias": "app", "bin/up": "../etc/secret.conf", "dangling": "not/here", "here": ".", "bin/round": "../etc/../empty.file",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if hardLinks {
		if err := os.Link(filepath.Join(dir, "bin/app"), filepath.Join(dir, "zz-hard")); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, "bin/alias"), filepath.Join(dir, "bin/zz-hard-alias")); err != nil {
			t.Fatal(err)
		}
	}
	age(t, dir)
	for name, mode := range map[string]os.FileMode{
		"tmp": 0o777 | os.ModeSticky, "read-only/inside": 0o555, "read-only": 0o555, "empty-dir": 0o700, ".": 0o750,
	} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// age gives everything below dir, links too, an mtime of its own in the past.
func age(t *testing.T, dir string) {
	t.Helper()
	second := int64(1_500_000_000)
	for name := range listing(t, dir) {
		second += 1000
		times := []unix.Timespec{{Sec: second}, {Sec: second}}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, name), times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
}

// What real tools pack comes out as it went in, and every byte of it was read.
func TestUnpackWhatToolsPack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		format  archive.Format
		command string // packs the current directory to standard output
	}{
		{"gnu", archive.Tar, "tar --format=gnu -cf - ."},
		{"posix", archive.Tar, "tar --format=posix -cf - ."},
		{"labelled", archive.Tar, "tar -V release-1 -cf - ."},
		{"without dot", archive.Tar, "tar -cf - --exclude=./x --transform='s,^\\./,,' ."},
		{"sparse", archive.TarGzip, "tar -S -czf - ."},
		{"sparse posix", archive.TarGzip, "tar -S --format=posix -czf - ."},
		{"gzip", archive.TarGzip, "tar -cf - . | gzip -9"},
		{"gzip members", archive.TarGzip, "tar -cf - . | split -b 10000 --filter=gzip"},
		{"gzip with padding", archive.TarGzip, "tar -czf - . && head -c 5000 /dev/zero"},
		{"gzip with garbage", archive.TarGzip, "tar -czf - . && echo garbage"},
		{"zstd", archive.TarZstd, "tar -cf - . | zstd -19"},
		{"zstd long", archive.TarZstd, "tar -cf - . | zstd --long=27"},
		{"zstd frames", archive.TarZstd, "tar -cf - . | split -b 10000 --filter=zstd"},
		{"zstd skippable", archive.TarZstd, `printf '\120\052\115\030\004\000\000\000skip' && tar -cf - . | zstd`},
		{"xz", archive.TarXz, "tar -cJf - ."},
		{"xz streams", archive.TarXz, "tar -cf - . | split -b 100000 --filter=xz"},
		{"xz with padding", archive.TarXz, "tar -cJf - . && head -c 8 /dev/zero"},
		{"bzip2", archive.TarBzip2, "tar -cjf - ."},
		{"bzip2 streams", archive.TarBzip2, "tar -cf - . | split -b 100000 --filter=bzip2"},
		{"zip", archive.Zip, "f=$(mktemp -u).zip && zip -qry $f . && cat $f && rm $f"},
		{"zip stored", archive.Zip, "f=$(mktemp -u).zip && zip -qry0 $f . && cat $f && rm $f"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := release(t, test.format != archive.Zip)
			want := listing(t, dir)
			packed := pipe(t, dir, nil, "bash", "-o", "pipefail", "-c", test.command)
			if test.name == "zip" || test.name == "zip stored" {
				delete(want, ".") // a zip does not name it
			}

			s := newSandbox(t)
			hash := sha256.New()
			stats, err := s.unpack(t.Context(), io.TeeReader(bytes.NewReader(packed), hash), options(test.format))
			if err != nil {
				t.Fatal(err)
			}
			got := listing(t, s.stage)
			if test.format == archive.Zip {
				delete(got, ".")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the tree is not the one that was packed (-want +got):\n%s", diff)
			}
			if got, want := [32]byte(hash.Sum(nil)), sha256.Sum256(packed); got != want {
				t.Error("not all bytes were read, or some twice")
			}
			if got, want := stats.Packed, int64(len(packed)); got != want {
				t.Errorf("got %d bytes packed, want %d", got, want)
			}
			if got, want := stats.Entries, len(want); got != want {
				t.Errorf("got %d entries, want %d", got, want)
			}
			if stats.Unpacked < 800_000 {
				t.Errorf("got %d bytes unpacked, want at least those of the large file", stats.Unpacked)
			}
			s.checkAround(t)
			s.checkTree(t)
		})
	}
}

func TestUnpackFile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content string
		mode    os.FileMode
	}{
		"empty":  {"", 0o644},
		"text":   {"hello", 0o644},
		"large":  {strings.Repeat("x", 1_000_001), 0o644},
		"ELF":    {"\x7fELF\x02\x01\x01", 0o755},
		"script": {"#!/bin/sh\nexit 0\n", 0o755},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := test.content
			s := newSandbox(t)
			o := options(archive.File)
			o.Sniff = true
			got, err := s.unpack(t.Context(), strings.NewReader(content), o)
			if err != nil {
				t.Fatal(err)
			}
			size := int64(len(content))
			if want := (archive.Stats{Packed: size, Unpacked: size, Entries: 1}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			data, err := os.ReadFile(s.stage)
			if err != nil || string(data) != content {
				t.Errorf("got %d bytes and %v, want %d", len(data), err, size)
			}
			info, err := os.Stat(s.stage)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := info.Mode(), test.mode; got != want {
				t.Errorf("got mode %s, want %s", got, want)
			}
		})
	}
}

func TestUnpackKeepsSubSecondTimes(t *testing.T) {
	t.Parallel()
	want := time.Date(2021, 3, 4, 5, 6, 7, 123_456_789, time.UTC)
	s := newSandbox(t)
	packed := packTar(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, ModTime: want, Format: tar.FormatPAX},
		tar.Header{Name: "d/f", Typeflag: tar.TypeReg, ModTime: want, Format: tar.FormatPAX},
		tar.Header{Name: "d/l", Typeflag: tar.TypeSymlink, Linkname: "f", ModTime: want, Format: tar.FormatPAX})
	if _, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "d/f", "d/l"} {
		info, err := os.Lstat(filepath.Join(s.stage, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.ModTime(); !got.Equal(want) {
			t.Errorf("%s: got mtime %s, want %s", name, got, want)
		}
	}
}

// Duplicates: the last one wins, and does not write through what it replaces.
func TestUnpackLaterEntryWins(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	packed := packTar(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "0123"}},
		tar.Header{Name: "kept", Typeflag: tar.TypeReg},
		tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "kept"},
		tar.Header{Name: "b", Typeflag: tar.TypeSymlink, Linkname: "kept"},
		tar.Header{Name: "c", Typeflag: tar.TypeReg},
		tar.Header{Name: "./a", Typeflag: tar.TypeReg},
		tar.Header{Name: ".//b", Typeflag: tar.TypeReg},
		tar.Header{Name: "c", Typeflag: tar.TypeSymlink, Linkname: "kept"},
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o711})
	stats, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, line := range listing(t, s.stage) {
		mode, rest, _ := strings.Cut(line, " ")
		_, rest, _ = strings.Cut(rest, " ")
		got[name] = strings.TrimSpace(mode + " " + rest)
	}
	want := map[string]string{
		".": "40755", "kept": `100755 links 1 "kept"`, "a": `100755 links 1 "./a"`, "b": `100755 links 1 ".//b"`,
		"c": "120777 -> kept", "d": "40711",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := stats.Entries, 9; got != want {
		t.Errorf("got %d entries, want %d: a global header is none", got, want)
	}
}

// Whoever is not root must fill a directory before it becomes read-only. Tests may run as root, to whom
// modes mean nothing: the thread takes another file system identity, and ends with its goroutine.
func TestUnpackReadOnlyDirectoriesWithoutRoot(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	packed := packTar(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o555},
		tar.Header{Name: "shut/", Typeflag: tar.TypeDir, Mode: 0o555},
		tar.Header{Name: "shut/closed/", Typeflag: tar.TypeDir, Mode: 0o111},
		tar.Header{Name: "shut/closed/f", Typeflag: tar.TypeReg, Mode: 0o444},
		tar.Header{Name: "shut/closed/f", Typeflag: tar.TypeReg, Mode: 0o400},
		tar.Header{Name: "shut/closed/l", Typeflag: tar.TypeSymlink, Linkname: "f"})
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if os.Geteuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				result <- err
				return
			}
		}
		_, err := s.unpack(t.Context(), bytes.NewReader(packed), options(archive.Tar))
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o555, "shut": 0o555, "shut/closed": 0o111} {
		info, err := os.Stat(filepath.Join(s.stage, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %s, want %s", name, got, want)
		}
	}
}

func TestUnpackOwnerAndSetuid(t *testing.T) {
	t.Parallel()
	o := options(archive.Tar)
	o.Setuid = true
	o.UID, o.GID = os.Getuid(), os.Getgid()
	if o.UID == 0 {
		o.UID, o.GID = 12345, 23456
	}
	s := newSandbox(t)
	packed := packTar(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o2755, Uid: 1, Gid: 1},
		tar.Header{Name: "d/f", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 1, Gid: 1},
		tar.Header{Name: "implied/l", Typeflag: tar.TypeSymlink, Linkname: "../d/f", Uid: 1, Gid: 1})
	if _, err := s.unpack(t.Context(), bytes.NewReader(packed), o); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]uint32{".": 0o40755, "d": 0o42755, "d/f": 0o104755, "implied": 0o40755, "implied/l": 0o120777} {
		var got unix.Stat_t
		if err := unix.Lstat(filepath.Join(s.stage, name), &got); err != nil {
			t.Fatal(err)
		}
		if int(got.Uid) != o.UID || int(got.Gid) != o.GID || got.Mode != mode {
			t.Errorf("%s: got %d:%d %o, want %d:%d %o", name, got.Uid, got.Gid, got.Mode, o.UID, o.GID, mode)
		}
	}
}

// Whoever waits is told how much there is, up to the last byte.
func TestUnpackTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	for format, packed := range packedEverywhere(t) {
		s, o := newSandbox(t), options(format)
		var told []int64
		o.Unpacked = func(bytes int64) { told = append(told, bytes) }
		stats, err := s.unpack(t.Context(), bytes.NewReader(packed), o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != stats.Unpacked {
			t.Errorf("%s: told of %v, want it to grow up to %d", format, told, stats.Unpacked)
		}
	}
}
