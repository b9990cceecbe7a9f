package servers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// state is what one "up" leaves behind for the tests and for "down".
type state struct {
	Set       Set        `json:"set"`
	Tools     Tools      `json:"tools"`
	Processes []*process `json:"processes"`
}

// Tools are the programs that are built rather than installed from packages: paths, or names to look up in PATH.
type Tools struct {
	Consul    string `json:"consul"`
	Versitygw string `json:"versitygw"`
}

// resolve makes the paths absolute: tests use them from other directories.
func (t Tools) resolve() (Tools, error) {
	for _, path := range []*string{&t.Consul, &t.Versitygw} {
		found, err := exec.LookPath(*path)
		if err != nil {
			return Tools{}, fmt.Errorf("cannot find a server's program: %w", err)
		}
		if *path, err = filepath.Abs(found); err != nil {
			return Tools{}, fmt.Errorf("cannot resolve %s: %w", found, err)
		}
	}
	return t, nil
}

func statePath(dir string) string { return filepath.Join(dir, "servers.json") }

func readState(path string) (*state, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of the test servers: %w", err)
	}
	s := new(state)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("cannot read the state of the test servers in %s: %w", path, err)
	}
	return s, nil
}

func (s *state) write(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode the state of the test servers: %w", err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write the state of the test servers: %w", err)
	}
	return nil
}

// dead lists the names of the processes that no longer run.
func (s *state) dead() []string {
	var names []string
	for _, p := range s.Processes {
		if !p.alive() {
			names = append(names, p.Name)
		}
	}
	return names
}
