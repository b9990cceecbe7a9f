package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Progress tells which step a process is in, from what it and its hooks have written down.
type Progress struct {
	log, hooks string

	mu         sync.Mutex
	logAt      int64
	hooksAt    int64
	step       string
	afterHooks int             // that are through
	been       map[string]bool // steps so far
	logRest    string
	hooksRest  string
}

// follow begins to follow a process that is about to start.
func (m *Machine) follow(log string) (*Progress, error) {
	p := &Progress{log: log, hooks: m.path("hooks.log"), step: "check", been: map[string]bool{"check": true}}
	info, err := os.Stat(p.hooks)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		p.hooksAt = info.Size()
	}
	return p, nil
}

// Step returns one of [Steps].
func (p *Progress) Step() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	logged, err := more(p.log, &p.logAt, &p.logRest)
	if err != nil {
		return "", err
	}
	for _, line := range logged {
		p.step = p.next(line)
		p.been[p.step] = true
	}
	ran, err := more(p.hooks, &p.hooksAt, &p.hooksRest)
	if err != nil {
		return "", err
	}
	for _, line := range ran {
		if !strings.HasPrefix(line, "start begin update ") {
			continue
		}
		p.been["after"] = true // however far the log is by now
		if p.step == "switch" {
			p.step = "after"
		}
	}
	return p.step, nil
}

// Been reports whether the process is in that step, or was.
func (p *Progress) Been(step string) (bool, error) {
	_, err := p.Step()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.been[step], err
}

// next returns the step after a line of the log.
func (p *Progress) next(line string) string {
	step := p.step
	has := func(text string) bool { return strings.Contains(line, text) }
	switch {
	case has(`msg="configuration reloaded"`):
		return "reload"
	case step == "reload" || step == "rollback":
		return step
	case has("msg=staging"):
		return "stage"
	case has("msg=updating"):
		p.afterHooks = 0
		return "before"
	case has(`msg="an update was interrupted`):
		return "recovery"
	case has(`msg="rolling back"`), has(`msg="hook failed"`) && has("phase=after"):
		return "rollback"
	case step == "recovery":
		return step
	case has("msg=staged"):
		return "slot"
	case has(`msg="hook done"`) && has("phase=before"):
		return "switch"
	case has(`msg="hook done"`) && has("phase=after"):
		if p.afterHooks++; p.afterHooks == 2 {
			return "hold"
		}
		return "after"
	case has("msg=updated "), has(`msg="up to date"`):
		return "check"
	}
	return step
}

// more returns the whole lines that a file has got since.
func more(path string, at *int64, rest *string) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, *at, 1<<30))
	if err != nil {
		return nil, fmt.Errorf("cannot follow %s: %w", path, err)
	}
	*at += int64(len(b))
	lines := strings.Split(*rest+string(b), "\n")
	*rest = lines[len(lines)-1]
	return lines[:len(lines)-1], nil
}
