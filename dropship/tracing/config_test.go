package tracing_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/tracing"
)

// Not parallel, nor is what is below it: the environment is one.
func TestConfigurationAndEnvironment(t *testing.T) {
	const block = "headers = { Api-Key = \"b\" }\n"
	tests := []struct {
		name    string
		block   string
		env     map[string]string
		url     string
		headers string // of Api-Key and of X
	}{
		{"nothing", "", nil, "http://127.0.0.1:4318/v1/traces", "-"},
		{"all in the block", block + `endpoint = "https://otlp.example.com/otlp/"`, map[string]string{"ENDPOINT": "http://env", "HEADERS": "api-key=e,x=e"}, "https://otlp.example.com/otlp/v1/traces", "b-"},
		{"all in the environment", "", map[string]string{"ENDPOINT": "http://env:1/base", "HEADERS": " api-key = e%20f , x=1=2,"}, "http://env:1/base/v1/traces", "e f-1=2"},
		{"a header of the environment", `endpoint = "http://b"`, map[string]string{"ENDPOINT": "http://env:1", "HEADERS": "x=e"}, "http://b/v1/traces", "-e"},
		{"an endpoint of the environment", block, map[string]string{"ENDPOINT": "http://env:1"}, "http://env:1/v1/traces", "b-"},
		{"of traces alone", "", map[string]string{"ENDPOINT": "http://a", "TRACES_ENDPOINT": "http://b/p", "HEADERS": "x=a", "TRACES_HEADERS": "x=b"}, "http://b/p", "-b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setenv(t, tt.env)
			var c collector
			e := newExporter(t, tt.block, io.Discard)
			tracing.Through(e, &c)
			stop := run(t, e)
			update(e, "u1")
			stop()
			r := c.asked()[0]
			if got := r.URL.String(); got != tt.url {
				t.Errorf("got %s, want %s", got, tt.url)
			}
			if got := r.Header.Get("Api-Key") + "-" + r.Header.Get("X"); got != tt.headers {
				t.Errorf("got headers %q, want %q", got, tt.headers)
			}
		})
	}
}

func setenv(t *testing.T, env map[string]string) {
	for _, key := range []string{"ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TRACES_HEADERS", "CERTIFICATE", "TRACES_CERTIFICATE"} {
		t.Setenv("OTEL_EXPORTER_OTLP_"+key, env[key])
	}
}

// No message shows what may be a credential.
func TestMistakes(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		block string
		env   map[string]string
		want  string
	}{
		{"unknown", `endpont = "http://a"`, nil, "endpont"},
		{"no scheme", `endpoint = "otlp.example.com:4318"`, nil, "beginning with http:// or https://"},
		{"empty", `endpoint = ""`, nil, "beginning with http:// or https://"},
		{"password", `endpoint = "https://me:s3cr3t@otlp.example.com"`, nil, "A name and password do not belong into endpoint: set headers"},
		{"query", `endpoint = "https://otlp.example.com?token=s3cr3t"`, nil, "no query"},
		{"whole path", `endpoint = "https://otlp.example.com/v1/traces"`, nil, "Leave /v1/traces out of endpoint"},
		{"no header", `headers = { "a b" = "s3cr3t" }`, nil, `"a b", in headers, cannot be the name of a header`},
		{"line break", `headers = { a = "s3cr3t\n" }`, nil, "The value of a, in headers, has a control character"},
		{"environment: no scheme", "", map[string]string{"ENDPOINT": "s3cr3t"}, "OTEL_EXPORTER_OTLP_ENDPOINT must be an address"},
		{"environment: password", "", map[string]string{"TRACES_ENDPOINT": "http://me:s3cr3t@a"}, "do not belong into OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		{"environment: no pairs", "", map[string]string{"HEADERS": "Authorization: Bearer s3cr3t=="}, "OTEL_EXPORTER_OTLP_HEADERS must be of the form key=value"},
		{"environment: escape", "", map[string]string{"HEADERS": "a=s3cr3t%"}, "OTEL_EXPORTER_OTLP_HEADERS must be of the form key=value"},
		{"environment: line break", "", map[string]string{"HEADERS": "a=s3cr3t%0a"}, "The value of a, in OTEL_EXPORTER_OTLP_HEADERS, has a control character"},
		{"environment: no certificate", "", map[string]string{"CERTIFICATE": missing}, "cannot read what OTEL_EXPORTER_OTLP_CERTIFICATE names: open " + missing},
		{"environment: empty certificate", "", map[string]string{"CERTIFICATE": empty}, "has no certificate in PEM form"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setenv(t, tt.env)
			_, diags := decode(t, tt.block, io.Discard)
			if len(diags) != 1 || !diags.HasErrors() || diags[0].Subject == nil {
				t.Fatalf("got %v, want one error at its place", diags)
			}
			text := diags[0].Summary + ": " + diags[0].Detail
			if !strings.Contains(text, tt.want) || strings.Contains(text, "s3cr3t") {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestString(t *testing.T) {
	setenv(t, nil)
	e := newExporter(t, `endpoint = "https://otlp.example.com/s3cr3t"`, io.Discard)
	if got, want := e.String(), "tracing otlp https://otlp.example.com"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCertificateOfTheEnvironment(t *testing.T) {
	var c collector
	server := httptest.NewTLSServer(http.HandlerFunc(c.ServeHTTP))
	defer server.Close()
	for _, known := range []bool{true, false} {
		env := map[string]string{}
		if known {
			env["CERTIFICATE"] = filepath.Join(t.TempDir(), "ca.pem")
			text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
			if err := os.WriteFile(env["CERTIFICATE"], text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		setenv(t, env)
		var log syncBuffer
		e := newExporter(t, `endpoint = "`+server.URL+`"`, &log)
		stop := run(t, e)
		update(e, "u1")
		stop()
		if got := len(c.trees(t)); got != 1 {
			t.Errorf("certificate known: %t: got %d traces, want 1", known, got)
		}
		if got := strings.Contains(log.String(), "certificate"); got == known {
			t.Errorf("certificate known: %t: got the log %s", known, log.String())
		}
	}
}
