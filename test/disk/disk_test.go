//go:build linux

package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/test/disk"
)

// Disks that are made at the same time have a device each, and give it back.
func TestDisksAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	made := make(chan *disk.Disk)
	for i := range 8 {
		go func() {
			own := filepath.Join(dir, string(rune('a'+i)))
			err := os.Mkdir(own, 0o755)
			var d *disk.Disk
			if err == nil {
				d, err = disk.Make(t.Context(), own, disk.Options{Kind: disk.Ext4, Bytes: 2 << 20})
			}
			if err != nil {
				t.Error(err)
			}
			made <- d
		}()
	}
	devices := map[string]bool{}
	var all []*disk.Disk
	for range 8 {
		if d := <-made; d != nil {
			devices[d.Device] = true
			all = append(all, d)
		}
	}
	if len(devices) != 8 {
		t.Errorf("8 disks are on %v", devices)
	}
	for _, d := range all {
		if err := os.WriteFile(filepath.Join(d.Dir, "file"), []byte(d.Device), 0o600); err != nil {
			t.Error(err)
		}
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	}
}
