package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/mattn/go-runewidth"

	"github.com/dropship/dropship/lock"
	lockfile "github.com/dropship/dropship/lock/file"
)

// slowly serves an artifact of 2 MiB whose second half comes when more is closed.
func slowly(t *testing.T) (url string, more chan struct{}) {
	t.Helper()
	content := make([]byte, 2<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "data", Mode: 0o644, Size: int64(len(content))})
	_, werr := w.Write(content)
	if err := errors.Join(err, werr, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	more = make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/web.tar.gz" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(b.Len()))
		if r.Method == http.MethodHead {
			return
		}
		half := b.Len() / 2
		tick := time.NewTicker(10 * time.Millisecond) // so that there is progress to be told
		defer tick.Stop()
		for piece := range slices.Chunk(b.Bytes()[:half], 32<<10) {
			<-tick.C
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-more:
			_, _ = w.Write(b.Bytes()[half:])
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, more
}

// configured writes a configuration, in which $DIR is its directory.
func configured(t *testing.T, text string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "dropship.hcl")
	if err := os.WriteFile(path, []byte("stateDir = \"$DIR/state\"\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.ReplaceAll(data, []byte("$DIR"), []byte(dir)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// narrower fails if a line of the screen is wider than that.
func narrower(t *testing.T, screen []string, columns int) {
	t.Helper()
	for _, line := range screen {
		if w := runewidth.StringWidth(line); w > columns {
			t.Errorf("%d columns, want %d at the most: %q", w, columns, line)
		}
	}
}

var barOfDownload = regexp.MustCompile(`(?m)^web  downloading  \[=+> +\] .*B of 2\.0 MiB`)

// An update on a terminal: what it does is one line, the log stands whole above it, and in the end only results stay.
func TestBarsFollowAnUpdate(t *testing.T) {
	t.Parallel()
	url, more := slowly(t)
	dir, config := configured(t, fmt.Sprintf(`
repo "http" { url = %q }
service "web" {
  before "script" { command = "until [ -e $DIR/go ]; do sleep 0.05; done" }
  artifact "http" {
    path        = "web.tar.gz"
    destination = "$DIR/web"
  }
  after "script" { command = "echo this is the hook" }
  after "script" { command = "until [ -e $DIR/go-on ]; do sleep 0.05; done" }
}
`, url))
	s := newTTY(t, 80, 24, "dropship apply --log-level info --config "+config)
	narrower(t, s.waitUntil("a bar", func(screen []string) bool { return barOfDownload.MatchString(strings.Join(screen, "\n")) }), 80)
	close(more)
	s.waitFor("web  before 1/1  script: ")
	s.tmux("send-keys", "C-c") // too late for this update: it is completed
	s.waitFor("interrupted: completing")
	s.resize(40)
	touch(t, filepath.Join(dir, "go"))
	screen := s.waitFor("web  after 2/2  script: ")
	narrower(t, screen, 40)
	s.resize(120)
	s.waitUntil("a line that is wider", func(screen []string) bool { return runewidth.StringWidth(screen[len(screen)-1]) > 40 })
	touch(t, filepath.Join(dir, "go-on"))
	s.waitFor("exit 0")
	s.clean()
	screen = s.screen("-J", "-S", "-")
	for _, line := range screen[1 : len(screen)-2] {
		// When a terminal becomes narrower it breaks the lines that it has, in its own way.
		if !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, "web  before 1/1  ") {
			t.Errorf("between the log and the results: %q\n%s", line, strings.Join(screen, "\n"))
		}
	}
	if end := screen[len(screen)-2:]; !strings.HasPrefix(end[0], "web: installed ") || end[1] != "exit 0" {
		t.Errorf("got the end %q, want the result alone", end)
	}
}

// holdSlot takes the only slot of group web, as another machine would.
func holdSlot(t *testing.T, dir string) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(fmt.Sprintf("path = %q", dir)), "lock.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	l, diags := lockfile.New(f.Body, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	lease, err := l.Acquire(t.Context(), lock.Request{Group: "web", Slots: 1, Holder: lock.Holder{Host: "web-07", PID: 1, Service: "web"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lease.Release(t.Context()) })
}

const waits = `
repo "file" { root = "$DIR" }
lock "file" { path = "$DIR/lock" }
service "web" {
  sequentialUpdates = true
  artifact "file" {
    path        = "web.tar.gz"
    destination = "$DIR/web"
  }
}
`

// Who waits is told for whom, in colour or without; and Ctrl-C leaves nothing of the bars.
func TestBarsAreGoneAfterCtrlC(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  string
		want string // on the screen, with what makes colours
	}{
		{"NO_COLOR=1", "web  waiting behind web-07"},
		{"NO_COLOR=", "web  \x1b[33mwaiting behind web-07"},
	} {
		t.Run(test.env, func(t *testing.T) {
			t.Parallel()
			dir, config := configured(t, waits)
			if err := pack(filepath.Join(dir, "web.tar.gz"), "1"); err != nil {
				t.Fatal(err)
			}
			holdSlot(t, filepath.Join(dir, "lock"))
			s := newTTY(t, 80, 24, "dropship apply --config "+config, test.env)
			s.waitFor("waiting behind web-07")
			if got := strings.Join(s.screen("-e"), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			s.tmux("send-keys", "C-c")
			screen := strings.Join(s.waitFor("exit 1"), "\n")
			s.clean()
			if strings.Contains(screen, "waiting behind") || !strings.Contains(screen, "\nweb: not updated (interrupted)\n") || !strings.HasSuffix(screen, "\nexit 1") {
				t.Errorf("got the screen\n%s\nwant the result and nothing of a bar", screen)
			}
		})
	}
}

// There are more services than the terminal has lines.
func TestBarsOfManyServices(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("repo \"file\" { root = \"$DIR\" }\n")
	for i := range 20 {
		fmt.Fprintf(&text, `
service "service-%02d" {
  before "script" { command = "until [ -e $DIR/go ]; do sleep 0.05; done" }
  artifact "file" {
    path        = "web.tar.gz"
    destination = "$DIR/srv-%02d"
  }
}
`, i, i)
	}
	dir, config := configured(t, text.String())
	if err := pack(filepath.Join(dir, "web.tar.gz"), "1"); err != nil {
		t.Fatal(err)
	}
	s := newTTY(t, 80, 10, "dropship apply --config "+config)
	screen := s.waitUntil("seven services", func(screen []string) bool { return strings.Count(strings.Join(screen, "\n"), "before 1/1") == 7 })
	if last := screen[len(screen)-1]; last != "… and 13 services more" {
		t.Errorf("got the last line %q, want how many more there are", last)
	}
	narrower(t, screen, 80)
	if all := s.screen("-S", "-"); len(all) != 9 {
		t.Errorf("got %d lines, also those above the screen, want 9:\n%s", len(all), strings.Join(all, "\n"))
	}
	touch(t, filepath.Join(dir, "go"))
	s.waitFor("exit 0")
	s.clean()
	if got := strings.Count(strings.Join(s.screen("-S", "-"), "\n"), ": installed"); got != 20 {
		t.Errorf("got %d results, want 20", got)
	}
}

// Where the cursor cannot be moved, and where machines read, there is the log.
func TestNoBars(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"dumb":   "TERM=dumb dropship apply --config %s",
		"json":   "dropship apply --log-format json --config %s",
		"a pipe": "dropship apply --config %s 2>&1 | cat",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, config := configured(t, waits)
			if err := pack(filepath.Join(dir, "web.tar.gz"), "1"); err != nil {
				t.Fatal(err)
			}
			s := newTTY(t, 80, 24, fmt.Sprintf(line, config))
			screen := strings.Join(s.waitFor("exit 0"), "\n")
			s.clean()
			if !strings.Contains(screen, "staging") || !strings.Contains(screen, "web: installed ") {
				t.Errorf("got\n%s\nwant the log, with lines of level info", screen)
			}
		})
	}
}

// Whatever is logged while bars are shown, hidden, or gone, is there in the end, each line whole.
func TestNothingLoggedIsLost(t *testing.T) {
	t.Parallel()
	s := newTTY(t, 80, 24, "flood")
	s.waitFor("exit 0")
	s.clean()
	lines := s.screen("-S", "-")
	slices.Sort(lines)
	var want []string
	for i := range 400 {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	want = append(want, "$ dropship", "exit 0")
	slices.Sort(want)
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
