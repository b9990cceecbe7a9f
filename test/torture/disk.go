//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/test/disk"
)

// A diskFault is a way for the disk of a destination to fail. The state, the artifact and the logs are on another one.
type diskFault struct {
	name   string
	disk   disk.Options
	strike func(*disk.Disk) error
	// repair makes it work again, or else what was written down is mounted anew, as after a restart of the machine.
	repair func(*disk.Disk) error
}

func diskFaults() []Fault {
	full := func(d *disk.Disk) error { return d.Fill(0) }
	var all []Fault
	for _, f := range []diskFault{
		{"disk full, ext4", disk.Options{Kind: disk.Ext4}, full, (*disk.Disk).Empty},
		{"disk full, XFS", disk.Options{Kind: disk.XFS}, full, (*disk.Disk).Empty},
		{"I/O error, ext4", disk.Options{Kind: disk.Ext4}, (*disk.Disk).Shutdown, nil},
		{"read-only, ext4", disk.Options{Kind: disk.Ext4, Mount: []string{"errors=remount-ro"}}, (*disk.Disk).TurnReadOnly, nil},
	} {
		all = append(all, Fault{Name: f.name, Steps: []string{"stage", "switch", "after", "rollback"}, Round: f.round})
	}
	return all
}

// round lets the disk fail at a step of an update by apply, repairs it when apply has ended, and lets it recover.
func (f diskFault) round(ctx context.Context, r *Round) (_ Seen, err error) {
	dir := filepath.Join(r.Dir, "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	d, err := disk.Make(ctx, dir, f.disk)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Unmount()) }()
	if err := os.Symlink(d.Dir, filepath.Join(r.Dir, "srv")); err != nil {
		return "", err
	}
	v := r.Variant()
	v.Agent = false
	m, err := disturbed(ctx, r, v)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	// The application's own files reach the disk before it fails.
	if err := syncDisk(d.Dir); err != nil {
		return "", err
	}
	p, err := m.startAt(ctx, r, 5*time.Millisecond)
	if err != nil {
		return "", err
	}
	// What it has seen so far counts; from here on the disk does not answer.
	err = m.reader.stop()
	m.reader = nil
	if err != nil {
		return "", err
	}
	if err := f.strike(d); err != nil {
		return "", err
	}
	if _, err := p.Wait(ctx); err != nil {
		return "", err
	}
	fmt.Fprintf(r.Log, "%s\n%s", v, p.Log())
	if f.repair != nil {
		err = f.repair(d)
	} else {
		err = d.Remount(ctx)
	}
	if err != nil {
		return "", err
	}
	// A disk that failed may have lost the last switch, which the state knows of, and a rollback that failed left what
	// it should have replaced: the state is right again after the next check.
	look := m.Struck
	if f.repair == nil || r.Step == "rollback" {
		look = m.Seen
	}
	seen, err := look()
	if err != nil {
		return "", err
	}
	if slices.Contains([]string{"after", "rollback"}, r.Step) || r.Step == "switch" && f.repair == nil {
		// A switch that a failing disk carried out and could not confirm has failed, says the state until the next
		// update, also when the release turns out to be there. An after chain that fails since the disk does has the release quarantined, and a rollback that fails is not
		// tried again: the machine waits for another release.
		if err := m.Publish(ctx, Good(3)); err != nil {
			return "", err
		}
	}
	return seen, m.Recover(ctx)
}

// syncDisk makes all that was written to a file system durable.
func syncDisk(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
