package s3_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
)

// What the servers of the tests never answer, but others do.

const md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e"

// stub returns a source at a server that answers as handler does.
func stub(t *testing.T, handler http.HandlerFunc) artifact.Source {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return source(t, fmt.Sprintf("accessKey = \"a\"\nsecret = \"s\"\nname = \"us-west-1\"\nendpoint = %q\n", server.URL), "bucket", "a.tar.gz")
}

func TestETagThatIsNoMD5(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		etag   string
		header string
		value  string
		md5    string
	}{
		{name: "plain", etag: md5OfNothing, md5: md5OfNothing},
		{name: "encrypted by S3", etag: md5OfNothing, header: "X-Amz-Server-Side-Encryption", value: "AES256", md5: md5OfNothing},
		{name: "encrypted by KMS", etag: md5OfNothing, header: "X-Amz-Server-Side-Encryption", value: "aws:kms"},
		{name: "encrypted by KMS twice", etag: md5OfNothing, header: "X-Amz-Server-Side-Encryption", value: "aws:kms:dsse"},
		{name: "encrypted by the customer", etag: md5OfNothing, header: "X-Amz-Server-Side-Encryption-Customer-Algorithm", value: "AES256"},
		{name: "in parts", etag: md5OfNothing + "-2"},
		{name: "in parts, encrypted by KMS", etag: md5OfNothing + "-2", header: "X-Amz-Server-Side-Encryption", value: "aws:kms"},
		{name: "more parts than there can be", etag: md5OfNothing + "-1000000000", header: "X-Amz-Mp-Parts-Count", value: "1000000000"},
		{name: "something else", etag: "0123456789"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := stub(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"`+tt.etag+`"`)
				if tt.header != "" {
					w.Header().Set(tt.header, tt.value)
				}
				w.Header().Set("Content-Length", "0") // and no parts count: this server knows nothing of them
			})
			info, err := src.Stat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if info.MD5 != tt.md5 {
				t.Errorf("got md5 %q, want %q", info.MD5, tt.md5)
			}
			sums, err := src.Checksums(t.Context(), info)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if tt.md5 != "" {
				want = []string{"md5"}
			}
			if diff := cmp.Diff(want, names(sums)); diff != "" {
				t.Errorf("got other checksums (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that answers a part number with the whole object knows nothing of parts, whatever it counts.
func TestPartsThatDoNotAddUp(t *testing.T) {
	t.Parallel()
	src := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"`+md5OfNothing+`-2"`)
		w.Header().Set("X-Amz-Mp-Parts-Count", "2")
		w.Header().Set("Content-Length", "10")
	})
	sums, err := src.Checksums(t.Context(), artifact.Info{Revision: `"` + md5OfNothing + `-2"`, Size: 10})
	if err != nil || len(sums) != 0 {
		t.Errorf("got the checksums %v and error %v, want none of both", sums, err)
	}
}

func TestServersThatIgnoreWhatWasAsked(t *testing.T) {
	t.Parallel()
	src := stub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+md5OfNothing+`"`)
		_, _ = io.WriteString(w, "0123456789")
	})
	if _, err := src.Open(t.Context(), artifact.Info{Revision: `"other"`, Size: 10}, 0, -1); !errors.Is(err, artifact.ErrChanged) {
		t.Errorf("If-Match ignored: got error %v, want ErrChanged", err)
	}
	_, err := src.Open(t.Context(), artifact.Info{Revision: `"` + md5OfNothing + `"`, Size: 10}, 5, -1)
	if err == nil || !strings.Contains(err.Error(), "Content-Range \"\" cannot be understood") {
		t.Errorf("Range ignored: got error %v", err)
	}
}

func TestAnswersThatAreExplained(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"another region", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			w.WriteHeader(http.StatusMovedPermanently)
		}, `the bucket is in region "eu-central-1": set name in the repo block`},
		{"another region, by its signature", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			w.WriteHeader(http.StatusBadRequest)
		}, `the bucket is in region "eu-central-1": set name in the repo block`},
		{"in an archive", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>")
		}, "the object is archived and must be restored first"},
	} {
		src := stub(t, tt.answer)
		_, err := src.Open(t.Context(), artifact.Info{Revision: `"1"`, Size: 10}, 0, -1)
		if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), src.String()) {
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// HEAD has no body, so the server cannot say what it dislikes.
func TestRefusedWithoutAWord(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect} {
		src := stub(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		_, err := src.Stat(t.Context())
		if err == nil || !strings.Contains(err.Error(), "check name (the region) and endpoint") || !strings.Contains(err.Error(), src.String()) {
			t.Errorf("status %d: got error %v, want one that says what to check", code, err)
		}
	}
}

func TestNoS3Server(t *testing.T) {
	t.Parallel()
	src := stub(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if _, err := src.Stat(t.Context()); err == nil || !strings.Contains(err.Error(), "is the endpoint an S3 server?") {
		t.Errorf("got error %v", err)
	}
}

// A page that says 404 is not S3's word that an object is absent; only of HEAD, which has no body,
// there is nothing but the status.
func TestNotFoundOfAnother(t *testing.T) {
	t.Parallel()
	src := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<html><body>not found</body></html>")
	})
	_, err := src.Open(t.Context(), artifact.Info{Revision: `"1"`, Size: 10}, 0, -1)
	if err == nil || errors.Is(err, artifact.ErrNotExist) {
		t.Errorf("got error %v, want one that is not ErrNotExist", err)
	}
}

// An object is replaced while it is asked about, and its server answers with the new ETag and the old size. That is no
// cut of the download, which would be taken up again and again at the end of the object.
func TestTornAnswerIsAChange(t *testing.T) {
	t.Parallel()
	const body = "0123456789"
	for _, tt := range []struct {
		said           int // the size that HEAD answers
		offset, length int64
	}{
		{said: len(body) + 9, offset: 5, length: -1},
		{said: len(body) + 9, offset: 5, length: 3},
		{said: len(body) + 9, offset: int64(len(body)), length: -1},
		{said: len(body) - 2, length: -1},
		{said: len(body) - 2, offset: 5, length: -1},
	} {
		src := stub(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"`+md5OfNothing+`"`)
			if r.Method == http.MethodHead {
				w.Header().Set("Content-Length", fmt.Sprint(tt.said))
				return
			}
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
		})
		info, err := src.Stat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Open(t.Context(), info, tt.offset, tt.length); !errors.Is(err, artifact.ErrChanged) {
			t.Errorf("%+v: got %v, want ErrChanged", tt, err)
		}
	}
}
