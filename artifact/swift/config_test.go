package swift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact/swift"
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
	const user = "user = \"u\"\nkey = \"k3y-s3cr3t\"\n"
	for _, tt := range []struct {
		name, block string
		want        []string
	}{
		{"v1", user + `authUrl = "https://swift.example.com/auth/v1.0"`, nil},
		{"version apart", user + "authUrl = \"https://swift.example.com/identity\"\nauthVersion = 3\ndomain = \"d\"\ntenant = \"t\"\nregion = \"r\"", nil},
		{"nothing", "", []string{"1:1 Missing required argument", "1:1 Missing required argument", "1:1 Missing required argument"}},
		{"all empty", "user = \"\"\nkey = \"\"\nauthUrl = \"\"", []string{"1:8 Empty credentials", "2:7 Empty credentials", "3:11 Invalid authUrl"}},
		{"no version", user + `authUrl = "https://swift.example.com/identity"`, []string{"3:11 Unknown version of authentication"}},
		{"bad version", user + "authUrl = \"https://swift.example.com/v3\"\nauthVersion = 4", []string{"4:15 Unknown authVersion"}},
		{"zero version", user + "authUrl = \"https://swift.example.com/v3\"\nauthVersion = 0", []string{"4:15 Unknown authVersion"}},
		{"version no number", user + "authUrl = \"https://swift.example.com/v3\"\nauthVersion = \"x\"", []string{"4:16 Unsuitable value type"}},
		{"scheme", user + `authUrl = "swift.example.com/v1.0"`, []string{"3:11 Invalid authUrl"}},
		{"key in the URL", user + `authUrl = "https://u:k3y-s3cr3t@swift.example.com/v1.0"`, []string{"3:11 Invalid authUrl"}},
		{"unparsable", user + `authUrl = "https://u:k3y-s3cr3t@swift.example.com/%zz"`, []string{"3:11 Invalid authUrl"}},
		{"two projects", user + "authUrl = \"https://swift.example.com/v3\"\ntenant = \"a\"\ntenantId = \"b\"", []string{"4:10 Two projects"}},
		{"unknown name", user + "authUrl = \"https://swift.example.com/v3\"\nusr = \"a\"", []string{"4:1 Unsupported argument"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, diags := swift.New(body(t, tt.block), nil)
			if diff := cmp.Diff(tt.want, mistakes(diags)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if (r == nil) != diags.HasErrors() {
				t.Errorf("got the repository %v with the diagnostics %v", r, diags)
			}
			if strings.Contains(diags.Error(), "s3cr3t") {
				t.Errorf("the diagnostics %q show the key", diags.Error())
			}
		})
	}
}

func TestNewRackspace(t *testing.T) {
	t.Parallel()
	for block, want := range map[string][]string{
		"user = \"u\"\nkey = \"k\"\nregion = \"LON\"":                          nil,
		"user = \"u\"\nkey = \"k\"\nauthUrl = \"https://id.example.com/v1.0\"": nil,
		"user = \"u\"\nkey = \"k\"\nauthUrl = \"\"":                            {"3:11 Invalid authUrl"},
	} {
		_, diags := swift.NewRackspace(body(t, block), nil)
		if diff := cmp.Diff(want, mistakes(diags)); diff != "" {
			t.Errorf("%s: mistakes (-want +got):\n%s", block, diff)
		}
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	r := newRepository(t, "user = \"u\"\nkey = \"k\"\nauthUrl = \"https://swift.example.com/v3\"")
	for _, tt := range []struct {
		name, block string
		want        []string
	}{
		{"good", "bucket = \"b\"\npath = \"dir/a b.tar.gz\"", nil},
		{"nothing", "", []string{"1:1 Missing required argument", "1:1 Missing required argument"}},
		{"empty", "bucket = \"\"\npath = \"\"", []string{"1:10 Invalid bucket", "2:8 Invalid path of an artifact"}},
		{"slash", "bucket = \"b/c\"\npath = \"a\"", []string{"1:10 Invalid bucket"}},
		{"long", fmt.Sprintf("bucket = %q\npath = %q", strings.Repeat("b", 257), strings.Repeat("p", 1025)), []string{"1:10 Invalid bucket", "2:8 Invalid path of an artifact"}},
		{"container", "container = \"b\"\nbucket = \"b\"\npath = \"a\"", []string{"1:1 Unsupported argument"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, diags := r.Source(body(t, tt.block), nil)
			if diff := cmp.Diff(tt.want, mistakes(diags)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
			if (src == nil) != diags.HasErrors() {
				t.Errorf("got the source %v with the diagnostics %v", src, diags)
			}
		})
	}
	src := sourceOf(t, r, "b", "dir/a b+c%.tar.gz")
	if got, want := src.String(), "swift://b/dir/a b+c%.tar.gz"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
