package attr

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/dropship/secret"
)

// Server parses the address of something on an HTTP server. It reports false for what can be none; url.Parse is
// not so strict. No message may show text then, since there may be a password anywhere in it.
func Server(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !IsHostname(u.Hostname()) {
		return nil, false
	}
	return u, true
}

// IsHostname reports whether name can be an IP address or a host's name.
func IsHostname(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_", r)
	})
}

// Headers checks the headers of a request.
func Headers(headers map[string]secret.String, value hcl.Range) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		if !IsToken(key) {
			diags = append(diags, Mistake(value, "Invalid header", fmt.Sprintf("%q cannot be the name of a header.", key)))
		}
		if strings.ContainsAny(headers[key].Reveal(), "\r\n\x00") {
			diags = append(diags, Mistake(value, "Invalid header", fmt.Sprintf("The value of %s has a line break or a NUL character in it.", key)))
		}
	}
	return diags
}

// IsToken reports whether s can be a method or the name of a header.
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}
