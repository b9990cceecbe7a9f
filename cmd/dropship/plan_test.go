package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

func plans() []dropship.Plan {
	many := make([]string, 1200)
	for i := range many {
		many[i] = fmt.Sprintf("node_modules/a-module-with-a-long-name/lib/internal/generated/file-%04d.js", i)
	}
	remote := func(size int64) *dropship.Remote {
		return &dropship.Remote{Revision: `"` + newHash + `"`, Hash: newHash, Size: size}
	}
	before := []dropship.PlannedHook{{Name: "script: systemctl stop web", When: hooks.Always, OnError: hooks.Abort}}
	after := []dropship.PlannedHook{
		{Name: "script: systemctl start web", When: hooks.Always, OnError: hooks.Abort},
		{Name: "http-check http://127.0.0.1:8080/health?with=a&long=query&" + strings.Repeat("x", 40), When: hooks.Always, OnError: hooks.Abort},
		{Name: "graphite-event http://graphite.example.com", When: hooks.Success, OnError: hooks.Continue},
	}
	line := []lock.Holder{
		{Host: "web-07", PID: 4711, Service: "web", Since: now.Add(-90 * time.Second), Holding: true},
		{Host: "web-12", PID: 812, Service: "web", Since: now.Add(-80 * time.Second)},
		{Host: "web-13", PID: 99, Service: "web", Since: now.Add(-70 * time.Second)},
	}
	slot := func(change func(*dropship.PlannedSlot)) *dropship.PlannedSlot {
		s := &dropship.PlannedSlot{Locker: "consul://127.0.0.1:8500/dropship/slots", Group: "web", Slots: 1, Hold: dropship.Seconds(30 * time.Second)}
		change(s)
		return s
	}
	return []dropship.Plan{
		{
			Service: "web", Artifact: "s3://artifacts/web.tar.gz", Destination: "/srv/web", Present: true, Installed: installedFor(oldHash, 72*time.Hour),
			Repository: remote(12_900_000), Outcome: dropship.Updated, Fetch: 12_900_000, Before: before, After: after,
			Changes: &install.Changes{Added: many, Removed: []string{"cache/by-hand " + hostile}, Changed: []string{"bin/web", "etc/web.conf"}},
			Slot:    slot(func(s *dropship.PlannedSlot) { s.Line = line }),
		},
		{
			Service: "api", Artifact: "s3://artifacts/api.tar.gz", Destination: "/srv/api", Repository: remote(2_300_000_000), Outcome: dropship.Updated,
			Fetch: 2_300_000_000, NotListed: "the artifact is larger than the 16 MiB that a plan downloads",
			Doubt: "not enough space on /srv (/dev/vdb1): 2.1 GiB needed, 1.0 GiB free, 1.1 GiB missing: free space, or lower keepReleases",
			Slot: slot(func(s *dropship.PlannedSlot) {
				s.Error = "cannot read dropship/slots/api/ at 127.0.0.1:8500: dial tcp 127.0.0.1:8500: connect: connection refused"
			}),
		},
		{
			Service: "cron", Artifact: "s3://artifacts/cron.tar.gz", Destination: "/srv/cron", Present: true, Installed: installedFor(oldHash, 2*time.Hour),
			Repository: remote(500), Outcome: dropship.Held, Staged: true, Changes: &install.Changes{},
			Paused: &dropship.Pause{By: "rita@web-07", Reason: "the database is being moved", Since: now.Add(-time.Hour), Until: now.Add(2 * time.Hour)},
			Reason: "paused by rita@web-07", Slot: slot(func(*dropship.PlannedSlot) {}),
		},
		{
			Service: "mail", Artifact: "file:///srv/artifacts/mail", Destination: "/srv/mail", Present: true, Repository: &dropship.Remote{Revision: "1", Size: -1},
			Outcome: dropship.Updated, Fetch: -1, NotListed: "the size of the artifact is not known before the download",
			Interrupted: &dropship.PlannedUpdate{UpdateID: "20260314T025958Z-0c2f61aa", Hash: newHash},
			Unfinished:  &dropship.PlannedUpdate{UpdateID: "20260314T025958Z-0c2f61aa", Hash: newHash, Hooks: []string{"script: systemctl start mail"}, Error: "exit status 1"},
		},
		{
			Service: "docs", Artifact: "s3://artifacts/docs.tar.gz", Destination: "/srv/docs", Present: true, Installed: installedFor(oldHash, 2*time.Hour),
			Repository: remote(500), Outcome: dropship.Quarantine, Reason: "hash " + newHash + " failed on web-12 at 2026-03-14 02:50:00 UTC: after hook 2 failed: " + hostile,
		},
		{Service: "cart", Artifact: "s3://artifacts/cart.tar.gz", Destination: "/srv/cart", Present: true, Installed: installedFor(oldHash, 2*time.Hour), Repository: remote(500), Outcome: dropship.UpToDate},
		{
			Service: "chat", Artifact: "http://artifacts.example.com/chat.tar.gz", Destination: "/srv/chat", Present: true, Installed: installedFor(oldHash, 2*time.Hour),
			Repository: &dropship.Remote{Revision: `etag "6-64f5"`, Size: 500}, Outcome: dropship.UpToDate,
		},
		{
			Service: "cert", Artifact: "file:///srv/artifacts/cert.pem", Destination: "/etc/web/cert.pem", Repository: remote(500), Outcome: dropship.Updated,
			Fetch: 500, Changes: &install.Changes{Added: []string{"."}},
		},
		{Service: "gone", Artifact: "s3://artifacts/gone.tar.gz", Destination: "/srv/gone", Error: "check: cannot stat s3://artifacts/gone.tar.gz: the artifact does not exist", Step: dropship.StepCheck},
	}
}

// What people see of plans on the narrowest terminal that Dropship writes for; `go test -update` writes it anew.
func TestPlanPage(t *testing.T) {
	t.Setenv("TZ", "UTC")
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.UTC
	for _, width := range []int{80, 40} {
		var b bytes.Buffer
		for _, p := range plans() {
			page{w: &b, width: width}.plan(p, now)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			// A word that is longer than the room for it stays whole, to be copied.
			if w := runewidth.StringWidth(line); w > width && strings.ContainsRune(strings.TrimSpace(line[min(15, len(line)):]), ' ') {
				t.Errorf("%d columns of %d: %q", w, width, line)
			}
			if line != dropship.Printable(line) {
				t.Errorf("acts on a terminal: %q", line)
			}
		}
		if width != 80 {
			continue
		}
		path := filepath.Join("testdata", "pages", "plan.txt")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestHuman(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 1<<20 - 1: "1.0 MiB",
		12_900_000: "12.3 MiB", 2_300_000_000: "2.1 GiB", 5 << 50: "5120.0 TiB",
	} {
		if got := human(bytes); got != want {
			t.Errorf("%d: got %q, want %q", bytes, got, want)
		}
	}
}
