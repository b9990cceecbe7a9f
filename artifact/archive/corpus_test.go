package archive_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
)

var update = flag.Bool("update", false, "write testdata/corpus.md anew, to be read before it is committed")

// corpusPage says of every archive of the corpus how it is made and what becomes of it. It is what the test wants.
const corpusPage = "testdata/corpus.md"

// A torture is one archive of the corpus.
type torture struct {
	name   string
	format archive.Format
	script string // a bash script that prints the archive, made by the tools whose users Dropship has
	how    string // what bytes makes, where no tool makes such an archive
	bytes  func(tb testing.TB) []byte
	adjust func(o *archive.Options) // nil: the options of a service that says nothing but the format
}

// prelude is what the scripts begin with: the small tree that most of them pack.
const prelude = `set -euo pipefail
umask 022
export TZ=UTC LC_ALL=C
tree() {
  mkdir d e
  printf hello >d/f
  printf '#!/bin/sh\n' >d/run
  chmod 755 d/run
  ln -s d/f symlink
  ln d/f hardlink
}
`

// The corpus: what real tools pack and what only malice does, each unpacked in a file system of its own. Of
// everything around the stage a listing is taken before and after, and of the space that is free.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	var corpus []torture
	for _, part := range [][]torture{tarsOfTools(), tarsByHand(), compressed(), zipsOfTools(), zipsByHand()} {
		corpus = append(corpus, part...)
	}
	wanted, err := os.ReadFile(corpusPage)
	if err != nil && !*update {
		t.Fatal(err)
	}
	sections := make([]string, len(corpus))
	t.Run("archives", func(t *testing.T) {
		for i, c := range corpus {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				sections[i] = c.section(c.result(t))
				if want := sectionOf(string(wanted), c.name); sections[i] != want && !*update {
					t.Errorf("%s says otherwise (-want +got):\n%s", corpusPage, cmp.Diff(want, sections[i]))
				}
			})
		}
	})
	if *update {
		write(t, corpusPage, corpusHead+strings.Join(sections, ""), 0o644)
	}
	if got, want := strings.Count(string(wanted), sectionMark), len(corpus); got != want && !*update {
		t.Errorf("%s has %d archives, want %d", corpusPage, got, want)
	}
}

// corpusHead is how the page begins.
const corpusHead = "# The torture corpus\n\nEvery archive that the test of this package unpacks, how it is made, and what comes of it. " +
	"Made by `go test ./artifact/archive -run TestCorpus -update`;\nthe test fails where it differs. Of a tree each line is a " +
	"mode, the number of links, and of a file its size and the start of its sha256.\n`$AROUND` is the file system that the " +
	"archive is unpacked in. Nothing of it but the stage ever changes.\n"

// sectionMark is how the part of the page that is about one archive begins.
const sectionMark = "\n## "

func (c torture) section(result string) string {
	return fmt.Sprintf("%s%s\n\n%s, made by\n\n```sh\n%s\n```\n\n```\n%s\n```\n", sectionMark, c.name, c.format, strings.TrimSpace(c.script+c.how), result)
}

// sectionOf finds what the page says of an archive.
func sectionOf(page, name string) string {
	start := strings.Index(page, sectionMark+name+"\n")
	if start < 0 {
		return ""
	}
	rest := page[start+1:]
	if end := strings.Index(rest, sectionMark); end >= 0 {
		rest = rest[:end]
	}
	return "\n" + rest
}

// toolsAtOnce bounds the scripts that run side by side: some of them make files of 100 MiB.
var toolsAtOnce = sync.OnceValue(func() chan struct{} { return make(chan struct{}, 2) })

func (c torture) result(t *testing.T) string {
	t.Helper()
	w := newWorld(t)
	packed := c.pack(t, w)
	o := options(c.format)
	o.Limits.Entries = 200_000
	if c.adjust != nil {
		c.adjust(&o)
	}
	root, err := os.OpenRoot(filepath.Join(w.dir, "site"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	before, free := w.list(t), w.free(t)
	stats, err := archive.Unpack(t.Context(), root, stageName, bytes.NewReader(packed), o)
	if diff := cmp.Diff(before, w.list(t)); diff != "" {
		t.Errorf("something outside the stage changed (-want +got):\n%s", diff)
	}
	s := sandbox{stage: filepath.Join(w.dir, "site", stageName)}
	wantListed(t, packed, o, s.stage, stats, err)
	got := shownTree(t, s.stage)
	if err != nil {
		got = "error: " + strings.ReplaceAll(err.Error(), w.dir, "$AROUND")
	} else {
		s.checkTree(t)
		if stats.Packed != int64(len(packed)) {
			t.Errorf("read %d of %d bytes", stats.Packed, len(packed))
		}
	}
	if err := os.RemoveAll(s.stage); err != nil {
		t.Fatal(err)
	}
	w.wantFree(t, free)
	return got
}

func (c torture) pack(t *testing.T, w world) []byte {
	t.Helper()
	if c.bytes != nil {
		return c.bytes(t)
	}
	toolsAtOnce() <- struct{}{}
	defer func() { <-toolsAtOnce() }()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", prelude+c.script)
	cmd.Dir = mountMemory(t)
	cmd.Env = append(os.Environ(), "AROUND="+w.dir)
	var out, message bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &message
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", c.script, err, message.String())
	}
	return out.Bytes()
}

// A world is a file system of its own, with something to lose around the stage.
type world struct{ dir string }

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{mountMemory(t)}
	for name, mode := range map[string]fs.FileMode{
		"passwd": 0o644, "shadow": 0, "su": 0o755 | fs.ModeSetuid, "outside/file": 0o600, "outside/deeper/file": 0o444,
		"site/neighbour": 0o600, "site/stage2/file": 0o600, "site/previous/file": 0o600,
	} {
		write(t, filepath.Join(w.dir, name), name, mode)
	}
	for _, err := range []error{
		os.Symlink("file", filepath.Join(w.dir, "outside/link")),
		os.Link(filepath.Join(w.dir, "outside/file"), filepath.Join(w.dir, "outside/hard")),
		unix.Mkfifo(filepath.Join(w.dir, "outside/fifo"), 0o600),
		os.Mkdir(filepath.Join(w.dir, "outside/empty"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// mountMemory returns a file system of its own.
func mountMemory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256m,nr_inodes=200000,mode=0755"); err != nil {
		t.Fatalf("cannot mount a file system: %v", err)
	}
	t.Cleanup(func() {
		// Detached, since a process that another test starts has all open files for a moment, too.
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	return dir
}

// list says all there is to know of everything but the stage.
func (w world) list(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(w.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(w.dir, name)
		if err != nil {
			return err
		}
		switch relative {
		case "site/" + stageName:
			return fs.SkipDir
		case "site": // has one entry more, and so another size, time and number of links
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("inode %d mode %o owner %d:%d links %d size %d mtime %d", st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim.Nano())
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(content))
		case unix.S_IFLNK:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		all[relative] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantFree fails if something without a name is left, or held open. It waits, since a process that another test
// starts has all open files for a moment, too.
func (w world) wantFree(t *testing.T, want room) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		got := w.free(t)
		if got == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("without the stage there are %+v free, before there were %+v", got, want)
		}
	}
}

// A room is what is free in a file system.
type room struct{ blocks, inodes uint64 }

func (w world) free(t *testing.T) room {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil {
		t.Fatal(err)
	}
	return room{st.Bfree, st.Ffree}
}

// mostLines is how many lines of a tree are shown.
const mostLines = 40

// shownTree is a tree as the page shows it; of a large one, the numbers.
func shownTree(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	kinds := map[fs.FileMode]int{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		kinds[d.Type()]++
		if len(lines) > mostLines {
			return nil
		}
		line, err := shownEntry(dir, name)
		lines = append(lines, line)
		return err
	})
	switch {
	case os.IsNotExist(err):
		return "nothing"
	case err != nil:
		t.Fatal(err)
	case len(lines) > mostLines:
		return fmt.Sprintf("%d directories, %d files, %d symlinks", kinds[fs.ModeDir], kinds[0], kinds[fs.ModeSymlink])
	}
	return strings.Join(lines, "\n")
}

func shownEntry(dir, name string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return "", err
	}
	info, err := os.Lstat(name)
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(dir, name)
	if err != nil {
		return "", err
	}
	if len(relative) > 60 {
		relative = fmt.Sprintf("%s… (%d bytes)", relative[:20], len(relative))
	}
	line := info.Mode().String()
	if !info.IsDir() {
		line += fmt.Sprintf(" %d", st.Nlink)
	}
	switch info.Mode().Type() {
	case 0:
		content, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		line += fmt.Sprintf(" %d %.4x", len(content), sha256.Sum256(content))
	case fs.ModeSymlink:
		target, err := os.Readlink(name)
		if err != nil {
			return "", err
		}
		if len(target) > 60 {
			target = fmt.Sprintf("%s… (%d bytes)", target[:20], len(target))
		}
		relative += " -> " + target
	}
	shown := strings.Trim(fmt.Sprintf("%q", relative), `"`)
	if at := info.ModTime(); at.Year() < 1990 || at.Year() > 2100 {
		shown += at.UTC().Format(", of " + time.RFC3339Nano)
	}
	return line + " " + shown, nil
}
