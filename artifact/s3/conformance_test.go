package s3_test

import (
	"fmt"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/test/servers"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance(t, newServer(t, servers.Get(t).S3))
}

// Swift's s3api is an older dialect: no stored checksums, no part numbers.
func TestConformanceSwiftS3(t *testing.T) {
	t.Parallel()
	conformance(t, newServer(t, servers.Get(t).SwiftS3))
}

func conformance(t *testing.T, s *server) {
	t.Helper()
	const wrong = "wrong-and-not-to-be-shown"
	t.Logf("the server is %s", s.Version)
	artifacttest.Run(t, artifacttest.Harness{
		Publish: func(t testing.TB, name string, content []byte) { s.put(t, name, content) },
		Remove:  func(t testing.TB, name string) { s.remove(t, name) },
		Source:  func(t testing.TB, name string) artifact.Source { return s.source(t, name, "") },
		AbsentBucket: func(t testing.TB, name string) artifact.Source {
			absent := *s
			absent.bucket += "-absent"
			return absent.source(t, name, "")
		},
		Denied: func(t testing.TB, name string) artifact.Source {
			return source(t, fmt.Sprintf("accessKey = %q\nsecret = %q\nname = %q\nendpoint = %q\n",
				s.AccessKey, wrong, s.Region, s.Endpoint), s.bucket, name)
		},
		Secrets:   []string{s.Secret, wrong},
		URL:       s.Endpoint,
		SourceVia: func(t testing.TB, name, url string) artifact.Source { return s.source(t, name, url) },
	})
}
