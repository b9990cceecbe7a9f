package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/secret"
)

const password = "hunter2"

// account is what a decoded block looks like: a credential among other things.
type account struct {
	User string        `json:"user"`
	Key  secret.String `json:"key"`
}

// holders are the ways in which a credential reaches whatever prints it.
func holders(s secret.String) map[string]any {
	a := account{"deploy", s}
	return map[string]any{
		"itself":             s,
		"pointer":            &s,
		"struct":             a,
		"pointer to struct":  &a,
		"nested":             map[string]any{"accounts": []account{a, a}, "first": a},
		"slice":              []secret.String{s, s},
		"array":              [1]secret.String{s},
		"value of a map":     map[string]secret.String{"key": s},
		"interface in a map": map[string]any{"key": s},
	}
}

// leaks tells whether text holds the password in any of the forms in which verbs and encoders write it.
func leaks(text string) bool {
	hex := fmt.Sprintf("%x", password)
	for _, form := range []string{password, hex, strings.ToUpper(hex), fmt.Sprintf("%d", []byte(password)), fmt.Sprintf("% x", password)} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestNoVerbPrintsIt(t *testing.T) {
	t.Parallel()
	verbs := []string{
		"%v", "%+v", "%#v", "%q", "%+q", "%#q", "%x", "%X", "% x", "%s", "%20s", "%-20s", "%.3s", "%d", "%t", "%c", "%U", "%e", "%b", "%o",
	}
	for name, holder := range holders(password) {
		for _, verb := range verbs {
			if got := fmt.Sprintf(verb, holder); leaks(got) || strings.Contains(got, password[:3]) {
				t.Errorf("%s of %s: got %s", verb, name, got)
			}
		}
		for what, got := range map[string]string{"Sprint": fmt.Sprint(holder), "Sprintln": fmt.Sprintln(holder)} {
			if leaks(got) {
				t.Errorf("%s of %s: got %s", what, name, got)
			}
		}
	}
	for _, verb := range verbs {
		if got, want := fmt.Sprintf(verb, secret.String(password)), "(redacted)"; got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}

func TestNoErrorCarriesIt(t *testing.T) {
	t.Parallel()
	cause := errors.New("refused")
	err := fmt.Errorf("cannot log in: %w", fmt.Errorf("as %v with %q: %w", account{"deploy", password}, secret.String(password), cause))
	if got, want := err.Error(), "cannot log in: as {deploy (redacted)} with (redacted): refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}

func TestNoLogHoldsIt(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for format, handler := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&b, nil),
		"json": slog.NewJSONHandler(&b, nil),
	} {
		for name, holder := range holders(password) {
			b.Reset()
			logger := slog.New(handler)
			logger.With("holder", holder).WithGroup("group").Info("logged", "holder", holder,
				"error", fmt.Errorf("cannot use %v", holder), slog.Group("inner", "holder", holder))
			if got := b.String(); leaks(got) || strings.Count(got, "logged") != 1 {
				t.Errorf("%s, %s: got %s", format, name, got)
			}
		}
		b.Reset()
		slog.New(handler).Info("logged", "key", secret.String(password))
		if got := b.String(); !strings.Contains(got, "(redacted)") {
			t.Errorf("%s: got %s, want it to say that something is hidden", format, got)
		}
	}
	// Handlers of other packages look at the resolved value.
	if got := slog.AnyValue(secret.String(password)).Resolve(); got.Kind() != slog.KindString || got.String() != "(redacted)" {
		t.Errorf("resolved: got %v of kind %v", got.Any(), got.Kind())
	}
}

func TestNoEncoderWritesIt(t *testing.T) {
	t.Parallel()
	for name, holder := range holders(password) {
		got, err := json.Marshal(holder)
		if err != nil || leaks(string(got)) || !strings.Contains(string(got), "(redacted)") {
			t.Errorf("json of %s: got %s, %v", name, got, err)
		}
	}
	if got, err := secret.String(password).MarshalText(); err != nil || string(got) != "(redacted)" {
		t.Errorf("text: got %q, %v", got, err)
	}
}

func TestRevealGivesIt(t *testing.T) {
	t.Parallel()
	if got := secret.String(password).Reveal(); got != password {
		t.Errorf("got %q, want %q", got, password)
	}
}

// Where there is no credential nothing is hidden: whoever looks for the reason of a refusal must see that.
func TestEmptyPrintsAsEmpty(t *testing.T) {
	t.Parallel()
	var none secret.String
	if got := fmt.Sprintf("%v%q%x%s", none, none, none, none); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	if got, err := json.Marshal(account{User: "deploy"}); err != nil || string(got) != `{"user":"deploy","key":""}` {
		t.Errorf("got %s, %v", got, err)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("logged", "key", none)
	if got := b.String(); !strings.HasSuffix(got, " key=\"\"\n") {
		t.Errorf("got %s", got)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"https://example.com/web.tar.gz":                   "https://example.com/web.tar.gz",
		"https://example.com:8443/a b/c%20d":               "https://example.com:8443/a b/c d",
		"https://deploy:hunter2@example.com/web.tar.gz":    "https://(redacted)@example.com/web.tar.gz",
		"https://hunter2@example.com/":                     "https://(redacted)@example.com/",
		"https://deploy:hunt@er2@example.com/":             "https://(redacted)@example.com/",
		"https://example.com/web.tar.gz?signature=hunter2": "https://example.com/web.tar.gz?(redacted)",
		"https://example.com/?hunter2":                     "https://example.com/?(redacted)",
		"https://example.com/web.tar.gz#token=hunter2":     "https://example.com/web.tar.gz",
		"https://example.com/web.tar.gz#hunter2%20hunter2": "https://example.com/web.tar.gz",
		"https://u:hunter2@example.com/x?hunter2#hunter2":  "https://(redacted)@example.com/x?(redacted)",
		"//deploy:hunter2@example.com/x":                   "//(redacted)@example.com/x",
		"https://deploy:hunter2%zz@example.com/":           "(redacted)", // cannot be parsed
		"https://deploy:hunter2@example.com:port/":         "(redacted)",
		"https://deploy:hunter2@exam\x7fple.com/":          "(redacted)",
		"://deploy:hunter2@example.com":                    "(redacted)",
		"deploy:hunter2@127.0.0.1:8500":                    "(redacted)@127.0.0.1:8500", // without a scheme
		"deploy:hunter2@example.com/a@b?hunter2":           "(redacted)@example.com/a@b?(redacted)",
		"hunter2@example.com":                              "(redacted)@example.com",
		"hunter2@example.com/a%2Fb":                        "(redacted)@example.com/a/b",
		"localhost:8500":                                   "localhost:8500",
		"file:///srv/artifacts/a@b.tar.gz":                 "file:///srv/artifacts/a@b.tar.gz",
		"/srv/artifacts/a@b.tar.gz":                        "/srv/artifacts/a@b.tar.gz",
		"":                                                 "",
	}
	for _, raw := range slices.Sorted(maps.Keys(cases)) {
		if got, want := secret.URL(raw), cases[raw]; got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

// What is shown is a copy: the URL goes on to be used.
func TestRedactLeavesItsArgument(t *testing.T) {
	t.Parallel()
	const raw = "https://deploy:hunter2@example.com/x?hunter2#hunter2"
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := secret.Redact(u), "https://(redacted)@example.com/x?(redacted)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := u.String(); got != raw {
		t.Errorf("the argument is changed: got %q, want %q", got, raw)
	}
}
