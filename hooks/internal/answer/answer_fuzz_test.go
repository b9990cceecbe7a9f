package answer_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dropship/dropship/hooks/internal/answer"
)

// FuzzAnswer wants that what is shown of an answer, whatever a server says, is short, on one line, and has no
// credential of the request in it, in none of the forms in which it travels.
func FuzzAnswer(f *testing.F) {
	const password = "hunter2/ä+"
	basic := base64.StdEncoding.EncodeToString([]byte("joe:" + password))
	for _, body := range []string{
		"", "ok", "\n\x00\xff\u2028", strings.Repeat("x", 250), password, strings.Repeat("ä", 99) + password + password,
		"Authorization: Basic " + basic, "?password=" + url.QueryEscape(password), "/" + url.PathEscape(password), "(redacted)",
	} {
		f.Add(body, password)
	}
	f.Add("secretsecret", "secret")
	f.Fuzz(func(t *testing.T, body, password string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("joe", password)
		a, err := answer.Read(&http.Response{Status: "403", StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(body)), Request: request})
		if err != nil {
			t.Fatal(err)
		}
		shown := a.String()
		if len(shown) > 4*200+100 || strings.ContainsAny(shown, "\n\r\x00") || !utf8.ValidString(shown) {
			t.Errorf("got %q", shown)
		}
		if basic := base64.StdEncoding.EncodeToString([]byte("joe:" + password)); strings.Contains(shown, basic) {
			t.Errorf("got %q with the credentials in it", shown)
		}
	})
}
