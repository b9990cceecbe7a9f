// Package secret keeps credentials out of everything that is printed.
//
// It is a leaf: any package may import it, and it imports none of the project's.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
)

const redacted = "(redacted)"

// A String is a credential. It prints as "(redacted)" under every fmt verb, in slog and in JSON;
// only Reveal gives the value. It decodes from HCL like any string (gohcl looks at the kind).
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

// MarshalJSON implements json.Marshaler.
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText implements encoding.TextMarshaler.
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
	c := *u
	if c.User != nil {
		c.User = url.User(redacted)
	}
	if c.RawQuery != "" {
		c.RawQuery = redacted
	}
	c.Fragment, c.RawFragment = "", ""
	// The brackets of "(redacted)" would be escaped in the user part; a reader wants the word.
	s, err := url.PathUnescape(c.String())
	if err != nil {
		return c.String()
	}
	return s
}
