package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/file"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/dropship/config"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/script"
	"github.com/dropship/dropship/lock"
	lockfile "github.com/dropship/dropship/lock/file"
)

// limit is how long a condition is waited for: a machine that runs all tests at once is slow.
const limit = 60 * time.Second

// A machine runs an agent that keeps one service, web: a file, out of a directory, with a script that writes down what
// it did.
type machine struct {
	t      *testing.T
	dir    string
	more   string // in the service block
	socket string
	agent  *dropship.Agent
	server *api.Server
	client *api.Client
	log    *logBuffer
	stop   context.CancelFunc
}

// newMachine returns a machine, which is started by start. Its directory has a name that is short enough for a socket's.
func newMachine(t *testing.T) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "dropship-api-")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "artifacts"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &machine{t: t, dir: dir, socket: filepath.Join(dir, "run", "dropship.sock"), log: new(logBuffer)}
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

// publish puts something new in the repository.
func (m *machine) publish(text string) {
	m.t.Helper()
	part := m.path("artifacts/part")
	if err := os.WriteFile(part, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(part, m.path("artifacts/web")); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) load() *config.Config {
	m.t.Helper()
	text := fmt.Sprintf(`stateDir = "%[1]s/state"
socket = %[2]q
repo "file" { root = "%[1]s/artifacts" }
lock "file" { path = "%[1]s/slots" }
service "web" {
  checkInterval = "1h"
  artifact "file" {
    path        = "web"
    type        = "file"
    destination = "%[1]s/web"
  }
  after "script" { command = "echo $DROPSHIP_STATUS $(cat %[1]s/web) | tee -a %[1]s/ran" }
%[3]s
}
`, m.dir, m.socket, m.more)
	if err := os.WriteFile(m.path("dropship.hcl"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	cfg, diags := config.Load(m.path("dropship.hcl"), config.Kinds{
		Repositories: map[string]func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics){"file": file.New},
		Hooks:        map[string]hooks.Kind{"script": script.Kind(slog.New(slog.DiscardHandler))},
		Lockers:      map[string]func(hcl.Body, *hcl.EvalContext) (lock.Locker, hcl.Diagnostics){"file": lockfile.New},
	})
	if diags.HasErrors() {
		m.t.Fatal(diags.Lines())
	}
	return cfg
}

// start runs the agent, with its socket, until the end of the test.
func (m *machine) start() {
	m.t.Helper()
	cfg := m.load()
	this := dropship.NewMachine("web-01", dropship.NewStore(cfg.StateDir), slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	m.agent = dropship.NewAgent(this)
	socket, err := api.Listen(cfg.Socket)
	if err != nil {
		m.t.Fatal(err)
	}
	m.server = api.NewServer(m.agent, this, api.Agent{Version: "1.2.3", Started: time.Now().UTC(), Config: m.path("dropship.hcl")})
	m.client = api.NewClient(m.socket)
	ctx, stop := context.WithCancel(context.WithoutCancel(m.t.Context()))
	m.stop = stop
	m.agent.Start(ctx, cfg.Services)
	served := make(chan error, 1)
	go func() { served <- m.server.Serve(socket) }()
	m.t.Cleanup(func() {
		stop()
		m.agent.Wait()
		if err := m.server.Close(); err != nil {
			m.t.Errorf("close: %v", err)
		}
		if err := <-served; err != nil {
			m.t.Errorf("serve: %v", err)
		}
		if m.t.Failed() {
			m.t.Log(m.log)
		}
	})
}

// started is a machine at the first release, which is "1".
func started(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.publish("1")
	m.start()
	m.settled("1")
	return m
}

// settled waits until text is installed, and nothing is being done.
func (m *machine) settled(text string) {
	m.t.Helper()
	m.wait("to be settled at "+text, func() bool {
		st, ok := m.agent.Status("web")
		return ok && st.Activity == nil && st.LastCheck != nil && !st.NextCheck.IsZero() && m.content() == text
	})
}

// update publishes text, and returns when it is installed, and the next check has its time.
func (m *machine) update(text string) {
	m.t.Helper()
	before, _ := m.agent.Status("web")
	m.publish(text)
	if _, err := m.client.Check(m.t.Context(), "web"); err != nil {
		m.t.Fatal(err)
	}
	m.settled(text)
	m.wait("to have another next check", func() bool {
		st, _ := m.agent.Status("web")
		return !st.NextCheck.Equal(before.NextCheck)
	})
}

// content returns what is installed.
func (m *machine) content() string {
	data, _ := os.ReadFile(m.path("web"))
	return string(data)
}

func (m *machine) ran() string {
	data, _ := os.ReadFile(m.path("ran"))
	return string(data)
}

// wait waits for a condition.
func (m *machine) wait(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("waited %s for it %s\n%s", limit, what, m.log)
		}
	}
}

// A logBuffer can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
