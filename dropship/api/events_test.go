package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

func (m *machine) follow(services ...string) iter.Seq2[dropship.Event, error] {
	m.t.Helper()
	events, err := m.client.Events(m.t.Context(), services...)
	if err != nil {
		m.t.Fatal(err)
	}
	return events
}

// A follower hears of all that an update does, in order, up to when the next check is.
func TestEventsOfAnUpdate(t *testing.T) {
	t.Parallel()
	m := started(t)
	events := m.follow("web")
	m.update("2")
	var got []string
	var id string
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Type, e.Step, e.Outcome))
		if e.Hook != nil {
			line += fmt.Sprintf(" %q", e.Hook.Output)
		}
		if e.Type != dropship.Progress {
			got = append(got, line)
		}
		if e.Type == dropship.UpdateBegun {
			id = e.UpdateID
		}
		if e.Service != "web" || e.Time.IsZero() || id != "" && e.UpdateID != "" && e.UpdateID != id {
			t.Errorf("got %+v", e)
		}
		if e.Type == dropship.Scheduled && id != "" {
			break
		}
	}
	want := []string{
		"step-begun check", "step-ended check",
		"update-begun",
		"step-begun stage", "step-ended stage",
		"step-begun before", "step-ended before",
		"step-begun switch", "step-ended switch",
		"step-begun after", `hook-begun ""`, `hook-ended "update 2\n"`, "step-ended after",
		"step-begun settle", "step-ended settle",
		"update-ended  updated",
		"scheduled",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The agent's own events go to those who follow no service in particular.
func TestEventsOfTheAgent(t *testing.T) {
	t.Parallel()
	m := started(t)
	all, web := m.follow(), m.follow("web")
	m.agent.Reject(&dropship.Rejected{Error: "web.hcl:1:2: Invalid duration"})
	if _, err := m.client.Check(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	for e, err := range all {
		if err != nil || e.Type != dropship.Reloaded || e.Error != "web.hcl:1:2: Invalid duration" {
			t.Errorf("got %+v, %v, want the rejected configuration first", e, err)
		}
		break
	}
	for e, err := range web {
		if err != nil || e.Service != "web" {
			t.Errorf("got %+v, %v, want what web does", e, err)
		}
		break
	}
}

func TestEventsEnd(t *testing.T) {
	t.Parallel()
	m := started(t)
	ctx, cancel := context.WithCancel(t.Context())
	mine, err := m.client.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	others := m.follow()
	cancel()
	for _, err := range mine {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want the end of the context", err)
		}
	}
	m.stop()
	m.agent.Wait()
	if err := m.server.Close(); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range others {
	}
	if !errors.Is(last, dropship.ErrEnded) {
		t.Errorf("got error %v, want ErrEnded", last)
	}
}

// hang follows the events, and reads nothing but the header.
func (m *machine) hang() net.Conn {
	m.t.Helper()
	c, err := net.Dial("unix", m.socket)
	if err == nil {
		m.t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, len("HTTP/1.1 200")))
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// flood has the agent tell of more than a socket and the backlog of a follower hold.
func (m *machine) flood() {
	long := strings.Repeat("x", 1000)
	for range 5000 {
		m.agent.Reject(&dropship.Rejected{Error: long})
	}
	m.agent.Reject(nil)
}

// Those who stop reading are told, when they read on, that they missed something. Nobody waits for them.
func TestReaderThatHangs(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.server.HasPatience(time.Hour)
	slow := m.hang()
	m.flood()
	events := m.follow("web")
	m.update("2")
	seen := false
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if seen = e.Type == dropship.UpdateEnded && e.Outcome == dropship.Updated; seen {
			break
		}
	}
	if !seen {
		t.Error("the other follower did not see the update")
	}
	text, err := io.ReadAll(slow)
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.LastIndex(string(text), "event: "); i < 0 || !strings.HasPrefix(string(text[i:]), "event: closed\ndata: {\"error\":{\"code\":\"behind\",") {
		t.Errorf("got %q at the end, want why it ends", text[max(0, len(text)-500):])
	}
}

// Those who do not read on are cut off.
func TestReaderThatHangsForever(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.publish("1")
	m.start()
	m.server.HasPatience(50 * time.Millisecond)
	m.settled("1")
	c := m.hang()
	m.flood()
	m.update("2")
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	m.wait("to close the connection", func() bool { return hungUp(t, raw) })
}

func TestClientThatIsTooSlow(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.server.HasPatience(time.Hour)
	events := m.follow()
	m.flood()
	var last error
	for _, last = range events {
	}
	var behind *api.Error
	if !errors.As(last, &behind) || behind.Code != api.CodeBehind {
		t.Errorf("got error %v, want that it is behind", last)
	}
}

// Followers have a number of their own: however many there are, calls are answered.
func TestTooManyFollowers(t *testing.T) {
	t.Parallel()
	m := started(t)
	for range api.MaxStreams {
		m.hang()
	}
	_, err := m.client.Events(t.Context())
	var many *api.Error
	if !errors.As(err, &many) || many.Code != api.CodeTooMany {
		t.Errorf("got error %v, want that there are too many", err)
	}
	if _, err := m.client.Status(t.Context(), "web"); err != nil {
		t.Error(err)
	}
}

// Connections that say nothing do not keep the agent from its work, and make place for others when they end.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	m := started(t)
	var idle []net.Conn
	for range api.MaxConnections {
		c, err := net.Dial("unix", m.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	if _, err := m.client.Status(t.Context(), "web"); !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got error %v, want ErrUnreachable", err)
	}
	m.publish("2")
	if _, err := m.agent.Check(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	m.settled("2")
	idle[0].Close()
	m.wait("to answer again", func() bool {
		_, err := m.client.Status(t.Context(), "web")
		return err == nil
	})
}
