package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// binary is the dropship that soaks.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dropship-soak-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "dropship")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/dropship")
	if text, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build dropship: %v\n%s", err, text)
		return 1
	}
	return m.Run()
}

// Each journey is made once, so that none of them rots. It takes the half hour of make soak to see what grows.
func TestShortSoak(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s, err := newSoak(t.Context(), options{
		time: time.Second, every: 100 * time.Millisecond, sample: 100 * time.Millisecond, services: 10, seed: 1,
		binary: binary, dir: t.TempDir(), servers: servers.Get(t), out: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			if err := s.close(); err != nil {
				t.Error(err)
			}
		}
	}()
	if err := s.all(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	closed = true
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if len(s.violations) > 0 {
		t.Errorf("got %q, want no violation", s.violations)
	}
	for _, j := range journeys {
		if s.journeys[j.name] == 0 {
			t.Errorf("no %s was made", j.name)
		}
	}
	last := s.samples[len(s.samples)-1]
	if last.rss < 5 || last.goroutines < 10 || last.fds < 5 || last.files < 20 || last.history < 1 || last.kept < 1 || last.published < 12 || s.told.Load() == 0 {
		t.Errorf("the last sample is %+v, with %d events: something is not counted", last, s.told.Load())
	}
	table := filepath.Join(t.TempDir(), "soak.tsv")
	if err := writeTable(table, s.samples); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(table); err != nil || bytes.Count(data, []byte("\n")) != len(s.samples)+1 {
		t.Errorf("got %v and the table\n%s\nwant a head and %d samples", err, data, len(s.samples))
	}
	leaking := history()
	for i := range leaking {
		leaking[i].fds += float64(i / 100)
	}
	if flat, leak := s.report(judge(history())), s.report(judge(leaking)); flat != 0 || leak != 1 {
		t.Errorf("the exit codes are %d and %d, want 0 for what is flat and 1 for a leak", flat, leak)
	}
	for _, want := range []string{"releases published", "resident memory", "GROWS", "load: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
}

// What finds nothing must be what would have.
func TestSoakFinds(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	s := &soak{options: options{out: &out}, dir: dir, services: newServices(dir, 10), provoked: make(map[string]*provocation)}
	warn := func(service, text string, at time.Time) {
		s.heed(line{Level: "WARN", Service: service, Time: at, text: text})
	}
	end := s.provoke(s.services[1], nil)
	warn("app-01", "provoked", time.Now())
	warn("", "of the agent, provoked", time.Now())
	warn("app-02", "of another service", time.Now())
	s.heed(line{Level: "INFO", Service: "app-02", text: "no trouble"})
	s.heed(line{Level: "WARN", Service: "app-02", Msg: "resuming the download", text: "torn"})
	end()
	warn("app-01", "aftermath", time.Now())
	warn("app-01", "later", time.Now().Add(2*aftermath))
	if err := readLog(strings.NewReader("panic: index out of range\n"), s.heed); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range s.violations {
		got = append(got, v[strings.LastIndex(v, "log: ")+5:])
	}
	if want := "of another service; later; panic: index out of range"; strings.Join(got, "; ") != want {
		t.Errorf("got the violations %q, want %q", got, want)
	}

	if err := s.bounded(); err != nil {
		t.Errorf("nothing is on disk, and %v", err)
	}
	for i := range historyLimit + 1 {
		write(t, s.state(), "history", "app-03", fmt.Sprint(i))
	}
	write(t, dir, "srv", ".app-04.dropship", "stage-1", "file")
	err := s.bounded()
	if err == nil || !strings.Contains(err.Error(), "51 files") || !strings.Contains(err.Error(), "stage-*") {
		t.Errorf("got %v, want that there is too much history, and a stage", err)
	}
}

func TestReleaseFindsAnotherOne(t *testing.T) {
	t.Parallel()
	one := release{service: "app", number: 1}
	dir := t.TempDir()
	for name, content := range one.files() {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.at(dir); err != nil {
		t.Error(err)
	}
	for _, other := range []release{{service: "app", number: 2}, {service: "app", number: 1, broken: true}, {service: "app", number: 1, plain: true}} {
		if other.at(dir) == nil {
			t.Errorf("%s is at %s, want %s alone", other, dir, one)
		}
	}
	write(t, dir, "left")
	if one.at(dir) == nil {
		t.Error("a file too many is not found")
	}
	if err := os.RemoveAll(filepath.Join(dir, "share")); err != nil {
		t.Fatal(err)
	}
	if one.at(dir) == nil {
		t.Error("files that are missing are not found")
	}
}

func write(t *testing.T, elements ...string) {
	t.Helper()
	path := filepath.Join(elements...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
}
