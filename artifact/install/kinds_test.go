//go:build linux

package install_test

import (
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/test/disk"
)

// A site's life on every kind of file system that a server may have. Through FUSE there is no exchange of two names,
// for real: renameat2 is refused there.
func TestKindsOfFileSystems(t *testing.T) {
	for _, test := range []struct {
		options disk.Options
		method  string
	}{
		{disk.Options{Kind: disk.Ext4}, install.MethodExchange},
		{disk.Options{Kind: disk.XFS}, install.MethodExchange},
		{disk.Options{Kind: disk.Btrfs}, install.MethodExchange},
		{disk.Options{Kind: disk.Tmpfs}, install.MethodExchange},
		{disk.Options{Kind: disk.Overlay}, install.MethodExchange},
		{disk.Options{Kind: disk.Bindfs}, install.MethodTwoRenames},
	} {
		t.Run(string(test.options.Kind), func(t *testing.T) {
			t.Parallel()
			d := disk.New(t, test.options)
			o := options(filepath.Join(d.Dir, "srv", "app"))
			o.Keep, o.Persist = 0, []string{"data"}
			s := install.New(o)
			write(t, filepath.Join(o.Destination, "by"), "hand")
			write(t, filepath.Join(o.Destination, "data", "db"), "live")
			if err := s.Room(1 << 20); err != nil {
				t.Error(err)
			}
			if err := attempt(t, s, "one", "hand", tarball(t, files{"version": "1", "a/b/c": "deep"})); err != nil {
				t.Fatal(err)
			}
			if got := s.Method(); got != test.method {
				t.Errorf("it is switched by %s, want %s", got, test.method)
			}
			if err := attempt(t, s, "two", "", tarball(t, files{"version": "2", "data/db": "seed"})); err != nil {
				t.Fatal(err)
			}
			wantContents(t, o.Destination, files{"version": "2", "data/db": "live"})
			wantReleases(t, s, "two", "hand") // one was pruned, and what was found never is
			wantCurrent(t, s, "two")
			if err := install.New(o).Switch("hand", ""); err != nil {
				t.Fatal(err)
			}
			wantContents(t, o.Destination, files{"by": "hand", "data/db": "live"})
			wantNoLeftovers(t, s)
		})
	}
}
