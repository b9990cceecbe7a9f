package http_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact/http"
)

// mistakes returns each diagnostic as "LINE:COLUMN SUMMARY".
func mistakes(diags hcl.Diagnostics) []string {
	var got []string
	for _, d := range diags {
		got = append(got, fmt.Sprintf("%d:%d %s", d.Subject.Start.Line, d.Subject.Start.Column, d.Summary))
	}
	return got
}

func TestNew(t *testing.T) {
	t.Parallel()
	const url = "url = \"https://a.example.com/x\"\n"
	for _, tt := range []struct {
		name, block string
		want        []string
	}{
		{"least", url, nil},
		{"everything", url + "user = \"u\"\npassword = \"p\"\ncaFile = \"/etc/ca.pem\"\nheaders = { X-Token = \"t\" }", nil},
		{"empty", "", []string{"1:1 Missing required argument"}},
		{"empty url", `url = ""`, []string{"1:7 Invalid URL of a repository"}},
		{"no host", `url = "http:///x"`, []string{"1:7 Invalid URL of a repository"}},
		{"scheme", `url = "ftp://a.example.com"`, []string{"1:7 Invalid URL of a repository"}},
		{"credentials in url", `url = "https://u:s3cr3t@a.example.com"`, []string{"1:7 Invalid URL of a repository"}},
		{"unparsable", `url = "https://u:s3cr3t@a.example.com/%zz"`, []string{"1:7 Invalid URL of a repository"}},
		{"query", `url = "https://a.example.com/?sig=s3cr3t"`, []string{"1:7 Invalid URL of a repository"}},
		{"user alone", url + `user = "u"`, []string{"2:8 Incomplete credentials"}},
		{"password alone", url + `password = "s3cr3t"`, []string{"2:12 Incomplete credentials"}},
		{"password empty", url + "user = \"u\"\npassword = \"\"", []string{"2:8 Incomplete credentials"}},
		{"colon", url + "user = \"u:v\"\npassword = \"s3cr3t\"", []string{"2:8 Invalid user"}},
		{"relative caFile", url + `caFile = "ca.pem"`, []string{"2:10 Relative path of a CA file"}},
		{"header name", url + `headers = { "X Token" = "s3cr3t" }`, []string{"2:11 Invalid header name"}},
		{"header value", url + `headers = { X-Token = "s3cr3t\n" }`, []string{"2:11 Invalid header value"}},
		{"own header", url + `headers = { range = "s3cr3t" }`, []string{"2:11 Reserved header"}},
		{"two credentials", url + "user = \"u\"\npassword = \"s3cr3t\"\nheaders = { authorization = \"s3cr3t\" }", []string{"4:11 Two kinds of credentials"}},
		{"no map", url + `headers = "s3cr3t"`, []string{"2:12 Unsuitable value type"}},
		{"unknown name", url + `usr = "u"`, []string{"2:1 Unsupported argument"}},
		{"all at once", "url = \"x\"\nuser = \"u\"\ncaFile = \"ca.pem\"\nheaders = { host = \"s3cr3t\" }", []string{
			"1:7 Invalid URL of a repository", "2:8 Incomplete credentials", "4:11 Reserved header", "3:10 Relative path of a CA file",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, diags := http.New(body(t, tt.block), nil)
			if diff := cmp.Diff(tt.want, mistakes(diags)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if (r == nil) != diags.HasErrors() {
				t.Errorf("got the repository %v with the diagnostics %v", r, diags)
			}
			for _, d := range diags {
				if strings.Contains(d.Error(), "s3cr3t") {
					t.Errorf("the diagnostic %q shows a secret", d.Error())
				}
			}
		})
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	r, diags := http.New(body(t, `url = "https://a.example.com/x/"`), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for block, want := range map[string][]string{
		`path = "dir/a.tar.gz"`:        nil,
		`path = "/a..b/.c"`:            nil,
		``:                             {"1:1 Missing required argument"},
		`path = ""`:                    {"1:8 Invalid path of an artifact"},
		`path = "/"`:                   {"1:8 Invalid path of an artifact"},
		`path = "dir/"`:                {"1:8 Invalid path of an artifact"},
		`path = "../a"`:                {"1:8 Invalid path of an artifact"},
		`path = "dir/./a"`:             {"1:8 Invalid path of an artifact"},
		"path = \"a\"\nbucket = \"b\"": {"2:1 Unsupported argument"},
	} {
		src, diags := r.Source(body(t, block), nil)
		if diff := cmp.Diff(want, mistakes(diags)); diff != "" {
			t.Errorf("%s: mistakes (-want +got):\n%s", block, diff)
		}
		if (src == nil) != diags.HasErrors() {
			t.Errorf("%s: got the source %v with the diagnostics %v", block, src, diags)
		}
	}
}
