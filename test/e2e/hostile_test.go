package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Hostile archives, made by real tools, by way of the whole of dropship apply: the live release stays, and so does
// everything around, in a file system that has nothing else in it. What is unpacked of each is in artifact/archive.
func TestHostileArchivesChangeNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	for _, attack := range []struct{ name, file, script, want string }{
		{"absolute name", "web.tar", `tar -Pcf - "$AROUND/passwd"`, "absolute"},
		{"name with ..", "web.tar", "echo x >../neighbour; tar -Pcf - ../neighbour", "leads outside"},
		{"zip slip", "web.zip", "echo x >../neighbour; zip -q z.zip ../neighbour; cat z.zip", "leads outside"},
		{"symlink outside", "web.tar", "ln -s ../../neighbour l; tar -cf - l", "leads outside"},
		{"file through a symlink", "web.tar", "mkdir d; ln -s d s; tar -cf t d s; rm s; mkdir s; echo x >s/f; tar -rf t s/f; cat t", "already"},
		{"device", "web.tar", "tar -C /dev -cf - null", "device"},
		{"setuid", "web.tar", "echo x >su; chmod 4755 su; tar -cf - su", "setuid"},
		{"bomb", "web.tar.gz", "truncate -s 80M f; tar -cf - f | gzip", "maxRatio"},
		{"dictionary of 192 MiB", "web.tar.xz", "echo x >f; tar -cf - f | xz --lzma2=preset=0,dict=192MiB", "dictionary"},
		{"truncated", "web.tar.gz", "seq 10000 >f; tar -cf - f | gzip | head -c 1000", "truncated"},
		{"not what its name says", "web.tar", "echo x >f; zip -q z.zip f; cat z.zip", "looks like zip"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			around := mounted(t)
			d := newDaemon(t, nil)
			publishAs(t, filepath.Join(d.dir, "artifacts", attack.file), pack(t, around, "mkdir r; cd r; echo good >VERSION; "+packer(attack.file)))
			d.write("dropship.hcl", fmt.Sprintf("stateDir = \"state\"\nsocket = \"dropship.sock\"\nrepo \"file\" { root = %q }\nservice \"web\" {\n  artifact \"file\" {\n    path = %q\n    destination = %q\n  }\n}\n",
				filepath.Join(d.dir, "artifacts"), attack.file, filepath.Join(around, "site/web")))
			if _, stderr, code := d.run("apply"); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, stderr)
			}
			before := everything(t, around)
			publishAs(t, filepath.Join(d.dir, "artifacts", attack.file), pack(t, around, attack.script))
			_, stderr, code := d.run("apply")
			if code != 1 || !strings.Contains(stderr, attack.want) {
				t.Errorf("exit code %d, want 1, and %q in\n%s", code, attack.want, stderr)
			}
			if diff := cmp.Diff(before, everything(t, around)); diff != "" {
				t.Errorf("something changed (-want +got):\n%s", diff)
			}
		})
	}
}

// packer is the command that packs this directory as the file's name says.
func packer(file string) string {
	switch filepath.Ext(file) {
	case ".zip":
		return "zip -q z.zip VERSION; cat z.zip"
	case ".gz":
		return "tar -czf - VERSION"
	case ".xz":
		return "tar -cJf - VERSION"
	default:
		return "tar -cf - VERSION"
	}
}

// pack returns what a script prints. It runs two directories down in one of its own.
func pack(t *testing.T, around, script string) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -e; "+script)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "AROUND="+around), os.Stderr
	packed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return packed
}

// publishAs puts an artifact in place as the file repository wants it.
func publishAs(t *testing.T, path string, data []byte) {
	t.Helper()
	part := filepath.Join(filepath.Dir(path), ".part")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
}

// mounted is a file system with something to lose in it.
func mounted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128m,mode=0755"); err != nil {
		t.Fatalf("cannot mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	for _, name := range []string{"passwd", "neighbour", "site/neighbour", "site/other/file"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// everything lists mode, owner, inode, links, size, time and content of all there is. Of directories in which a stage
// was, the time is left out.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("inode %d mode %o owner %d:%d links %d size %d", st.Ino, st.Mode, st.Uid, st.Gid, st.Nlink, st.Size)
		if d.Type().IsRegular() {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" mtime %d %x", st.Mtim.Nano(), sha256.Sum256(content))
		}
		all[strings.TrimPrefix(name, dir)] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
