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
	conformance(t, servers.Get(t).S3)
}

// Swift's s3api is an older dialect: no stored checksums, no part numbers.
func TestConformanceSwiftS3(t *testing.T) {
	t.Parallel()
	conformance(t, servers.Get(t).SwiftS3)
}

func conformance(t *testing.T, at servers.S3) {
	const wrong = "wrong-and-not-to-be-shown"
	s := newServer(t, at)
	t.Logf("server %s", at.Version)
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
				at.AccessKey, wrong, at.Region, at.Endpoint), s.bucket, name)
		},
		Secrets:   []string{at.Secret, wrong},
		URL:       at.Endpoint,
		SourceVia: func(t testing.TB, name, url string) artifact.Source { return s.source(t, name, url) },
	})
}
