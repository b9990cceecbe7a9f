package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
	"github.com/dropship/dropship/hooks"
)

func load(t *testing.T, path string) *config.Config {
	t.Helper()
	got, diags := config.Load(path, kinds())
	if got == nil {
		t.Fatalf("cannot load %s:\n%s", path, printed(diags))
	}
	return got
}

func TestEveryAttributeArrives(t *testing.T) {
	t.Parallel()
	path := copyFixture(t, "testdata/valid/full")
	got := load(t, path)

	if got, want := got.StateDir, "/var/lib/dropship-test"; got != want {
		t.Errorf("stateDir is %s, want %s", got, want)
	}
	if got, want := got.Socket, "/run/dropship-test.sock"; got != want {
		t.Errorf("socket is %s, want %s", got, want)
	}
	if got.MaxDownloads != 2 || got.MaxBandwidth != 20<<20 {
		t.Errorf("maxDownloads is %d and maxBandwidth %d", got.MaxDownloads, got.MaxBandwidth)
	}
	want := []string{filepath.Join(path, "dropship.hcl"), filepath.Join(path, "services/services.hcl")}
	if diff := cmp.Diff(want, got.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	web := service(t, got, "web")
	if got, want := web.CheckInterval, 90*time.Second; got != want {
		t.Errorf("checkInterval is %s, want %s", got, want)
	}
	if got, want := web.UpdateTTL, 30*time.Second; got != want {
		t.Errorf("updateTTL is %s, want %s", got, want)
	}
	if got, want := web.Hash, "d41d8cd98f00b204e9800998ecf8427e"; got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
	if web.Turn == nil || web.Turn.Group != "site" || web.Turn.Slots != 3 || web.Turn.Locker == nil {
		t.Errorf("turn is %+v", web.Turn)
	}
	if got := web.Source.String(); !strings.HasSuffix(got, "web-stable") {
		t.Errorf("source is %s, want web-stable", got)
	}
	wantSite := install.Options{
		Destination: "/srv/web",
		Keep:        0,
		Persist:     []string{"log", "data/uploads"},
		Archive: archive.Options{
			Format: archive.TarGzip, // by its content-type
			Limits: archive.Limits{Size: 20 << 30, Entries: 1000, Ratio: 50},
			Setuid: true,
		},
	}
	if diff := cmp.Diff(wantSite, web.Site.Options()); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
	before := web.Before[0]
	if before.Timeout != time.Minute || before.OnError != hooks.Continue || before.When != hooks.Failure {
		t.Errorf("before hook is %+v", before)
	}
	after, kind := web.After[0], kinds().Hooks["graphite-event"]
	if after.Timeout != kind.Timeout || after.OnError != kind.OnError || after.When != kind.When {
		t.Errorf("after hook is %+v, not with the defaults of its kind", after)
	}
	if got, want := after.String(), "http://graphite.example.com"; !strings.Contains(got, want) {
		t.Errorf("after hook is %s, want one on %s", got, want)
	}

	formats := map[string]archive.Options{
		"jar":   {Format: archive.File, UID: -1, GID: -1},
		"plain": {Format: archive.File, Sniff: true, UID: -1, GID: -1},
		"zip":   {Format: archive.Zip, UID: -1, GID: -1},
	}
	for name, want := range formats {
		if diff := cmp.Diff(want, service(t, got, name).Site.Options().Archive); diff != "" {
			t.Errorf("archive of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, path, `service "web" {
  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "web"
  }
}`, 0o640)
	got := load(t, path)
	if got.StateDir != config.DefaultStateDir || got.Socket != config.DefaultSocket {
		t.Errorf("state is in %s and the socket is %s", got.StateDir, got.Socket)
	}
	if got.MaxDownloads != 4 || got.MaxBandwidth != 0 {
		t.Errorf("maxDownloads is %d and maxBandwidth %d", got.MaxDownloads, got.MaxBandwidth)
	}
	web := service(t, got, "web")
	if web.CheckInterval != 30*time.Second || web.UpdateTTL != 0 || web.Turn != nil || web.Hash != "" {
		t.Errorf("service is %+v", web)
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := install.Options{
		Destination: filepath.Join(working, "web"),
		Keep:        3,
		Archive:     archive.Options{Format: archive.TarGzip, UID: -1, GID: -1},
	}
	if diff := cmp.Diff(want, web.Site.Options()); diff != "" {
		t.Errorf("site (-want +got):\n%s", diff)
	}
}

// The configuration that users of the first version have, word for word: also with the placeholder where
// an address belongs, which is worth a warning.
func TestConfigurationOf2015(t *testing.T) {
	t.Parallel()
	path := copyFixture(t, "testdata/2015")
	got, diags := config.Load(path, kinds())
	want := map[string][]string{
		path + "/services/my-service.hcl:28": {"WARNING: Host is not a valid address yet"},
	}
	if diff := cmp.Diff(want, reported(diags)); diff != "" || got == nil {
		t.Fatalf("diagnostics (-want +got):\n%s\nthey are:\n%s", diff, printed(diags))
	}
	s := service(t, got, "my-service")
	if s.CheckInterval != 10*time.Second || s.Turn == nil || s.Turn.Group != "my-service" || s.Turn.Slots != 1 {
		t.Errorf("service is %+v", s)
	}
	if got, want := s.Source.String(), "s3://my-s3bucket/my-service.tar.gz"; got != want {
		t.Errorf("source is %s, want %s", got, want)
	}
	if got, want := len(s.Before), 1; got != want {
		t.Errorf("there are %d before hooks, want %d", got, want)
	}
	if got, want := len(s.After), 2; got != want {
		t.Errorf("there are %d after hooks, want %d", got, want)
	}
}

func TestDeprecatedCommandsRunOutermost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, path, `service "web" {
  preCommand  = "echo first"
  postCommand = "echo last"
  before "script" {
    command = "echo second"
  }
  after "script" {
    command = "echo third"
  }
  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}`, 0o640)
	web := service(t, load(t, path), "web")
	var got []string
	for _, step := range append(web.Before, web.After...) {
		got = append(got, step.String())
	}
	for i, word := range []string{"first", "second", "third", "last"} {
		if len(got) != 4 || !strings.Contains(got[i], word) {
			t.Fatalf("the hooks are %q, want the %s at %d", got, word, i)
		}
	}
}

func TestNoConfiguration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	_, diags := config.Load(path, kinds())
	out := printed(diags)
	if !diags.HasErrors() || !strings.Contains(out, path) || !strings.Contains(out, "--config") {
		t.Errorf("printed:\n%s", out)
	}
}

func TestDirectoryWithoutConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dropship.conf"), "", 0o640)
	got, diags := config.Load(dir, kinds())
	if out := printed(diags); got != nil || !strings.Contains(out, "There is no *.hcl in "+dir) {
		t.Errorf("printed:\n%s", out)
	}

	main := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, main, fmt.Sprintf("service_path = %q\n", dir), 0o640)
	load(t, main) // services may come later
}

func TestDirectoryIsReadInOrderWithoutHiddenFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b.hcl", "a.hcl", ".#a.hcl", "c.hcl.dpkg-old", "README"} {
		write(t, filepath.Join(dir, name), "# "+name, 0o640)
	}
	if err := os.Symlink("a.hcl", filepath.Join(dir, "z.hcl")); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.hcl")}
	if diff := cmp.Diff(want, load(t, dir).Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func service(t *testing.T, c *config.Config, name string) *dropship.Service {
	t.Helper()
	for _, s := range c.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no service %s", name)
	return nil
}
