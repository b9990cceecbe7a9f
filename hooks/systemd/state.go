package systemd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"syscall"

	sd "github.com/coreos/go-systemd/v22/dbus"
)

// A state is what systemd says of a unit.
type state struct {
	id          string // its name; another one may be an alias
	load        string // "loaded", "not-found", "masked", "bad-setting", "error"
	loadError   string
	active, sub string // "active" and "running", "failed" and "failed", …
	needReload  bool   // its unit file is not the one that systemd has read
	invocation  string // the run it is in, or was in last; "" if systemd has forgotten
	triggeredBy []string
	hasJob      bool // something is being done to it

	// Of services.
	service    bool
	kind       string // Type=
	result     string // "success", "exit-code", "timeout", …
	reloaded   string // the same of the last reload
	mainCode   int32  // how the main process ended: one of the codes of siginfo_t
	mainStatus int32  // its exit status or signal
	restarts   uint32 // how often Restart= has started it

	restarted bool // its program has ended after the job, and systemd has started it again
}

// state asks for the state of a unit. Of one that does not exist, too, there is one.
func (m *manager) state(ctx context.Context, unit string) (state, error) {
	var s state
	err := m.do(ctx, func(c *sd.Conn) error {
		unitProps, err := c.GetUnitPropertiesContext(ctx, unit)
		if err != nil {
			return err
		}
		var serviceProps map[string]any
		if strings.HasSuffix(unit, ".service") {
			if serviceProps, err = c.GetUnitTypePropertiesContext(ctx, unit, "Service"); err != nil {
				return err
			}
		}
		s = newState(unitProps, serviceProps)
		return nil
	})
	if err != nil {
		return state{}, refused(err)
	}
	return s, nil
}

// anyActive reports whether any of these units is active.
func (m *manager) anyActive(ctx context.Context, units []string) (bool, error) {
	for _, unit := range units {
		s, err := m.state(ctx, unit)
		if err != nil {
			return false, err
		}
		if s.isUp() {
			return true, nil
		}
	}
	return false, nil
}

func newState(unit, service map[string]any) state {
	s := state{
		id:          get[string](unit, "Id"),
		load:        get[string](unit, "LoadState"),
		active:      get[string](unit, "ActiveState"),
		sub:         get[string](unit, "SubState"),
		needReload:  get[bool](unit, "NeedDaemonReload"),
		triggeredBy: get[[]string](unit, "TriggeredBy"),

		service:    service != nil,
		kind:       get[string](service, "Type"),
		result:     get[string](service, "Result"),
		reloaded:   get[string](service, "ReloadResult"),
		mainCode:   get[int32](service, "ExecMainCode"),
		mainStatus: get[int32](service, "ExecMainStatus"),
		restarts:   get[uint32](service, "NRestarts"),
	}
	if e := get[[]any](unit, "LoadError"); len(e) == 2 {
		s.loadError, _ = e[1].(string)
	}
	if job := get[[]any](unit, "Job"); len(job) == 2 {
		s.hasJob = job[0] != uint32(0)
	}
	if id := get[[]byte](unit, "InvocationID"); strings.Trim(string(id), "\x00") != "" {
		s.invocation = hex.EncodeToString(id)
	}
	return s
}

// get returns a property, or nothing where systemd is too old to have it.
func get[T any](props map[string]any, name string) T {
	v, _ := props[name].(T)
	return v
}

// loadable says why nothing can be done to the unit, if that is so. What runs can be stopped whatever became of
// its unit file.
func (s state) loadable(a action, unit string) error {
	if a == stop && (s.load == "masked" || s.isUp() || s.active == "failed") {
		return nil
	}
	switch s.load {
	case "not-found":
		return errors.New("there is no such unit; `systemctl list-unit-files` lists what there is")
	case "masked":
		return fmt.Errorf("it is masked, so that nothing can start it: `systemctl unmask %s` undoes that", unit)
	case "bad-setting", "error":
		return fmt.Errorf("systemd cannot load its unit file (%q); `systemd-analyze verify %s` says more", s.loadError, unit)
	}
	return nil
}

// isUp reports whether something of the unit runs, or is about to.
func (s state) isUp() bool {
	switch s.active {
	case "active", "activating", "reloading", "deactivating", "refreshing", "maintenance":
		return true
	}
	return false
}

// isHearsay reports whether systemd calls the service active though it has learnt nothing from its program: after a
// start, where it was only begun; after a reload, where it was only sent a signal, which may be the end of it.
func (s state) isHearsay(a action) bool {
	if !s.service || s.active != "active" {
		return false
	}
	switch a {
	case start, restart:
		return s.kind == "simple" || s.kind == "exec" || s.kind == "idle"
	case reload, reloadOrRestart:
		return true
	default:
		return false
	}
}

// verdict says what is wrong after the job for a, if anything is.
func (a action) verdict(result string, before, after state) error {
	switch result {
	case "done", "":
	case "dependency":
		return errors.New("a unit that it requires has failed; `systemctl --failed` lists such units")
	case "canceled":
		return errors.New("its job was cancelled: something else started or stopped the unit meanwhile, or the machine shuts down")
	case "invalid":
		return fmt.Errorf("it is not active, so that it cannot be reloaded: use restart, or reloadOrRestart; %s", after)
	case "timeout":
		return fmt.Errorf("its job took longer than its JobTimeoutSec; %s", after)
	default: // "failed", "skipped", "assert", "unsupported" and what newer versions know
		return fmt.Errorf("its job's result is %q; %s", result, after)
	}
	switch a {
	case stop:
		return after.stopped()
	case reload:
		if after.active != "active" || after.restarted || result == "" && after.reloaded != "" && after.reloaded != "success" {
			return fmt.Errorf("it was reloaded, and did not bear it; %s", after)
		}
		return nil
	}
	if a == restart && result == "" && after.invocation != "" && after.invocation == before.invocation {
		return fmt.Errorf("its job was lost, and it still runs as before; %s", after)
	}
	return after.started()
}

func (s state) stopped() error {
	switch {
	case !s.isUp():
		return nil
	case len(s.triggeredBy) > 0:
		return fmt.Errorf("it was stopped, and runs again since %s starts it: stop that, too, in a hook before this one; %s",
			strings.Join(s.triggeredBy, " or "), s)
	default:
		return fmt.Errorf("it was stopped, and runs again: something else has started it; %s", s)
	}
}

func (s state) started() error {
	switch {
	case s.active == "active" && !s.restarted, s.active == "reloading":
		return nil
	case s.kind == "oneshot" && s.active == "inactive" && s.result == "success":
		return nil // it has run, and is not meant to stay
	case s.service && s.active == "inactive" && s.result == "success":
		return fmt.Errorf("its program was not started, or has ended without an error (one that goes into the background wants "+
			"Type=forking, one that is meant to end Type=oneshot); %s", s)
	case s.service:
		return fmt.Errorf("its program has ended; %s", s)
	default:
		return fmt.Errorf("it was started, and is not active; %s", s)
	}
}

// String says what became of the unit.
func (s state) String() string {
	text := fmt.Sprintf("it is %s (%s)", s.active, s.sub)
	if s.result != "" && s.result != "success" {
		text += fmt.Sprintf(" with result %q", s.result)
	}
	const exited, killed, dumped = 1, 2, 3 // CLD_EXITED and so on
	switch {
	case s.mainCode == exited && s.mainStatus != 0:
		text += fmt.Sprintf(", its main process exited with status %d", s.mainStatus)
	case s.mainCode == killed, s.mainCode == dumped:
		text += fmt.Sprintf(", its main process was ended by signal %d (%s)", s.mainStatus, syscall.Signal(s.mainStatus))
	}
	if s.sub == "auto-restart" || s.restarted {
		text += ", and systemd goes on starting it again (Restart=)"
	}
	return text
}
