package dropship_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
)

func TestStoreRefusesWhatItCannotTrust(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ content, want string }{
		"cut":     {`{"version": 1, "serv`, "cannot understand the state of service web"},
		"newer":   {`{"version": 99, "service": "web"}`, "newer than this dropship's"},
		"foreign": {`{"version": 1, "service": "db"}`, `it is of service "db"`},
		"journal": {`{"version": 1, "service": "web", "journal": {"chain": ["a"], "hook": 2}}`, "at hook 2 of 1"},
		"left":    {`{"version": 1, "service": "web", "unfinished": {"update": {"chain": ["a"]}, "hooks": [1]}}`, "hook 1 of 1 is unfinished"},
		"empty":   {``, "cannot understand the state of service web"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "web.json")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := dropship.NewStore(dir).Load("web")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if data, _ := os.ReadFile(path); string(data) != test.content {
				t.Error("the file was changed")
			}
		})
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
	if err := s.Save(&dropship.State{Version: 1, Service: "web"}); err != nil {
		t.Fatal(err)
	}
	// In one step: whoever has the old file open still reads the old state, whole.
	old, err := os.Open(filepath.Join(dir, "web.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := s.Save(&dropship.State{Version: 1, Service: "web", Destination: "/srv/web"}); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(old); err != nil || strings.Contains(string(data), "/srv/web") || !strings.Contains(string(data), `"web"`) {
		t.Errorf("the old state, read after the new one was kept: got %q, %v", data, err)
	}
	unlock()
	again, err := s.Lock("web")
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	again()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "web.json"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
	}
}
