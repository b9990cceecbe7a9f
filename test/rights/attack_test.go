//go:build linux

package rights

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const attacker = 12345

// attack is the whole life of an attacker: it puts links to the victims in the place of everything that dropship uses,
// and back, as fast as it can. What it may not do fails.
func attack(parent string) {
	outside := filepath.Join(filepath.Dir(parent), "victim")
	fmt.Println("attacking")
	for n := 0; ; n++ {
		target := []string{outside, "victim"}[n%2]
		for _, name := range []string{".app.dropship", "app"} {
			name = filepath.Join(parent, name)
			trap := filepath.Join(parent, "trap")
			_ = os.Remove(trap)
			_ = os.Symlink(target, trap)
			// In one step there and back, so that the name is never absent.
			if unix.Renameat2(unix.AT_FDCWD, trap, unix.AT_FDCWD, name, unix.RENAME_EXCHANGE) == nil {
				_ = unix.Renameat2(unix.AT_FDCWD, trap, unix.AT_FDCWD, name, unix.RENAME_EXCHANGE)
			} else if n%50 == 0 {
				_ = os.Symlink(target, name)
				_ = os.Remove(name)
			}
		}
		entries, _ := os.ReadDir(filepath.Join(parent, ".app.dropship"))
		for _, e := range entries {
			name := filepath.Join(parent, ".app.dropship", e.Name())
			_ = os.Rename(name, name+"-aside")
			_ = os.Symlink(outside, name)
		}
		for _, name := range []string{"lock", "persist", "switch.json", "trash-probe"} {
			_ = os.Symlink(outside, filepath.Join(parent, ".app.dropship", name))
		}
	}
}

// A hundred updates beside somebody who puts links in the way change nothing where the links lead.
func TestAttackerBesideAHundredUpdates(t *testing.T) {
	for _, parent := range []struct {
		name  string
		mode  fs.FileMode
		owner int
	}{
		{"everybody's, sticky", 0o777 | fs.ModeSticky, 0},
		{"the attacker's", 0o755, attacker},
	} {
		t.Run(parent.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			if err := os.Mkdir(s.parent, 0o755); err != nil {
				t.Fatal(err)
			}
			s.publish(t, 0)
			s.apply(t)
			for _, victim := range []string{filepath.Join(s.dir, "victim"), filepath.Join(s.parent, "victim")} {
				for _, name := range []string{"file", "lock", "stage-one/file", "trash-probe/file", "tree/file", "release.json", "switch.json", "persist/var/data/file", "var/data/file"} {
					name = filepath.Join(victim, name)
					if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(name, []byte("{}"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			before := s.victims(t)
			if err := os.Chmod(s.parent, parent.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(s.parent, parent.owner, parent.owner); err != nil {
				t.Fatal(err)
			}
			stop := s.attacked(t)
			done := 0
			for number := 1; number <= 100; number++ {
				s.publish(t, number)
				if s.apply(t) {
					done++
				}
				if after := s.victims(t); after != before {
					t.Fatalf("after update %d the victims are\n%s\nand were\n%s", number, after, before)
				}
			}
			stop()
			t.Logf("%d of 100 updates done", done)
			if parent.owner == 0 && done != 100 {
				t.Errorf("%d of 100 updates done, though nobody else may rename anything", done)
			}
			s.wantNothingGiven(t)
		})
	}
}

// attacked starts an attacker, as another user.
func (s *server) attacked(t *testing.T) (stop func()) {
	t.Helper()
	// Where other users can execute it.
	self := filepath.Join(s.dir, "attacker")
	if out, err := exec.CommandContext(t.Context(), "install", "-m", "755", os.Args[0], self).CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), attackEnv+"="+s.parent)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: attacker, Gid: attacker}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1)) // it is at work
	}
	if err != nil {
		t.Fatalf("the attacker: %v", err)
	}
	stop = sync.OnceFunc(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("the attacker gave up: %v", err)
		}
		_ = cmd.Wait() // it was killed
	})
	t.Cleanup(stop)
	return stop
}

// apply updates once. Not to succeed is right if it is said of which service, and why.
func (s *server) apply(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "apply", "--config", s.config).CombinedOutput()
	if err == nil {
		return true
	}
	text := string(out)
	if !strings.Contains(text, "cannot ") || !strings.Contains(text, s.parent) || strings.Contains(text, "panic") {
		t.Errorf("the error is not clear: %v\n%s", err, text)
	}
	return false
}

// victims lists what may not change: names, modes, owners, contents, and when anything was changed at all.
func (s *server) victims(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, victim := range []string{filepath.Join(s.dir, "victim"), filepath.Join(s.parent, "victim")} {
		err := filepath.WalkDir(victim, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			fmt.Fprintf(&b, "%s %s %d:%d %d %v", path, info.Mode(), st.Uid, st.Gid, st.Nlink, info.ModTime())
			if path != victim { // the attacker's own renames touch nothing below
				fmt.Fprintf(&b, " %v", st.Ctim)
			}
			if info.Mode().IsRegular() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, " %x", sha256.Sum256(content))
			}
			b.WriteByte('\n')
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// wantNothingGiven checks that nothing of root's became the attacker's, and nothing of the attacker's root's: links
// are all that the attacker has made.
func (s *server) wantNothingGiven(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(s.parent, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == s.parent {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		uid := info.Sys().(*syscall.Stat_t).Uid
		if link := info.Mode()&fs.ModeSymlink != 0; !link && uid != 0 || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			t.Errorf("%s has mode %s and belongs to %d", path, info.Mode(), uid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
