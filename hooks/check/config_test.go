package check_test

import (
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/check"
	"github.com/dropship/dropship/hooks/hookstest"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, k := range []hooks.Kind{check.HTTPKind(), check.TCPKind()} {
		if k.Timeout <= 66*time.Second || k.OnError != hooks.Abort || k.When != hooks.Always {
			t.Errorf("got %s, %s, %s, want more than the default deadline, abort, always", k.Timeout, k.OnError, k.When)
		}
	}
}

func TestDefaultTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		want         time.Duration
	}{
		{"defaults", ``, 66 * time.Second},
		{"deadline", `deadline = "5m"`, 306 * time.Second},
		{"deadline shorter than a try", `deadline = "2s"`, 5 * time.Second},
		{"both", "deadline = \"10s\"\ntryTimeout = \"1s\"", 12 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for kind, source := range map[*hooks.Kind]string{
				new(check.HTTPKind()): "url = \"http://127.0.0.1/\"\n",
				new(check.TCPKind()):  "address = \"127.0.0.1:80\"\n",
			} {
				h := hookstest.New(t, *kind, source+tt.source)
				if got := h.(hooks.Timeouter).DefaultTimeout(); got != tt.want {
					t.Errorf("%s: got %s, want %s", h, got, tt.want)
				}
			}
		})
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	h := hookstest.New(t, check.HTTPKind(), `url = "https://u:p@app.example.com:8443/health?key=k"`)
	if got, want := h.String(), "http-check https://app.example.com:8443/health?(redacted)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h = hookstest.New(t, check.TCPKind(), `address = "[::1]:5432"`)
	if got, want := h.String(), "tcp-check [::1]:5432"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const url, address = "url = \"http://127.0.0.1/\"\n", "address = \"127.0.0.1:80\"\n"
	one := func(line, column int, summary string) []hookstest.Mistake {
		return []hookstest.Mistake{{Line: line, Column: column, Summary: summary}}
	}
	tests := []struct {
		name   string
		kind   hooks.Kind
		source string
		want   []hookstest.Mistake
	}{
		{"no url", check.HTTPKind(), ``, one(1, 1, "Missing required argument")},
		{"url without a scheme", check.HTTPKind(), `url = "127.0.0.1:8080/health"`, one(1, 7, "Invalid url")},
		{"url without a host", check.HTTPKind(), `url = "http:///health"`, one(1, 7, "Invalid url")},
		{"method", check.HTTPKind(), url + `method = "GET IT"`, one(2, 10, "Invalid method")},
		{"status", check.HTTPKind(), url + `status = 20`, one(2, 10, "Invalid status")},
		{"status that is no number", check.HTTPKind(), url + `status = "ok"`, one(2, 11, "Unsuitable value type")},
		{"header name", check.HTTPKind(), url + `headers = { "a b" = "c" }`, one(2, 11, "Invalid header")},
		{"header value", check.HTTPKind(), url + `headers = { a = "c\n" }`, one(2, 11, "Invalid header")},
		{"no address", check.TCPKind(), ``, one(1, 1, "Missing required argument")},
		{"address without a port", check.TCPKind(), `address = "127.0.0.1"`, one(1, 11, "Invalid address")},
		{"address without a host", check.TCPKind(), `address = ":80"`, one(1, 11, "Invalid address")},
		{"port out of range", check.TCPKind(), `address = "a:70000"`, one(1, 11, "Invalid address")},
		{"unknown", check.TCPKind(), address + `intervall = "1s"`, one(2, 1, "Unsupported argument")},
		{"interval", check.TCPKind(), address + `interval = "tenz"`, one(2, 12, "Invalid duration")},
		{"interval of a minute", check.TCPKind(), address + `interval = "60s"`, one(2, 12, "interval longer than deadline")},
		{"tryTimeout", check.TCPKind(), address + "tryTimeout = \"61s\"", one(2, 14, "tryTimeout longer than deadline")},
		{"successes", check.TCPKind(), address + `successes = 0`, one(2, 13, "Invalid successes")},
		{"successes that do not fit", check.TCPKind(), address + `successes = 62`, one(2, 13, "Too many successes")},
		{"all at once", check.HTTPKind(), "url = \"x\"\nstatus = 0\ndeadline = \"0s\"\ninterval = \"-1s\"\nsuccesses = -1", []hookstest.Mistake{
			{Line: 1, Column: 7, Summary: "Invalid url"},
			{Line: 2, Column: 10, Summary: "Invalid status"},
			{Line: 3, Column: 12, Summary: "Invalid duration"},
			{Line: 4, Column: 12, Summary: "Invalid duration"},
			{Line: 5, Column: 13, Summary: "Invalid successes"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, tt.kind, tt.source, tt.want)
		})
	}
}
