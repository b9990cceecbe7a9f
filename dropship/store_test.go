package dropship_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dropship/dropship/dropship"
)

func TestLoadTellsDamageFromWhatItMustNotTouch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content, want string
		damaged       bool
	}{
		"cut":     {`{"version": 1, "serv`, "unexpected end", true},
		"foreign": {`{"version": 1, "service": "db"}`, `it is of service "db"`, true},
		"journal": {`{"version": 1, "service": "web", "journal": {"status": "update", "chain": ["a"], "hook": 2}}`, "at hook 2 of 1", true},
		"left":    {`{"version": 1, "service": "web", "unfinished": {"update": {"status": "failed", "chain": ["a"]}, "hooks": [1]}}`, "hook 1 of 1 is unfinished", true},
		"status":  {`{"version": 1, "service": "web", "journal": {"status": "?", "chain": []}}`, `its status is "?"`, true},
		"staged":  {`{"version": 1, "service": "web", "staged": {"id": "../../etc"}}`, `called "../../etc"`, true},
		"empty":   {``, "unexpected end", true},
		"zeros":   {strings.Repeat("\x00", 4096), "invalid character", true},
		"newer":   {`{"version": 99, "service": ["web"]}`, "newer than this dropship's", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "web.json")
			write(t, path, test.content)
			_, err := dropship.NewStore(dir).Load("web")
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, dropship.ErrDamaged) != test.damaged {
				t.Errorf("got %v, want %q, damaged %v", err, test.want, test.damaged)
			}
			if data, _ := os.ReadFile(path); string(data) != test.content {
				t.Error("the file was changed")
			}
		})
	}
}

// What cannot even be looked at may be whole.
func TestUnreadableStateIsNotDamaged(t *testing.T) {
	t.Parallel()
	_, err := dropship.NewStore(t.TempDir()).Load(strings.Repeat("w", 300)) // a name that no file can have
	if err == nil || errors.Is(err, dropship.ErrDamaged) {
		t.Errorf("got %v, want another error than damage", err)
	}
}

func TestStoreKeepsStatesPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s := dropship.NewStore(dir)
	unlock, err := s.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock("web"); !errors.Is(err, dropship.ErrServiceBusy) {
		t.Errorf("second lock: got %v, want ErrServiceBusy", err)
	}
	path := filepath.Join(dir, "web.json")
	write(t, path, `{"version": 1, "service": "web"}`) // by hand, for all to read
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(&dropship.State{Version: 1, Service: "web"}); err != nil {
		t.Fatal(err)
	}
	unlock()
	again, err := s.Lock("web")
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	again()
	for path, want := range map[string]os.FileMode{dir: 0o700, path: 0o600, path + ".copy": 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
	}
}

// A backup of hard links keeps what it has, though a state is overwritten where it lies.
func TestSavingLeavesHardLinksAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := dropship.NewStore(dir)
	path, backup := filepath.Join(dir, "web.json"), filepath.Join(dir, "backup")
	save(t, s, "/srv/1")
	want := read(t, path)
	if err := os.Link(path, backup); err != nil {
		t.Fatal(err)
	}
	save(t, s, "/srv/2")
	save(t, s, "/srv/3")
	if got := read(t, backup); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whoever reads a state while it is saved reads a whole one, and never one that is older than the last.
func TestReadersSeeWholeStates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := dropship.NewStore(dir)
	save(t, s, "/000")
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for last := ""; ; {
				st, err := dropship.NewStore(dir).Load("web")
				if err != nil {
					t.Error(err)
					return
				}
				if st.Destination[:4] < last {
					t.Errorf("got %s after %s", st.Destination[:4], last)
				}
				last = st.Destination[:4]
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 120 {
		number := string([]byte{'/', byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10)})
		save(t, s, number+strings.Repeat("x", 7919*(i%5))) // longer and shorter than the one before
	}
	close(done)
	readers.Wait()
}

func save(t *testing.T, s *dropship.Store, destination string) {
	t.Helper()
	if err := s.Save(&dropship.State{Version: 1, Service: "web", Destination: destination}); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
