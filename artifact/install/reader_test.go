//go:build linux

package install_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// While releases are exchanged, a reader always finds one, and one whole.
func TestReaderNeverMissesExchange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	update(t, s, "a", "", files{"version": "a", "config": "a"})
	if got, want := s.Method(), install.MethodExchange; got != want {
		t.Fatalf("the file system of this test needs RENAME_EXCHANGE: method is %q, want %q", got, want)
	}
	stage(t, s, "b", tarball(t, files{"version": "b", "config": "b"}))

	seen := whileSwitching(t, s, 200, func() (string, error) {
		if _, err := os.ReadFile(filepath.Join(s.Destination(), "version")); err != nil {
			return "", err
		}
		// Two look-ups of the destination may see two releases; two in one opened directory may not.
		root, err := os.OpenRoot(s.Destination())
		if err != nil {
			return "", err
		}
		defer root.Close()
		version, err := root.ReadFile("version")
		if err != nil {
			return "", err
		}
		config, err := root.ReadFile("config")
		if err == nil && string(version) != string(config) {
			t.Errorf("a mixture: version %s with config %s", version, config)
		}
		return string(version), err
	})
	if len(seen) != 2 {
		t.Errorf("the reader saw %v, want both releases", seen)
	}
}

// A file is there at every instant even where nothing can be exchanged.
func TestReaderNeverMissesFile(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		o := options(filepath.Join(t.TempDir(), "tool"))
		o.Archive.Format = archive.File
		s := install.Force(install.New(o), method)
		stage(t, s, "a", []byte("a"))
		if err := s.Switch("a", ""); err != nil {
			t.Fatal(err)
		}
		stage(t, s, "b", []byte("b"))
		whileSwitching(t, s, 50, func() (string, error) {
			b, err := os.ReadFile(s.Destination())
			return string(b), err
		})
	})
}

// whileSwitching looks again and again while releases a and b take turns, and returns what was seen how often.
func whileSwitching(t *testing.T, s *install.Site, switches int, look func() (string, error)) map[string]int {
	t.Helper()
	seen := map[string]int{}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			what, err := look()
			if err != nil {
				t.Errorf("the destination could not be read: %v", err)
				return
			}
			seen[what]++
		}
	})
	for i := range switches {
		to, from := "b", "a"
		if i%2 == 1 {
			to, from = from, to
		}
		if err := s.Switch(to, from); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	reader.Wait()
	return seen
}
