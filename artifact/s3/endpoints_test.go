package s3

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// asked takes down what would have been asked, and whom, but for what differs by the second.
type asked struct {
	mu       sync.Mutex
	requests []string
}

func (a *asked) Do(req *http.Request) (*http.Response, error) {
	header := req.Header.Clone()
	signed, _, _ := strings.Cut(header.Get("Authorization"), "Signature=")
	if scheme, scope, ok := strings.Cut(signed, "Credential="); ok {
		parts := strings.Split(scope, "/")
		signed = scheme + strings.Join(slices.Delete(parts, 1, 2), "/") // the date
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"} {
		header.Del(name)
	}
	var all strings.Builder
	all.WriteString(req.Method + " " + req.URL.String() + "\n" + signed + "\n")
	_ = header.Write(&all)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, all.String())
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// What is remembered of a bucket makes the very requests that the SDK makes without it, whatever it takes to reach it.
func TestRememberedEndpoints(t *testing.T) {
	t.Parallel()
	keys := []string{"a.tar.gz", "b/c d.tar.gz"}
	for _, bucket := range []string{
		"bucket", "a.bucket.with.dots", "bucket--use1-az4--x-s3",
		"arn:aws:s3:us-west-2:123456789012:accesspoint:ours",
		"arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap",
		"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/ours",
	} {
		for name, server := range map[string]func(*s3.Options){
			"Amazon":        func(*s3.Options) {},
			"another":       func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String("https://s3.example.com/below"), true },
			"another's ARN": func(o *s3.Options) { o.UseARNRegion = true },
		} {
			t.Run(bucket+" "+name, func(t *testing.T) {
				t.Parallel()
				ask := func(more ...func(*s3.Options)) []string {
					var a asked
					client := s3.New(s3.Options{
						Region: "us-east-1", HTTPClient: &a, Retryer: aws.NopRetryer{},
						Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "token"),
					}, server)
					var all sync.WaitGroup
					for range 4 {
						for _, key := range keys {
							all.Go(func() {
								_, _ = client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key}, more...)
							})
						}
					}
					all.Wait()
					slices.Sort(a.requests)
					return a.requests
				}
				var e endpoints
				want := ask()
				for range 2 { // at first they are found, then known
					if diff := cmp.Diff(want, ask(e.use)); diff != "" {
						t.Errorf("what is asked differs (-without +with):\n%s", diff)
					}
				}
			})
		}
	}
}
