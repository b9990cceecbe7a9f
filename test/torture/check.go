package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// state is the part of a state file that is checked.
type state struct {
	Installed *struct {
		Hash string `json:"hash"`
	} `json:"installed"`
	Quarantine []struct {
		Hash string `json:"hash"`
	} `json:"quarantine"`
	Journal    json.RawMessage `json:"journal"`
	Unfinished json.RawMessage `json:"unfinished"`
}

// state reads the state file. It is whole at every instant; but what is being read may be replaced, and then be
// written over, while the process runs.
func (m *Machine) state() (st state, err error) {
	for range 5 {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(m.StateDir, "app.json")); err != nil {
			return st, fmt.Errorf("cannot read the state: %w", err)
		}
		st = state{}
		if err = json.Unmarshal(b, &st); err == nil {
			return st, nil
		}
	}
	return st, fmt.Errorf("cannot understand the state, which is never half written: %w", err)
}

// acknowledged checks that what the state says is installed is what is there, wherever no update is under way.
func (m *Machine) acknowledged() error {
	st, err := m.state()
	if err != nil || st.Journal != nil || st.Installed == nil {
		return err
	}
	got, err := m.look()
	if err != nil {
		return err
	}
	_, sum, err := got.pack(m.Variant)
	if err == nil && sum != st.Installed.Hash {
		err = fmt.Errorf("the state says that %s is installed, and %s (%s) is there: an acknowledged release is lost", st.Installed.Hash, got, sum)
	}
	return err
}

// settled reports whether the state says that the machine has done all that there is to do.
func (m *Machine) settled() (bool, error) {
	st, err := m.state()
	if err != nil || st.Journal != nil || st.Unfinished != nil || st.Installed == nil {
		return false, err
	}
	all := m.releases()
	if last := all[len(all)-1]; last.Broken {
		_, sum, err := last.pack(m.Variant)
		if err != nil {
			return false, err
		}
		tried := func(q struct {
			Hash string `json:"hash"`
		},
		) bool {
			return q.Hash == sum
		}
		if !slices.ContainsFunc(st.Quarantine, tried) {
			return false, nil
		}
	}
	_, sum, err := m.Newest().pack(m.Variant)
	return sum == st.Installed.Hash, err
}

// Recover starts dropship as after a fault, waits until the newest good release is installed, ends it, and checks
// everything.
func (m *Machine) Recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("a minute has passed since the restart"))
	defer cancel()
	recovering := m.recoverByApply
	if m.Variant.Agent {
		recovering = m.recoverByAgent
	}
	if err := recovering(ctx); err != nil {
		return fmt.Errorf("the restarted dropship does not recover: %w", err)
	}
	return m.Check(ctx)
}

func (m *Machine) recoverByAgent(ctx context.Context) error {
	p, err := m.Start(ctx, "agent", nil)
	if err != nil {
		return err
	}
	if err := m.Settle(ctx, p); err != nil {
		return err
	}
	return p.Stop(ctx)
}

// rest is what an agent logs when a check found nothing more to do.
var rest = regexp.MustCompile(`msg="up to date"|msg="the repository holds a hash that failed here"`)

// Settle waits until the agent p has the newest good release installed, and a check of its own has found so.
func (m *Machine) Settle(ctx context.Context, p *Process) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := m.settled()
		if err != nil || done && rest.MatchString(p.Log()) {
			return err
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("the agent ended:\n%s", p.Log())
		case <-ctx.Done():
			return fmt.Errorf("the agent does not reach %s: %w; its log:\n%s", m.Newest(), context.Cause(ctx), p.Log())
		}
	}
}

// Stop ends the agent p with SIGTERM.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := p.Wait(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the agent ended with %d:\n%s", code, p.Log())
	}
	return err
}

// recoverByApply runs apply, twice at the most: the first may end with the rollback that it had to complete. Runs that
// lost their slot do not count: a busy machine may hold a process up for longer than the TTL.
func (m *Machine) recoverByApply(ctx context.Context) error {
	var logs []string
	for len(logs) < 2 {
		p, err := m.Start(ctx, "apply", nil)
		if err != nil {
			return err
		}
		if _, err := p.Wait(ctx); err != nil {
			return err
		}
		if done, err := m.settled(); err != nil || done {
			return err
		}
		if log := p.Log(); !strings.Contains(log, "slot lost") {
			logs = append(logs, log)
		}
	}
	return fmt.Errorf("apply does not reach %s:\n%s", m.Newest(), strings.Join(logs, "again:\n"))
}

// Check checks everything that is promised of a machine that has recovered, and what its reader saw.
func (m *Machine) Check(ctx context.Context) error {
	errs := []error{m.checkRelease(), m.checkFolder(), m.checkState(), m.checkHooks(), m.checkPlan(ctx)}
	if m.reader != nil {
		errs = append(errs, m.reader.stop())
	}
	return errors.Join(errs...)
}

func (m *Machine) checkRelease() error {
	got, err := m.look()
	if err != nil {
		return err
	}
	if want := m.Newest(); got != want {
		return fmt.Errorf("%s is at the destination, not %s", got, want)
	}
	if m.Variant.Persist {
		b, err := os.ReadFile(filepath.Join(m.Destination, persistent, "kept"))
		if err != nil || string(b) != "the application's own" {
			return fmt.Errorf("the persistent file is %q: %w", b, err)
		}
	}
	return m.acknowledged()
}

// checkFolder looks for what is left of updates that were cut off.
func (m *Machine) checkFolder() error {
	var errs []error
	err := filepath.WalkDir(filepath.Join(filepath.Dir(m.Destination), ".app.dropship"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		for _, left := range []string{"stage-", "trash-"} {
			if strings.HasPrefix(name, left) {
				errs = append(errs, fmt.Errorf("a stage is left: %s", path))
			}
		}
		if name == "switch.json" || strings.HasSuffix(name, ".tmp") {
			errs = append(errs, fmt.Errorf("%s is left", path))
		}
		if d.IsDir() && name == "tree" {
			return fs.SkipDir
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func (m *Machine) checkState() error {
	left, err := filepath.Glob(filepath.Join(m.StateDir, "*.new"))
	if err != nil || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("%q is left", left))
	}
	return nil
}

// checkHooks checks that the application runs, and that each update that stopped it has started it.
func (m *Machine) checkHooks() error {
	if _, err := os.Stat(m.path("running")); err != nil {
		return fmt.Errorf("the application is left stopped: %w", err)
	}
	b, err := os.ReadFile(m.path("hooks.log"))
	if err != nil {
		return err
	}
	return balanced(string(b))
}

// balanced reads the log of the hooks: every update that stopped the application has started it again, or tried to
// if it was a broken one.
func balanced(log string) error {
	stopped := make(map[string]bool)
	for line := range strings.Lines(log) {
		fields := strings.Fields(line)
		if len(fields) != 4 {
			return fmt.Errorf("a line of the hooks' log is %q", line)
		}
		hook, when, id := fields[0], fields[1], fields[3]
		switch {
		case hook == "stop":
			stopped[id] = true
		case hook == "start" && when != "begin": // a broken release cannot be started: that is known then
			delete(stopped, id)
		}
	}
	if len(stopped) > 0 {
		return fmt.Errorf("update %s stopped the application, and did not start it again; the hooks were:\n%s", sorted(stopped)[0], log)
	}
	return nil
}

// checkPlan checks that there is nothing more to do.
func (m *Machine) checkPlan(ctx context.Context) error {
	want := "app: up to date"
	if all := m.releases(); all[len(all)-1].Broken {
		want = "app: quarantined"
	}
	cmd := exec.CommandContext(ctx, m.round.Binary, "plan", "--config", m.path("dropship.hcl"))
	cmd.Dir = m.Dir
	out, err := cmd.CombinedOutput()
	if err == nil && !bytes.HasPrefix(out, []byte(want)) {
		err = fmt.Errorf("not %q", want)
	}
	if err != nil {
		return fmt.Errorf("plan: %w:\n%s", err, out)
	}
	return nil
}
