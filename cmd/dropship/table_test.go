package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// now is when everything here is looked at.
var now = time.Date(2026, 3, 14, 3, 0, 0, 0, time.UTC)

const (
	oldHash = "9e107d9d372bb6826bd81d3542a419d6"
	newHash = "e4d909c290d0fb1ca068ffaddf22cbd0"
)

// hostile is what somebody may have made a script, or a server, print.
const hostile = "\x1b[2J\x07\u202egnp.exe \u009b31mred \xff"

func installedFor(hash string, d time.Duration) *dropship.Installed {
	return &dropship.Installed{Release: install.Release{Hash: hash}, At: now.Add(-d), UpdateID: "20260311T030000Z-9f3a61c2"}
}

// everyState is a service in each of the states that look different.
func everyState() []dropship.Status {
	reason := func(code dropship.ReasonCode, text, remedy string) dropship.Reason {
		return dropship.Reason{Code: code, Text: text, Remedy: remedy}
	}
	pause := &dropship.Pause{By: "rita@web-07", Reason: "the database is being moved", Since: now.Add(-time.Hour), Until: now.Add(2 * time.Hour)}
	quarantined := dropship.Quarantined{
		Hash: newHash, Error: "after hook 2 failed with exit status 1: script: ./bin/selfcheck --timeout 30s " + hostile,
		Host: "web-12", Since: now.Add(-10 * time.Minute),
	}
	remote := func(hash string) *dropship.Remote {
		return &dropship.Remote{Revision: `"` + hash + `"`, Hash: hash, Size: 12345678}
	}
	return []dropship.Status{
		{Name: "api", Installed: installedFor(oldHash, 73*time.Hour), Repository: remote(oldHash), Reason: reason(dropship.ReasonUpToDate, "up to date at "+oldHash, "")},
		{Name: "cart", Installed: installedFor(oldHash, 50*time.Minute), Repository: remote(newHash), Reason: reason(dropship.ReasonUpdating, "update 20260314T025958Z-0c2f61aa is under way: step stage", "wait for its end")},
		{Name: "cron", Installed: installedFor(oldHash, 2*time.Hour), Repository: remote(newHash), Paused: pause, Reason: reason(dropship.ReasonPaused, pause.String(), "dropship resume cron")},
		{Name: "docs", Reason: reason(dropship.ReasonNotChecked, "not checked yet, since the agent started", "wait for the check, or dropship check docs")},
		{Name: "mail", Installed: installedFor(oldHash, 9*time.Second), Repository: remote(oldHash), Paused: pause, Reason: reason(dropship.ReasonUpToDate, "up to date, and "+pause.String(), "")},
		{
			Name: "猫-the-service-with-the-longest-name-of-all-of-them", Installed: installedFor("", 0), Repository: remote(""),
			Reason: reason(dropship.ReasonUnreachable, "repository unreachable since 2026-03-14 02:41:07 UTC: cannot stat https://artifacts.example.com/web.tar.gz: connection refused", "mend the repository, or the way to it"),
		},
		{
			Name: "web", Artifact: "s3://artifacts/web.tar.gz", Destination: "/srv/web", Group: "web",
			Installed: installedFor(oldHash, 73*time.Hour), Repository: remote(newHash), SeenAt: now.Add(-12 * time.Second),
			Activity: &dropship.Activity{
				UpdateID: "20260314T025958Z-0c2f61aa", Status: hooks.StatusRollback, Hash: oldHash, By: "rita@web-07", Step: dropship.StepSlot,
				StepSince: now.Add(-90 * time.Second), Group: "web", AheadAt: now.Add(-20 * time.Second),
				Ahead: []lock.Holder{{Host: "web-12", PID: 4711, Service: "web", Since: now.Add(-3 * time.Minute)}, {Host: "web-13"}},
			},
			LastCheck:   &dropship.Check{At: now.Add(-12 * time.Second), Outcome: dropship.Quarantine},
			NextCheck:   now.Add(18 * time.Second),
			Quarantined: []dropship.Quarantined{quarantined}, Unfinished: []string{"script: systemctl start web"},
			Failed: &dropship.Failure{Hash: newHash, Error: "after: hook 1: script: systemctl start web: exit status 1", At: now.Add(-time.Hour)},
			Reason: reason(dropship.ReasonQuarantined, "quarantined: "+quarantined.String(), "publish another artifact, or dropship retry web"),
		},
	}
}

// A repository that knows no md5 is not asked for one: what is installed is what it holds, or it is not known.
func TestDetailsOfARepositoryWithoutMD5(t *testing.T) {
	t.Parallel()
	for code, want := range map[dropship.ReasonCode]string{
		dropship.ReasonUpToDate: "repository   " + oldHash + " (revision \"6-64f5\", 500 bytes), 0s ago",
		dropship.ReasonUpdating: "repository   md5 not known before the download (revision \"6-64f5\", 500 bytes), 0s ago",
	} {
		var b bytes.Buffer
		page{w: &b, width: 200}.details(dropship.Status{
			Name: "web", Installed: installedFor(oldHash, time.Hour), Reason: dropship.Reason{Code: code},
			Repository: &dropship.Remote{Revision: `"6-64f5"`, Size: 500}, SeenAt: now,
		}, nil, now)
		if got := b.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %q in it", code, got, want)
		}
	}
}

func records() []dropship.Record {
	return []dropship.Record{
		{
			Service: "web", UpdateID: "20260314T021500Z-0c2f61aa", Status: hooks.StatusRollback, Outcome: dropship.RolledBack, Hash: oldHash, PreviousHash: newHash, Installed: oldHash,
			By: "rita@a-machine-with-a-long-name.example.com", Reason: "orders fail", Started: now.Add(-45 * time.Minute), Took: dropship.Seconds(72 * time.Second),
			Steps: []dropship.StepRecord{
				{Step: dropship.StepBefore, Started: now, Took: dropship.Seconds(1200 * time.Millisecond)},
				{Step: dropship.StepSwitch, Started: now.Add(2 * time.Second), Took: dropship.Seconds(3 * time.Millisecond)},
				{Step: dropship.StepAfter, Started: now.Add(3 * time.Second), Took: dropship.Seconds(time.Second)},
			},
			Hooks: []dropship.HookRecord{
				{HookEvent: dropship.HookEvent{Phase: hooks.Before, Index: 0, Name: "script: systemctl stop web"}, Started: now, Took: dropship.Seconds(1200 * time.Millisecond)},
				{
					HookEvent: dropship.HookEvent{Phase: hooks.After, Index: 0, Name: "script: systemctl start web", Output: "web: listening\n" + hostile + "\n  indented\n"},
					Started:   now.Add(3 * time.Second), Took: dropship.Seconds(time.Second), Error: "after hook 1, script: systemctl start web: exit status 1",
				},
			},
		},
		{
			Service: "web", UpdateID: "20260314T020000Z-1b1e0d5f", Status: hooks.StatusUpdate, Outcome: dropship.Updated, Hash: newHash, PreviousHash: oldHash, Installed: newHash,
			Started: now.Add(-time.Hour), Took: dropship.Seconds(8300 * time.Millisecond),
		},
		{
			Service: "web", UpdateID: "20260313T020000Z-77aa0d5f", Status: hooks.StatusUpdate, Outcome: dropship.GivenUp, PreviousHash: oldHash, Installed: oldHash, Recovered: true,
			Started: now.Add(-25 * time.Hour), Took: dropship.Seconds(150 * time.Millisecond), Step: dropship.StepBefore,
			Error: "before: before hook 1: script: systemctl stop web: exit status 5 (last output: Failed to stop web.service: " + hostile + ")",
		},
	}
}

// What people see, at the width of the narrowest terminal. The files are what it looks like: `go test -update` writes
// them anew.
func TestPagesFitInEightyColumns(t *testing.T) {
	t.Setenv("TZ", "UTC")
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.UTC
	states := everyState()
	for name, write := range map[string]func(page){
		"status":  func(p page) { p.status(states, now) },
		"nothing": func(p page) { p.status(nil, now) },
		"details": func(p page) {
			kept := []dropship.Kept{
				{ID: "20260314T020000Z-1b1e0d5f", Hash: newHash, Staged: now.Add(-time.Hour), Quarantined: true},
				{ID: "20260311T030000Z-9f3a61c2", Hash: oldHash, Staged: now.Add(-72 * time.Hour), Current: true},
				{ID: "found-1", Staged: now.Add(-90 * 24 * time.Hour)},
			}
			p.details(states[len(states)-1], kept, now)
		},
		"rejected": func(p page) {
			printRejected(p, api.Agent{Rejected: &dropship.Rejected{At: now, Error: "/etc/dropship.d/services/web.hcl:12:19: Invalid duration: \"tenz\" is no duration. Write a number and a unit, as in \"10s\".\n" +
				"/etc/dropship.d/services/web.hcl:14:3: Unsupported argument"}}, now.Add(2*time.Minute))
		},
		"history": func(p page) { p.history("web", records()) },
		"logs": func(p page) {
			for _, u := range records() {
				p.update(u)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			write(page{w: &b, width: 80})
			path := filepath.Join("testdata", "pages", name+".txt")
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
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if w := runewidth.StringWidth(line); w > 80 {
					t.Errorf("%d columns: %q", w, line)
				}
				if line != dropship.Printable(line) {
					t.Errorf("acts on a terminal: %q", line)
				}
			}
		})
	}
}

// On a wider terminal nothing is cut that fits, on a narrow one the rest stays a table.
func TestTableFitsItsTerminal(t *testing.T) {
	t.Parallel()
	long := table{head: []string{"NAME", "VALUE"}, rows: []row{{cells: []string{strings.Repeat("n", 30), strings.Repeat("v", 20)}, note: strings.Repeat("w", 60)}}}
	for width, want := range map[int]string{
		120: "NAME                            VALUE\nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn  vvvvvvvvvvvvvvvvvvvv\n  " + strings.Repeat("w", 60) + "\n",
		40:  "NAME                 VALUE\nnnnnnnnnnnnnnnnnnn…  vvvvvvvvvvvvvvvvvv…\n  " + strings.Repeat("w", 37) + "…\n",
		5:   "NAME    VALUE\nnnnnn…  vvvvv…\n  ww…\n",
	} {
		var b bytes.Buffer
		page{w: &b, width: width}.table(long)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", width, diff)
		}
	}
}

// The only bytes that act on a terminal are those of our own colours.
func TestColours(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	page{w: &b, width: 80, color: true}.status(everyState(), now)
	for _, want := range []string{bold + "SERVICE", yellow + "PAUSED" + plain + "\n", red + "quarantined" + plain + "\n  " + red + "hash e4d909c2 failed on web-12"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	rest := strings.NewReplacer(red, "", yellow, "", bold, "", plain, "").Replace(b.String())
	if strings.ContainsAny(rest, "\x1b\x07\u009b\u202e") {
		t.Errorf("got %q", rest)
	}
}
