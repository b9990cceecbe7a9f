package servers

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A PrivateGraphite is a Graphite of one test, whose carbon can be stopped. What carbon has written stays on disk. Its
// methods are called from the test's goroutine, and fail the test when they cannot do what they say.
type PrivateGraphite struct {
	Graphite

	t      testing.TB
	config graphiteConfig
	carbon *exec.Cmd     // nil while it is stopped
	exited chan struct{} // closed when carbon has ended
}

// NewGraphite starts carbon and graphite-web on free ports and returns once they answer. They end with the test, and at
// the latest with the test's process, even if that is killed. Where no set is up, it skips or fails the test as [Get] does.
func NewGraphite(t testing.TB) *PrivateGraphite {
	t.Helper()
	get(t)
	p, err := reservePorts(graphitePorts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	c, err := newGraphiteConfig(filepath.Join(t.TempDir(), "graphite"), p)
	if err != nil {
		t.Fatal(err)
	}
	g := &PrivateGraphite{Graphite: Graphite{URL: "http://" + loopback(c.Web), Carbon: loopback(c.Line)}, t: t, config: c}
	ctx, cancel := g.limit()
	defer cancel()
	if err := c.migrate(ctx); err != nil {
		t.Fatal(err)
	}
	g.StartCarbon()
	web, exited := g.launch("graphite-web", c.env(), c.web())
	t.Cleanup(func() {
		g.end(web, exited, syscall.SIGTERM) // its workers end with it
		if g.carbon != nil {
			g.end(g.carbon, g.exited, syscall.SIGKILL)
		}
	})
	if g.Version, err = (&process{Name: "graphite-web", Log: g.log("graphite-web"), exited: exited}).awaitWeb(ctx, g.URL); err != nil {
		t.Fatal(err)
	}
	return g
}

// StartCarbon starts carbon again, on the same ports and with what it had written. One that runs stays as it is.
func (g *PrivateGraphite) StartCarbon() {
	g.t.Helper()
	if g.carbon != nil {
		return
	}
	g.carbon, g.exited = g.launch("carbon", nil, g.config.carbon())
	ctx, cancel := g.limit()
	defer cancel()
	p := &process{Name: "carbon", Log: g.log("carbon"), exited: g.exited}
	for _, port := range []int{g.config.Line, g.config.Query} {
		if err := p.await(ctx, dials(loopback(port))); err != nil {
			g.t.Fatal(err)
		}
	}
}

// StopCarbon ends carbon in an orderly way (SIGTERM) and returns when it has ended.
func (g *PrivateGraphite) StopCarbon() {
	g.t.Helper()
	if g.carbon == nil {
		return
	}
	carbon := g.carbon
	g.carbon = nil
	g.end(carbon, g.exited, syscall.SIGTERM)
}

// FreezeCarbon makes carbon hang (SIGSTOP): it takes connections, and reads nothing. ThawCarbon ends that.
func (g *PrivateGraphite) FreezeCarbon() { g.signalCarbon(syscall.SIGSTOP) }

// ThawCarbon lets carbon go on.
func (g *PrivateGraphite) ThawCarbon() { g.signalCarbon(syscall.SIGCONT) }

func (g *PrivateGraphite) signalCarbon(s syscall.Signal) {
	g.t.Helper()
	if err := g.carbon.Process.Signal(s); err != nil {
		g.t.Fatalf("cannot send carbon %v: %v", s, err)
	}
}

func (g *PrivateGraphite) launch(name string, env, argv []string) (*exec.Cmd, chan struct{}) {
	g.t.Helper()
	cmd, err := command(g.log(name), env, argv...)
	if err == nil {
		var exited chan struct{}
		if exited, err = startWithTest(cmd); err == nil {
			return cmd, exited
		}
	}
	g.t.Fatalf("cannot start %s: %v", name, err)
	return nil, nil
}

func (g *PrivateGraphite) log(name string) string {
	return filepath.Join(g.config.Dir, "log", name+".log")
}

func (g *PrivateGraphite) limit() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(g.t.Context(), startLimit, fmt.Errorf("not ready after %s", startLimit))
}

func (g *PrivateGraphite) end(cmd *exec.Cmd, exited chan struct{}, signal syscall.Signal) {
	g.t.Helper()
	_ = cmd.Process.Signal(signal) // an error means that it has ended already
	select {
	case <-exited:
	case <-time.After(stopGrace):
		_ = cmd.Process.Kill()
		<-exited
		g.t.Errorf("%s did not end within %s of %v", cmd.Path, stopGrace, signal)
	}
}
