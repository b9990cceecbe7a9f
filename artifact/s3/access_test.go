package s3_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// addUser makes a user without any right of its own, through versitygw's administration.
func (s *server) addUser(t *testing.T) (access, secret string) {
	t.Helper()
	access, secret = "user-"+strings.ToLower(rand.Text()[:12]), rand.Text()
	payload := fmt.Sprintf("<Account><Access>%s</Access><Secret>%s</Secret><Role>user</Role></Account>", access, secret)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, s.Endpoint+"/create-user", strings.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(payload))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.Secret}, req, hash, "s3", s.Region, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("cannot create a user: %s: %s", resp.Status, text)
	}
	return access, secret
}

func TestAbsentIsNotDenied(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	access, secret := s.addUser(t)
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": [%q]}, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::%s/ours/*"]}]}`, access, s.bucket)
	if _, err := s.admin.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: &s.bucket, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	s.put(t, "ours/a.tar.gz", noise(1000, 1))
	s.put(t, "theirs/a.tar.gz", noise(1000, 2))
	reader := func(key, secret string) artifact.Source {
		return source(t, fmt.Sprintf("accessKey = %q\nsecret = %q\nname = %q\nendpoint = %q\n", access, secret, s.Region, s.Endpoint), s.bucket, key)
	}

	// s3:GetObject is all that a whole download takes.
	src := reader("ours/a.tar.gz", secret)
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sums, err := src.Checksums(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, src, info, sums); err != nil {
		t.Error(err)
	}

	if _, err := reader("ours/absent.tar.gz", secret).Stat(t.Context()); !errors.Is(err, artifact.ErrNotExist) {
		t.Errorf("absent: got error %v, want ErrNotExist", err)
	}
	for name, src := range map[string]artifact.Source{
		"no right to it":               reader("theirs/a.tar.gz", secret),
		"no right to know it's absent": reader("theirs/absent.tar.gz", secret),
		"wrong secret":                 reader("ours/a.tar.gz", "wrong"),
		"wrong secret, absent":         reader("ours/absent.tar.gz", "wrong"),
	} {
		_, err := src.Stat(t.Context())
		denied(t, name+": Stat", err)
		_, err = src.Open(t.Context(), info, 0, -1)
		denied(t, name+": Open", err)
		_, err = src.Checksums(t.Context(), info)
		denied(t, name+": Checksums", err)
	}
}

// An absent object and an absent bucket look the same to HEAD, and not to GET.
func TestAbsenceNamesTheBucket(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	for _, tt := range []struct{ bucket, code string }{{s.bucket, "NoSuchKey"}, {"nowhere-" + s.bucket, "NoSuchBucket"}} {
		src := source(t, fmt.Sprintf("accessKey = %q\nsecret = %q\nname = %q\nendpoint = %q\n", s.AccessKey, s.Secret, s.Region, s.Endpoint), tt.bucket, "absent.tar.gz")
		_, err := src.Stat(t.Context())
		want := fmt.Sprintf("cannot stat s3://%s/absent.tar.gz: artifact does not exist, or there is no bucket %s (NotFound, which does not tell them apart)", tt.bucket, tt.bucket)
		if got := fmt.Sprint(err); got != want || !errors.Is(err, artifact.ErrNotExist) {
			t.Errorf("got error %q, want ErrNotExist and %q", got, want)
		}
		_, err = src.Open(t.Context(), artifact.Info{Revision: `"1"`, Size: 10}, 0, -1)
		want = fmt.Sprintf("cannot open s3://%s/absent.tar.gz: artifact does not exist (%s)", tt.bucket, tt.code)
		if got := fmt.Sprint(err); got != want || !errors.Is(err, artifact.ErrNotExist) {
			t.Errorf("got error %q, want ErrNotExist and %q", got, want)
		}
	}
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), "access denied: check accessKey and secret") {
		t.Errorf("%s: got error %v, want one that says access denied", what, err)
	}
}

// In a bucket with versions a delete leaves a marker and a put leaves what was there before; what a
// Source promises is the same.
func TestConformanceVersioned(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	s.enableVersions(t)
	conformance(t, s)
}

func (s *server) enableVersions(t *testing.T) {
	t.Helper()
	_, err := s.admin.PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
		Bucket:                  &s.bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatalf("cannot give the bucket versions: %v", err)
	}
}

func TestRevisionHasTheVersion(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	s.enableVersions(t)
	content := noise(1000, 1)
	s.put(t, "a.tar.gz", content)
	src := s.source(t, "a.tar.gz", "")
	first, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "a.tar.gz", content) // the same bytes are another version
	second, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Revision == second.Revision || first.MD5 != second.MD5 {
		t.Errorf("got the revisions %q and %q with the md5s %q and %q", first.Revision, second.Revision, first.MD5, second.MD5)
	}
	// Equal ETags are equal bytes, so who began with the first version may go on.
	if err := verify(t, src, first, nil); err != nil {
		t.Error(err)
	}
}

// A download that the server refuses at once costs no bytes; one that we refuse has begun.
func TestDownloadIsPinned(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	s.put(t, "a.tar.gz", noise(1000, 1))
	proxy := faultproxy.Start(t, s.Endpoint)
	src := s.source(t, "a.tar.gz", proxy.URL)
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proxy.Forget()
	if err := verify(t, src, info, nil); err != nil {
		t.Fatal(err)
	}
	requests := proxy.Requests()
	if len(requests) != 1 {
		t.Fatalf("a download made %d requests", len(requests))
	}
	if got, want := requests[0].Header.Get("If-Match"), `"`+info.MD5+`"`; got != want {
		t.Errorf("got If-Match %s, want %s", got, want)
	}
}

// Who calls a Source retries; if the SDK did too, the attempts would multiply.
func TestNoRetries(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	s.put(t, "a.tar.gz", noise(1000, 1))
	proxy := faultproxy.Start(t, s.Endpoint)
	src := s.source(t, "a.tar.gz", proxy.URL)
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusForbidden} {
		proxy.Forget()
		proxy.Break(-1, faultproxy.Status(code), func(*http.Request) bool { return true })
		if _, err := src.Stat(t.Context()); err == nil {
			t.Errorf("status %d: Stat has no error", code)
		}
		if _, err := src.Open(t.Context(), info, 0, -1); err == nil {
			t.Errorf("status %d: Open has no error", code)
		}
		if n := len(proxy.Requests()); n != 2 {
			t.Errorf("status %d: a Stat and an Open made %d requests", code, n)
		}
	}
}
