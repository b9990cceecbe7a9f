package consul_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/lock/consul"
)

// summaries is what a user would be told, with the line.
func summaries(diags hcl.Diagnostics) []string {
	var got []string
	for _, d := range diags {
		line := 0
		if d.Subject != nil {
			line = d.Subject.Start.Line
		}
		got = append(got, fmt.Sprintf("%d: %s", line, d.Summary))
	}
	return got
}

func TestNewTellsAllMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, block string
		want        []string
	}{
		{"empty", ``, nil},
		{"all", "address = \"10.0.0.1:8500\"\ntoken = \"t\"\nuser = \"u\"\npassword = \"p\"\nuseSSL = true\ncaFile = \"/ca.pem\"\ndatacenter = \"dc2\"\nttl = \"30s\"\nprefix = \"a/b/\"", nil},
		{"addresses", `address = "https://consul.example:8501/proxy"`, nil},
		{"socket", `address = "unix:///run/consul.sock"`, nil},
		{"no duration", "\nttl = \"15\"", []string{"2: Invalid lock ttl"}},
		{"too short", `ttl = "999ms"`, []string{"1: Invalid lock ttl"}},
		{"too long", `ttl = "25h"`, []string{"1: Invalid lock ttl"}},
		{"negative", `ttl = "-15s"`, []string{"1: Invalid lock ttl"}},
		{"no prefix", `prefix = ""`, []string{"1: Invalid lock prefix"}},
		{"only a slash", `prefix = "/"`, []string{"1: Invalid lock prefix"}},
		{"leading slash", `prefix = "/a"`, []string{"1: Invalid lock prefix"}},
		{"dots", `prefix = "a/../b"`, []string{"1: Invalid lock prefix"}},
		{"ftp", `address = "ftp://consul"`, []string{"1: Invalid Consul address"}},
		{"no host", `address = "http://:8500"`, []string{"1: Invalid Consul address"}},
		{"relative socket", `address = "unix://consul.sock"`, []string{"1: Invalid Consul address"}},
		{"relative CA file", "prefix = \"a\"\ncaFile = \"x.pem\"", []string{"2: Relative path of a CA file"}},
		{"unknown", `adress = "127.0.0.1:8500"`, []string{"1: Unsupported argument"}},
		{
			"three", "ttl = \"x\"\nprefix = \"\"\naddress = \"ftp://x\"",
			[]string{"3: Invalid Consul address", "2: Invalid lock prefix", "1: Invalid lock ttl"},
		},
	} {
		l, diags := consul.New(consul.Connection{}, parse(t, test.block), nil)
		if diff := cmp.Diff(test.want, summaries(diags)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if (l == nil) != (test.want != nil) {
			t.Errorf("%s: got locker %v with %v", test.name, l, diags)
		}
	}
}

// What concerns a credential is not reported on its own line, which is printed with the diagnostic.
func TestDiagnosticsDoNotPointAtCredentials(t *testing.T) {
	t.Parallel()
	for _, block := range []string{
		"\n\npassword = \"hunter2\"\n",
		"\n\naddress = \"http://joe:hunter2@127.0.0.1:8500\"\n",
	} {
		_, diags := consul.Decode(parse(t, block), nil)
		if len(diags) != 1 || diags[0].Subject == nil || diags[0].Subject.Start.Line == 3 {
			t.Errorf("%q: got %v, want one diagnostic elsewhere than on line 3", block, diags)
		}
		if strings.Contains(diags.Error(), "hunter2") {
			t.Errorf("%q: shows the password: %v", block, diags)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	yes := true
	got, diags := consul.Decode(parse(t, `
		address    = "10.0.0.1:8500"
		token      = "t0ken"
		user       = "joe"
		password   = "hunter2"
		useSSL     = true
		caFile     = "/ca.pem"
		datacenter = "dc2"
	`), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := consul.Connection{
		Address: "10.0.0.1:8500", Token: "t0ken", User: "joe", Password: "hunter2",
		UseSSL: &yes, CAFile: "/ca.pem", Datacenter: "dc2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{fmt.Sprint(got), fmt.Sprintf("%#v", got)} {
		if strings.Contains(text, "t0ken") || strings.Contains(text, "hunter2") {
			t.Errorf("it prints its credentials: %s", text)
		}
	}
	_, diags = consul.Decode(parse(t, "token = \"t\"\ncaFile = \"x.pem\""), nil)
	if diff := cmp.Diff([]string{"2: Relative path of a CA file"}, summaries(diags)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, diags := consul.Decode(parse(t, "token = 1\nprefix = \"x\""), nil); len(diags) != 1 {
		t.Errorf("got %v, want one diagnostic: prefix belongs into the lock block", diags)
	}
}

func TestDefaultsAndOverride(t *testing.T) {
	t.Parallel()
	shared := consul.Connection{Address: "https://10.0.0.1:8501"}
	for _, test := range []struct {
		body hcl.Body
		want string
	}{
		{nil, "consul://10.0.0.1:8501/dropship/slots"},
		{parse(t, ""), "consul://10.0.0.1:8501/dropship/slots"},
		{parse(t, "prefix = \"a/b/\"\naddress = \"10.0.0.2:8500\""), "consul://10.0.0.2:8500/a/b"},
	} {
		l, diags := consul.New(shared, test.body, nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if got := l.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
