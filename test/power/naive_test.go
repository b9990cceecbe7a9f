package power_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/test/power"
)

// TestNaiveDeployerIsCaught shows that the rig finds what it is for: an update that is unpacked beside, renamed, and
// never synced is lost although its hooks told of it, or is there with files that are empty.
func TestNaiveDeployerIsCaught(t *testing.T) {
	t.Parallel()
	for _, f := range []power.FileSystem{power.Ext4, power.XFS, power.Btrfs} {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, power.Options{FileSystem: f})
			deploy := func(r power.Release) error {
				d := m.Destination()
				return errors.Join(
					r.Unpack(d+".new"),
					os.RemoveAll(d+".old"),
					ignoreAbsent(os.Rename(d, d+".old")),
					os.Rename(d+".new", d),
				)
			}
			if err := deploy(one); err != nil {
				t.Fatal(err)
			}
			if err := m.Record(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.Recorder.Tell("before stop update 1")
			if err := deploy(two); err != nil {
				t.Fatal(err)
			}
			m.Recorder.Tell("after start update 1")
			// Somebody else's sync writes the kernel's journal, and not what is in the files.
			other, err := os.Create(filepath.Join(filepath.Dir(m.Destination()), "other"))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(other.Sync(), other.Close()); err != nil {
				t.Fatal(err)
			}
			l := m.Recorder.Stop()
			if err := m.Unmount(t.Context()); err != nil {
				t.Fatal(err)
			}
			story := power.Story{Old: one, New: two}
			lost, torn := false, false
			rnd := rand.New(rand.NewPCG(1, 2))
			for _, c := range l.Cuts() {
				_, err := m.Try(t.Context(), l, story, c, rnd, false)
				if err == nil {
					continue
				}
				atOld := m.AfterCut(t.Context(), l, c, rnd, func() error { return one.At(m.Destination()) }) == nil
				lost = lost || atOld
				torn = torn || !atOld && strings.Contains(err.Error(), "has 0 bytes")
			}
			if !lost {
				t.Error("got no update that was told of and lost")
			}
			// btrfs puts a new directory into the log of another file's sync only with what is in its files.
			if !torn && f.Name != "btrfs" {
				t.Error("got no empty file")
			}
		})
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
