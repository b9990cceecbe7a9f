package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

// raw sends a request as any HTTP client does.
func (m *machine) raw(method, path, body string) (*http.Response, string) {
	m.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", m.socket)
	}}}
	r, err := http.NewRequestWithContext(m.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return response, string(text)
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	m := started(t)
	before := m.ran()
	for _, test := range []struct {
		method, path, body string
		status             int
		code               api.Code
		says               string
	}{
		{"GET", "/", "", 404, api.CodeNotFound, `no path "/"`},
		{"GET", "/v2/agent", "", 404, api.CodeNotFound, `"/v2/agent"`},
		{"GET", "/v1/services/web/nothing", "", 404, api.CodeNotFound, "nothing"},
		{"GET", "/v1/services/wbe", "", 404, api.CodeUnknownService, `"wbe"`},
		{"GET", "/v1/services/wbe/why", "", 404, api.CodeUnknownService, `"wbe"`},
		{"GET", "/v1/services/wbe/history", "", 404, api.CodeUnknownService, `"wbe"`},
		{"GET", "/v1/services/wbe/releases", "", 404, api.CodeUnknownService, `"wbe"`},
		{"GET", "/v1/services/..%2Fweb/history", "", 404, api.CodeUnknownService, `"../web"`},
		{"GET", "/v1/events?service=wbe", "", 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/services/wbe/check", "", 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/services/wbe/rollback", `{"by":"ann@desk"}`, 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/services/wbe/retry", `{"by":"ann@desk"}`, 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/services/wbe/pause", `{"by":"ann@desk"}`, 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/services/wbe/resume", `{"by":"ann@desk"}`, 404, api.CodeUnknownService, `"wbe"`},
		{"POST", "/v1/agent", "", 405, api.CodeMethod, "takes GET, and got POST"},
		{"DELETE", "/v1/events", "", 405, api.CodeMethod, "takes GET"},
		{"GET", "/v1/services/web/check", "", 405, api.CodeMethod, "takes POST, and got GET"},
		{"PUT", "/v1/services/web/pause", `{"by":"ann@desk"}`, 405, api.CodeMethod, "takes POST"},
		{"GET", "/v1/services/web/history?limit=ten", "", 400, api.CodeBadRequest, `limit "ten"`},
		{"GET", "/v1/services/web/history?limit=-1", "", 400, api.CodeBadRequest, `limit "-1"`},
		{"GET", "/v1/services/web/history?limt=1", "", 400, api.CodeBadRequest, `"limt"; it takes limit`},
		{"GET", "/v1/services?a=b", "", 400, api.CodeBadRequest, `"a"; it takes none`},
		{"GET", "/v1/events?servic=web", "", 400, api.CodeBadRequest, `"servic"; it takes service`},
		{"GET", "/v1/agent?%zz", "", 400, api.CodeBadRequest, "query"},
		{"POST", "/v1/services/web/check", `{"by":"ann@desk"}`, 400, api.CodeBadRequest, `unknown field "by"`},
		{"POST", "/v1/services/web/rollback", "", 400, api.CodeBadRequest, "by is missing"},
		{"POST", "/v1/services/web/rollback", `{"to":"beef","hash":"beef"}`, 400, api.CodeBadRequest, `unknown field "hash"`},
		{"POST", "/v1/services/web/rollback", `{"by":"ann@desk"`, 400, api.CodeBadRequest, "cannot read the body: it ends in the middle of the JSON"},
		{"POST", "/v1/services/web/rollback", `{"by":"ann@desk"} {}`, 400, api.CodeBadRequest, "more behind the object"},
		{"POST", "/v1/services/web/rollback", `["ann@desk"]`, 400, api.CodeBadRequest, "cannot read the body: it has to be a JSON object, and is an array"},
		{"POST", "/v1/services/web/rollback", `by=ann`, 400, api.CodeBadRequest, "cannot read the body: it is no JSON: invalid character 'b' looking for beginning of value, at byte 1"},
		{"POST", "/v1/services/web/rollback", `{"by":"ann@desk","to":"be\u001b[2Jef"}`, 400, api.CodeBadRequest, "to has characters"},
		{"POST", "/v1/services/web/retry", `{"by":"ann\n@desk"}`, 400, api.CodeBadRequest, "by has characters"},
		{"POST", "/v1/services/web/retry", `{"by":5}`, 400, api.CodeBadRequest, "cannot read the body: by has to be a string, and is a number"},
		{"POST", "/v1/services/web/resume", `{"by":"` + strings.Repeat("a", 201) + `"}`, 400, api.CodeBadRequest, "by is longer than 200"},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","reason":"` + strings.Repeat("a", 1001) + `"}`, 400, api.CodeBadRequest, "reason is longer than 1000"},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","until":"2020-01-02T03:04:05Z"}`, 400, api.CodeBadRequest, "2020-01-02T03:04:05Z is over"},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","until":"tomorrow"}`, 400, api.CodeBadRequest, `until: "tomorrow" is no time; one is "2026-01-02T15:04:05Z" (RFC 3339)`},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","until":5}`, 400, api.CodeBadRequest, `until: 5 is no time; one is "2026-01-02T15:04:05Z" (RFC 3339)`},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","until":"` + strings.Repeat("9", 1000) + `"}`, 400, api.CodeBadRequest, `999… is no time`},
		{"POST", "/v1/services/web/pause", `{"by":"ann@desk","since":"2020-01-02T03:04:05Z"}`, 400, api.CodeBadRequest, `unknown field "since"`},
		{"POST", "/v1/services/web/pause", `{"by":"` + strings.Repeat("a", 70_000) + `"}`, 413, api.CodeTooLarge, "more than 65536 bytes"},
		{"POST", "/v1/services/web/rollback", `{"by":"ann@desk"}`, 409, api.CodeNoRelease, "no such release"},
	} {
		response, text := m.raw(test.method, test.path, test.body)
		var body struct{ Error api.Error }
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Errorf("%s %s: %v in %q", test.method, test.path, err, text)
			continue
		}
		if response.StatusCode != test.status || body.Error.Code != test.code || !strings.Contains(body.Error.Message, test.says) {
			t.Errorf("%s %s: got %s, %q, want %d, %s with %q", test.method, test.path, response.Status, text, test.status, test.code, test.says)
		}
		if got := response.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s %s: got type %q", test.method, test.path, got)
		}
		for _, foreign := range []string{"Go ", "struct", "unmarshal", "parsing time", "json: "} {
			if strings.Contains(body.Error.Message, foreign) {
				t.Errorf("%s %s %s: %q speaks of %q", test.method, test.path, test.body, body.Error.Message, foreign)
			}
		}
		if allow := response.Header.Get("Allow"); (allow != "") != (test.status == 405) {
			t.Errorf("%s %s: got Allow %q", test.method, test.path, allow)
		}
	}
	if st, _ := m.agent.Status("web"); st.Paused != nil || m.ran() != before {
		t.Errorf("something was done: paused %v, hooks %q", st.Paused, m.ran())
	}
}

// A service of the file with the mistake is unknown for that reason.
func TestUnknownSinceTheConfigurationWasRejected(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.agent.Reject(&dropship.Rejected{At: time.Now(), Error: "/etc/dropship.d/new.hcl:3:4: Invalid duration", Files: []string{"/etc/dropship.d/new.hcl"}})
	_, err := m.client.Status(t.Context(), "new")
	if !errors.Is(err, dropship.ErrUnknownService) || !strings.Contains(err.Error(), "new.hcl:3:4: Invalid duration") {
		t.Errorf("got error %v, want ErrUnknownService and the mistake", err)
	}
	if why, err := m.client.Why(t.Context(), "new"); err != nil || why.Code != dropship.ReasonConfiguration {
		t.Errorf("got %+v, %v", why, err)
	}
}

// What another process holds is busy, by its code.
func TestBusy(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.update("2")
	unlock, err := dropship.NewStore(m.path("state")).Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = m.client.Rollback(t.Context(), "web", dropship.RollbackRequest{By: "ann@desk"})
	var failed *api.Error
	if !errors.Is(err, dropship.ErrServiceBusy) || !errors.As(err, &failed) || failed.Code != api.CodeBusy {
		t.Errorf("got error %v, want ErrServiceBusy", err)
	}
}

func TestStoppingAgentSaysSo(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.stop()
	m.agent.Wait()
	_, err := m.client.Retry(t.Context(), "web", "ann@desk")
	if !errors.Is(err, dropship.ErrEnded) {
		t.Errorf("got error %v, want ErrEnded", err)
	}
	if err := m.server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.client.Agent(t.Context()); !errors.Is(err, api.ErrUnreachable) || !strings.Contains(err.Error(), m.socket) {
		t.Errorf("got error %v, want ErrUnreachable with the path", err)
	}
}

// Somebody who listens and says nothing, or something else, is no agent.
func TestNoAgent(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.socket = m.path("other.sock")
	l, err := net.Listen("unix", m.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, say := range []string{"", "SSH-2.0\r\n", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"version"} {
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, say)
				c.Close()
			}
		}()
		if _, err := api.NewClient(m.socket).Agent(t.Context()); !errors.Is(err, api.ErrUnreachable) {
			t.Errorf("after %q: got error %v, want ErrUnreachable", say, err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("no patience"))
	defer cancel()
	if _, err := api.NewClient(m.socket).Check(ctx, "web"); err == nil || err.Error() != "no patience" {
		t.Errorf("got error %v, want the end of the context", err)
	}
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{``, `{}`, `null`, `{"by":"ann@desk"}`, `{"by":"ann@desk","reason":"r","until":"2100-01-02T03:04:05Z"}`, `{"BY":"a","by":""}`, `[]`, `{"by":"\ud800"}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := api.ReadPause(body)
		if err != nil {
			var e *api.Error
			if !errors.As(err, &e) || e.Code != api.CodeBadRequest && e.Code != api.CodeTooLarge || e.Message == "" {
				t.Fatalf("got error %v", err)
			}
			return
		}
		if got.By == "" || dropship.Printable(got.By+got.Reason) != got.By+got.Reason {
			t.Fatalf("takes %+v", got)
		}
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := api.ReadPause(string(data))
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}
