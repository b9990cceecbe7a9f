package secret_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/secret"
)

// FuzzURL wants that no address, well-formed or not, shows what is planted into its password, its query or its
// fragment. A "/" ends the password, also for whoever would connect: what is behind it is a path.
func FuzzURL(f *testing.F) {
	const planted = "hUnTeR2"
	for _, seed := range []struct{ scheme, user, left, right, rest string }{
		{"https", "deploy", "", "", "example.com/web.tar.gz"},
		{"https", "", "", "", "example.com:8443/a b/c%20d?x=y#z"},
		{"http", "deploy", "", "", "127.0.0.1:8500"},
		{"http", "deploy", "p@", "@", "example.com/a@b"},
		{"http", "deploy", "", "?", "example.com"},
		{"http", "deploy", "", "#", "example.com"},
		{"http", "", "", "", "example.com"},
		{"s3", "a%2Fb", "%", "%zz", "[::1]:port/"},
		{"https", "u", "12", ":", "\x7f"},
		{"file", "u", "[", "]", "//x"},
	} {
		f.Add(seed.scheme, seed.user, seed.left, seed.right, seed.rest)
	}
	f.Fuzz(func(t *testing.T, scheme, user, left, right, rest string) {
		if strings.Contains(left, "@") && strings.ContainsAny(user+left+right, "?#") {
			t.Skip("what is planted is the host, then, for whoever would connect")
		}
		if strings.Contains(scheme+user+left+right+rest, planted) || strings.Contains(user+left+right, "/") || !isScheme(scheme) {
			t.Skip("what may be shown is not what is looked for")
		}
		password := left + planted + right
		addresses := []string{
			scheme + "://" + user + ":" + password + "@" + rest,
			scheme + "://" + user + ":" + url.QueryEscape(password) + "@" + rest,
			user + ":" + password + "@" + rest,
			"https://example.com/?" + left + "=" + password,
			"https://example.com/#" + password,
		}
		if scheme != "file" && !strings.ContainsAny(user+left+right, "?#%") { // slips of the finger
			for _, slip := range []string{":", ":/", ":://"} {
				addresses = append(addresses, scheme+slip+user+":"+password+"@"+rest)
			}
		}
		for _, raw := range addresses {
			if got := secret.URL(raw); strings.Contains(got, planted) {
				t.Errorf("%q: got %q", raw, got)
			}
			u, err := url.Parse(raw)
			if err != nil {
				continue
			}
			if secret.Redact(u); u.String() != mustParse(t, raw).String() {
				t.Errorf("%q was changed to %s", raw, u)
			}
		}
	})
}

func isScheme(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 'a' || r > 'z' })
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
