package consul_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/servers"
)

// failing answers with these statuses, one request after the other and the last for ever, and returns how many
// requests there were.
func failing(t *testing.T, codes ...int) (address string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(requests.Add(1))
		w.WriteHeader(codes[min(n, len(codes))-1])
		_, _ = io.WriteString(w, "the body")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), requests
}

func maintenance(t *testing.T, address string, phase hooks.Phase) func(context.Context) error {
	h := hookstest.New(t, consul.MaintenanceKind(connect(address, "")), `service = "web-1"`)
	return func(ctx context.Context) error { return h.Run(ctx, inPhase(phase)) }
}

// An agent that is down for a moment costs neither the update nor, after it, the machine.
func TestMaintenanceWaitsForConsul(t *testing.T) {
	t.Parallel()
	private := servers.NewConsul(t)
	server := servers.Consul{Address: private.Address}
	name := "web-" + hookstest.Unique()
	agent := client(t, server.Address, "").Agent()
	if err := agent.ServiceRegister(&api.AgentServiceRegistration{ID: name, Name: name, Port: 80}); err != nil {
		t.Fatal(err)
	}
	h := hookstest.New(t, consul.MaintenanceKind(connect(server.Address, "")), `service = "`+name+`"`)
	for _, step := range []struct {
		phase hooks.Phase
		want  []string
	}{
		{hooks.Before, nil},
		{hooks.After, []string{name}},
	} {
		private.Kill()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, inPhase(step.phase)) }()
		select {
		case err := <-done:
			t.Errorf("%s: got %v while Consul is down, want it to wait", step.phase, err)
		case <-time.After(700 * time.Millisecond): // a try and another one
		}
		private.Start()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", step.phase, err)
		}
		awaitPassing(t, server, name, step.want...)
	}
}

func TestMaintenanceRepeatsWhatFailed(t *testing.T) {
	t.Parallel()
	for _, phase := range []hooks.Phase{hooks.Before, hooks.After} {
		address, requests := failing(t, http.StatusInternalServerError, http.StatusTooManyRequests, http.StatusOK)
		if err := maintenance(t, address, phase)(t.Context()); err != nil {
			t.Errorf("%s: %v", phase, err)
		}
		if n := requests.Load(); n != 3 {
			t.Errorf("%s: got %d requests, want two that failed and one more", phase, n)
		}
	}
}

func TestMaintenanceDoesNotRepeatWhatIsRefused(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		http.StatusForbidden:  "permission denied",
		http.StatusNotFound:   "no service with the id web-1",
		http.StatusBadRequest: "Consul answered 400",
	} {
		address, requests := failing(t, code)
		if err := maintenance(t, address, hooks.After)(t.Context()); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%d: got %v, want %q in it", code, err, want)
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d: got %d requests, want 1", code, n)
		}
	}
}

// What ended the wait is told together with what failed before it, also if a request was under way that only
// the end of the wait ended.
func TestMaintenanceTellsTheLastFailure(t *testing.T) {
	t.Parallel()
	errStop := errors.New("the reason")
	for want, fail := range map[string]http.HandlerFunc{
		"No cluster leader": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "No cluster leader")
		},
		"EOF": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var requests atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 1 {
				fail(w, r)
				return
			}
			cancel(errStop)
			<-r.Context().Done()
		}))
		t.Cleanup(s.Close)
		err := maintenance(t, s.Listener.Addr().String(), hooks.After)(ctx)
		if !errors.Is(err, errStop) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want the cause and %q", err, want)
		}
	}
}
