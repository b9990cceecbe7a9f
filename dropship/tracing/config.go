package tracing

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/secret"
)

// config is the inside of a tracing "otlp" block.
type config struct {
	// Endpoint is the base address of a collector or backend; "/v1/traces" is added to it. Default:
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, to which nothing is added, then OTEL_EXPORTER_OTLP_ENDPOINT, then DefaultEndpoint.
	Endpoint      *string   `hcl:"endpoint,optional"`
	EndpointRange hcl.Range `hcl:"endpoint,attr_value_range"`

	// Headers are sent with every request. The values are never printed. Default: those of
	// OTEL_EXPORTER_OTLP_TRACES_HEADERS, or else OTEL_EXPORTER_OTLP_HEADERS.
	Headers      map[string]secret.String `hcl:"headers,optional"`
	HeadersRange hcl.Range                `hcl:"headers,attr_value_range"`
}

// DefaultEndpoint is that of a collector on the same machine.
const DefaultEndpoint = "http://127.0.0.1:4318"

const tracesPath = "v1/traces"

// OTLP returns what makes an exporter from a tracing "otlp" block. What the block leaves out is taken from the
// environment that the OpenTelemetry specification names, as docs/tracing.md says. Version is that of the program.
func OTLP(version string, logger *slog.Logger) func(hcl.Body, *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
	return func(body hcl.Body, ectx *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
		var c config
		diags := gohcl.DecodeBody(body, ectx, &c)
		if diags.HasErrors() {
			return nil, diags
		}
		address, more := c.address(body.MissingItemRange())
		diags = append(diags, more...)
		headers, more := c.headers(body.MissingItemRange())
		diags = append(diags, more...)
		roots, err := certificates()
		if err != nil {
			diags = append(diags, mistake(body.MissingItemRange(), "Invalid certificate", err.Error()))
		}
		if diags.HasErrors() {
			return nil, diags
		}
		return &Exporter{client: newClient(address, headers, roots, logger), version: version, logger: logger}, diags
	}
}

func mistake(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// address returns where requests go. A mistake that may show a password is reported at the block: the line of a
// diagnostic is printed with it.
func (c config) address(block hcl.Range) (*url.URL, hcl.Diagnostics) {
	name, text, at, base := "endpoint", DefaultEndpoint, block, true
	if c.Endpoint != nil {
		text, at = *c.Endpoint, c.EndpointRange
	} else if variable, value := environment("ENDPOINT"); value != "" {
		name, text, base = variable, value, !strings.Contains(variable, "TRACES")
	}
	u, err := url.Parse(text)
	switch {
	case strings.Contains(text, "@"):
		return nil, hcl.Diagnostics{mistake(block, "Credential in the endpoint",
			"A name and password do not belong into "+name+`: set headers = { Authorization = "Basic …" }.`)}
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, hcl.Diagnostics{mistake(at, "Invalid endpoint",
			name+` must be an address beginning with http:// or https://, such as "`+DefaultEndpoint+`".`)}
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, hcl.Diagnostics{mistake(block, "Invalid endpoint", name+" can have no query and no fragment.")}
	case base && strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/"+tracesPath):
		return nil, hcl.Diagnostics{mistake(at, "Invalid endpoint", "Leave /"+tracesPath+" out of "+name+": it is added.")}
	case base:
		u = u.JoinPath(tracesPath)
	}
	return u, nil
}

// headers returns those of the block, or else of the environment.
func (c config) headers(block hcl.Range) (map[string]secret.String, hcl.Diagnostics) {
	name, headers, at := "headers", c.Headers, c.HeadersRange
	if headers == nil {
		variable, value := environment("HEADERS")
		name, headers, at = variable, make(map[string]secret.String), block
		for pair := range strings.SplitSeq(value, ",") {
			key, text, ok := strings.Cut(pair, "=")
			if strings.TrimSpace(pair) == "" {
				continue
			}
			text, err := url.PathUnescape(strings.TrimSpace(text))
			key = strings.TrimSpace(key)
			if !ok || err != nil || !isToken(key) { // which is not shown: it may be half of a value
				return nil, hcl.Diagnostics{mistake(at, "Invalid headers", name+" must be of the form key=value,key=value, with values escaped as in URLs.")}
			}
			headers[key] = secret.String(text)
		}
	}
	var diags hcl.Diagnostics
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		if !isToken(key) {
			diags = append(diags, mistake(at, "Invalid header", fmt.Sprintf("%q, in %s, cannot be the name of a header.", key, name)))
		}
		if strings.ContainsFunc(headers[key].Reveal(), func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			diags = append(diags, mistake(at, "Invalid header", fmt.Sprintf("The value of %s, in %s, has a control character in it, such as a line break.", key, name)))
		}
	}
	return headers, diags
}

// isToken reports whether s can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// certificates returns what the certificate of a server is verified by; nil: what the machine trusts.
func certificates() (*x509.CertPool, error) {
	variable, file := environment("CERTIFICATE")
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read what %s names: %w", variable, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the file %s, which %s names, has no certificate in PEM form", file, variable)
	}
	return roots, nil
}

// environment returns the value of OTEL_EXPORTER_OTLP_TRACES_ and that key, or else OTEL_EXPORTER_OTLP_ and it, and which
// of them it is.
func environment(key string) (variable, value string) {
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + key, "OTEL_EXPORTER_OTLP_" + key} {
		if value := strings.TrimSpace(os.Getenv(variable)); value != "" {
			return variable, value
		}
	}
	return "", ""
}
