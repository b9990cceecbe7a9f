package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// FuzzErrors wants that an artifact is absent only where S3 says so in as many words, whatever status and body a
// server answers with, and that every error names the object and keeps the secret.
func FuzzErrors(f *testing.F) {
	const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>1</RequestId></Error>`
	for _, code := range []string{"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "AccessDenied", "PreconditionFailed", "InvalidObjectState", "SlowDown", "PermanentRedirect", ""} {
		for _, status := range []uint16{400, 403, 404, 412, 500, 503} {
			f.Add(status, fmt.Sprintf(xml, code, "text"), "")
		}
	}
	for _, body := range []string{"", "<html>", "<Error>", "<Error><Code>NoSuchKey</Code></Error", "\x00\xff", `<!DOCTYPE a [<!ENTITY b "c">]><Error><Code>&b;</Code></Error>`, "NoSuchKey"} {
		f.Add(uint16(404), body, "eu-central-1")
		f.Add(uint16(301), body, "eu-central-1")
	}
	type reply struct {
		status       int
		body, region string
	}
	var next reply
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", next.region)
		w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
		w.WriteHeader(next.status)
		_, _ = io.WriteString(w, next.body)
	}))
	f.Cleanup(server.Close)
	src := source(f, fmt.Sprintf("accessKey = \"a\"\nsecret = \"hunter2hunter2\"\nname = \"us-west-1\"\nendpoint = %q\n", server.URL), "bucket", "a.tar.gz")
	f.Fuzz(func(t *testing.T, status uint16, body, region string) {
		next = reply{300 + int(status)%300, body, region}
		_, statErr := src.Stat(t.Context())
		content, openErr := src.Open(t.Context(), artifact.Info{Revision: `"e"`, Size: 10}, 0, -1)
		if openErr == nil {
			content.Close()
		}
		for _, err := range []error{statErr, openErr} {
			switch {
			case err == nil:
				t.Errorf("%+v: got no error", next)
			case !strings.Contains(err.Error(), src.String()):
				t.Errorf("%+v: got %v, which does not name the object", next, err)
			case strings.Contains(err.Error(), "hunter2hunter2") && !strings.Contains(body+region, "hunter2hunter2"):
				t.Errorf("%+v: got %v, with the secret in it", next, err)
			}
			if errors.Is(err, artifact.ErrNotExist) && next.status != http.StatusNotFound && !strings.Contains(body, "NoSuch") && !strings.Contains(body, "NotFound") {
				t.Errorf("%+v: absent, says %v", next, err)
			}
		}
	})
}
