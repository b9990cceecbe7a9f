package s3_test

import (
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/s3"
)

func TestRepositoryConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src  string
		want []string // one in each message, in order
	}{
		{``, nil},
		{"accessKey = \"a\"\nsecret = \"s\"\ntoken = \"t\"\nname = \"us-west-1\"\nendpoint = \"https://s3.example.com:9000\"", nil},
		{"accessKey = \"\"\nsecret = \"\"\ntoken = \"\"\nname = \"\"\nendpoint = \"\"", nil},
		{`endpoint = "http://127.0.0.1:9000/"`, nil},
		{`accessKey = "a"`, []string{"test.hcl:1,13-16: Access key without secret"}},
		{`secret = "hidden"`, []string{"test.hcl:1,10-18: Secret without access key"}},
		{`token = "hidden"`, []string{"test.hcl:1,9-17: Token without access key"}},
		{`endpoint = "s3.example.com"`, []string{"test.hcl:1,12-28: Invalid endpoint"}},
		{`endpoint = "ftp://s3.example.com"`, []string{"test.hcl:1,12-34: Invalid endpoint"}},
		{`endpoint = "https://me:hidden@s3.example.com"`, []string{"use accessKey and secret"}},
		{`endpoint = "https://s3.example.com/?token=hidden"`, []string{"has a query"}},
		{"accessKey = \"a\"\nsecret = [\"hidden\"]", []string{"test.hcl:2,10-11: Unsuitable value type"}},
		{"accessKey = [\"a\"]\nsecret = \"hidden\"", []string{"test.hcl:1,13-14: Unsuitable value type"}},
		{`region = "us-west-1"`, []string{"test.hcl:1,1-7: Unsupported argument"}},
		{"acessKey = \"a\"\nsecret = \"hidden\"\nendpoint = \"nowhere\"", []string{
			`Did you mean "accessKey"?`, "test.hcl:2,10-18: Secret without access key", "test.hcl:3,12-21: Invalid endpoint",
		}},
	} {
		_, diags := s3.New(body(t, tt.src), nil)
		var got []string
		for _, d := range diags {
			got = append(got, d.Error())
		}
		check(t, tt.src, got, tt.want)
	}
}

func TestSourceConfiguration(t *testing.T) {
	t.Parallel()
	repo, diags := s3.New(body(t, ""), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, tt := range []struct {
		src  string
		want []string
	}{
		{"bucket = \"b\"\npath = \"app/app.tar.gz\"", nil},
		{"bucket = \"arn:aws:s3:us-west-1:123456789012:accesspoint/app\"\npath = \"app.tar.gz\"", nil},
		{``, []string{`The argument "bucket" is required`, `The argument "path" is required`}},
		{"bucket = \"\"\npath = \"\"", []string{"test.hcl:1,10-12: Invalid bucket name", "test.hcl:2,8-10: Invalid artifact path"}},
		{"bucket = [\"b\"]\npath = \"app.tar.gz\"", []string{"test.hcl:1,10-11: Unsuitable value type"}},
		{"bucket = \"b\"\npath = []", []string{"test.hcl:2,8-9: Unsuitable value type"}},
		{"bucket = \"b/app\"\npath = \"app.tar.gz\"", []string{"what comes after the bucket goes into path"}},
		{"buckett = \"b\"\npath = \"app.tar.gz\"", []string{`The argument "bucket" is required`, `Did you mean "bucket"?`}},
	} {
		_, diags := repo.Source(body(t, tt.src), nil)
		var got []string
		for _, d := range diags {
			got = append(got, d.Error())
		}
		check(t, tt.src, got, tt.want)
	}
}

func check(t *testing.T, src string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s:\ngot  %q\nwant %q", src, got, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) || strings.Contains(got[i], "hidden") {
			t.Errorf("%s:\ngot  %q\nwant %q, and nothing hidden", src, got[i], want[i])
		}
	}
}
