package graphite_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics/graphite"
	"github.com/dropship/dropship/test/servers"
)

// A log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(60 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %s", what)
		}
	}
}

// run runs an exporter to an address until the function that it returns is called, which waits for its end.
func run(t *testing.T, carbon string, l *log) (stop func()) {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(l, nil))
	e := newExporter(t, logger, carbon, "dropship-test.trouble")
	agent := dropship.NewAgent(dropship.NewMachine("web-01", dropship.NewStore(t.TempDir()), logger))
	ctx, cancel := context.WithCancel(t.Context())
	if err := e.Open(ctx, agent); err != nil {
		t.Fatalf("got %v, want no error, whatever carbon does", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// An outage is told once when it begins and once when it ends; the agent's last figures are sent when it stops.
func TestOutage(t *testing.T) {
	t.Parallel()
	address := servers.Reserve(t) // nobody there
	var l log
	stop := run(t, address, &l)
	waitFor(t, "warning", func() bool {
		return strings.Contains(l.String(), `level=WARN msg="cannot send metrics to graphite: trying again, nothing that counts is lost" error="cannot connect to carbon at `+address)
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	rounds := make(chan string)
	go func() {
		defer close(rounds)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			text, _ := io.ReadAll(conn)
			conn.Close()
			rounds <- string(text)
		}
	}()
	if got := <-rounds; !strings.Contains(got, "dropship-test.trouble.agent.config_last_reload_successful 1 ") || !strings.HasSuffix(got, "\n") {
		t.Errorf("got %q, want lines", got)
	}
	waitFor(t, "end of the trouble", func() bool { return strings.Contains(l.String(), `msg="metrics are sent to graphite again"`) })
	last := make(chan string)
	go func() {
		var text string
		for text = range rounds {
		}
		last <- text
	}()
	stop()
	listener.Close()
	<-last
	if n := strings.Count(l.String(), "cannot send"); n != 1 {
		t.Errorf("got %d warnings of one outage, want 1:\n%s", n, l.String())
	}
}

// Carbon that hangs holds up a round for its timeout, and nothing else.
func TestHangingCarbonIsGivenUp(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	e := newExporter(t, slog.New(slog.DiscardHandler), listener.Addr().String(), "x")
	const timeout = 200 * time.Millisecond
	begun := time.Now()
	err = graphite.Deliver(e, 500_000, timeout) // more than all buffers hold
	if err == nil || !strings.Contains(err.Error(), "it took nothing for 200ms") {
		t.Errorf("got %v, want that carbon took nothing", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

// An agent stops within seconds while nobody listens.
func TestStopInAnOutage(t *testing.T) {
	t.Parallel()
	var l log
	stop := run(t, servers.Reserve(t), &l)
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("the end took %s", took)
	}
	if !strings.Contains(l.String(), "cannot send the last metrics to graphite") {
		t.Errorf("got the log %s, want that the last metrics are lost", l.String())
	}
}
