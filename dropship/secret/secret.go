// Package secret keeps credentials out of everything that is printed.
//
// It is a leaf: any package may import it, and it imports none of the project's.
package secret

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "(redacted)"

// A String is a credential. It prints as "(redacted)" under the verbs of fmt, in slog and in JSON; only
// Reveal gives the value. It decodes from HCL like any string (gohcl looks at the kind).
//
// Some printers do not ask it: fmt in an unexported field of a struct that is printed whole, and where it
// reports a wrong verb (%p, %w, which go vet refuses, or %s of a pointer inside another value); encoding/json
// where it is the key of a map. So a struct with such a field has a String method, and no key is a credential.
type String string

// Reveal returns the credential itself, for the one call that needs it.
func (s String) Reveal() string { return string(s) }

// Format implements fmt.Formatter, so that no verb (%q, %x, %d …) reaches the value.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String returns "(redacted)", or nothing where there is nothing to hide.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, which encoding/json asks too.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL returns raw as it may be printed: without user, password, query and fragment, any of which may
// carry a credential (a presigned URL's signature is in its query). What cannot be parsed is hidden whole.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	return Redact(u)
}

// Redact returns u as it may be printed; see URL.
func Redact(u *url.URL) string {
	if strings.Count(u.Host, ":") > 1 && !strings.HasPrefix(u.Host, "[") {
		return redacted // url.Parse takes "user:password:" before a "?" or a "#" for a host
	}
	c := *u
	if c.User != nil {
		c.User = url.User(redacted)
	}
	if c.RawQuery != "" {
		c.RawQuery = redacted
	}
	c.Fragment, c.RawFragment = "", ""
	if c.Host == "" && c.Scheme != "file" { // "user:password@host" is taken for scheme "user", "https:/user…" for a path
		switch {
		case strings.Contains(c.Opaque, "@"):
			c.Scheme, c.Opaque = "", hideUser(c.Opaque)
		case strings.Contains(c.Path, "@"):
			c.Path, c.RawPath = hideUser(c.Path), ""
		case c.Opaque != "" && strings.Contains(u.RawQuery+u.Fragment, "@"): // the password has a "?" or a "#" in it
			c.Scheme, c.Opaque = "", redacted
		}
	}
	// The brackets of "(redacted)" would be escaped in the user part; a reader wants the word.
	s, err := url.PathUnescape(c.String())
	if err != nil {
		return c.String()
	}
	return s
}

// hideUser hides what stands before the last "@" of the first segment.
func hideUser(address string) string {
	trimmed := strings.TrimLeft(address, ":/")
	lead := address[:len(address)-len(trimmed)]
	host, rest, slash := strings.Cut(trimmed, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = redacted + host[i:]
	}
	if slash {
		host += "/"
	}
	return lead + host + rest
}
