// Package artifacttest is the conformance suite for kinds of repositories: what the comments on
// artifact.Source promise, tested against the kind's real server, with a proxy in between that
// breaks what networks break. Tests of the whole daemon use the proxy too.
package artifacttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// A Harness is what a kind of repository gives to the suite: a bucket (a container, a folder) on its
// real server that is the test's own, and ways to reach it. Its functions are called from parallel
// tests. A nil field says that the kind has no such thing, and then no test of the suite is about it.
type Harness struct {
	// Publish stores content under name, in place of what may be there, and returns when the next
	// Stat sees it.
	Publish func(t testing.TB, name string, content []byte)
	// Remove deletes name and returns when the next Stat sees it.
	Remove func(t testing.TB, name string)
	// Swap stores content of the same length in place of what is there so that nothing which the server says of it is
	// different. Nil: no publisher can do that.
	Swap func(t testing.TB, name string, content []byte)
	// Source returns the source for name, made through the kind's New and Repository.Source.
	Source func(t testing.TB, name string) artifact.Source
	// AbsentBucket returns a source in a bucket that does not exist. Nil: there are none, or nobody can tell.
	AbsentBucket func(t testing.TB, name string) artifact.Source
	// Denied returns the source for name with wrong credentials.
	Denied func(t testing.TB, name string) artifact.Source
	// Secrets may be in no error and no name.
	Secrets []string

	// URL is where the server is ("http://host:port"), and SourceVia returns the source for name
	// that goes to the proxy at url instead. Both or none.
	URL       string
	SourceVia func(t testing.TB, name, url string) artifact.Source
	// NoParts is set where the server sends the whole artifact whatever part is asked for.
	NoParts bool
	// Download tells requests for artifact bytes from others (a sidecar, a token). Nil: every GET.
	Download func(*http.Request) bool
}

// Run runs the suite. Every kind runs all of it; what needs a network is left out where URL is empty.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if (h.URL == "") != (h.SourceVia == nil) {
		t.Fatal("Harness.URL and Harness.SourceVia go together")
	}
	src := h.Source(t, "implementation.tar.gz")
	t.Logf("running against %s (%T), server %q", src, src, h.URL)

	type test struct {
		name string
		run  func(*testing.T, Harness)
	}
	tests := []test{
		{"AbsentArtifact", testAbsentArtifact},
		{"Removed", testRemoved},
		{"Empty", testEmpty},
		{"RoundTrip", testRoundTrip},
		{"Offsets", testOffsets},
		{"Revision", testRevision},
		{"ChangedBeforeOpen", testChangedBeforeOpen},
		{"ChangedBeforeResume", testChangedBeforeResume},
		{"CancelledMidRead", testCancelledMidRead},
		{"CancelledBefore", testCancelledBefore},
		{"ClosedEarly", testClosedEarly},
		{"ConcurrentOpens", testConcurrentOpens},
		{"Names", testNames},
	}
	if h.AbsentBucket != nil {
		tests = append(tests, test{"AbsentBucket", testAbsentBucket})
	}
	if h.Denied != nil {
		tests = append(tests, test{"Denied", testDenied})
	}
	if h.URL != "" {
		tests = append(tests,
			test{"Unreachable", testUnreachable},
			test{"ServerErrors", testServerErrors},
			test{"Cut", testCut},
			test{"CutThenChanged", testCutThenChanged},
			test{"ShortBody", testShortBody},
			test{"WrongBytes", testWrongBytes},
			test{"Stalled", testStalled},
			test{"CancelledWhileStalled", testCancelledWhileStalled},
			test{"Fault05BodyIsClosed", testBodyIsClosed},
			test{"OneRequestPerStat", testOneRequestPerStat},
			test{"ManyStatsOnFewConnections", testManyStatsOnFewConnections},
		)
	}
	if h.Swap != nil {
		tests = append(tests, test{"CutThenSwapped", testCutThenSwapped})
	}
	if h.NoParts {
		tests = append(tests, test{"NoParts", testNoParts})
	} else {
		tests = append(tests, test{"Parts", testParts}, test{"PartChanged", testPartChanged})
		if h.URL != "" {
			tests = append(tests, test{"PartIsBounded", testPartIsBounded}, test{"PartCut", testPartCut})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, h)
		})
	}
}

// content returns n bytes that have no period a part or a buffer could hide in.
func content(n int, seed uint32) []byte {
	b := make([]byte, n)
	x := seed*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func stat(t *testing.T, src artifact.Source) artifact.Info {
	t.Helper()
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatalf("cannot stat: %v", err)
	}
	if info.Revision == "" {
		t.Fatalf("the revision of %s is empty", src)
	}
	return info
}

// open reads everything from offset, without resuming.
func open(ctx context.Context, src artifact.Source, info artifact.Info, offset int64) ([]byte, error) {
	return openPart(ctx, src, info, offset, -1)
}

// openPart reads length bytes from offset, without resuming.
func openPart(ctx context.Context, src artifact.Source, info artifact.Info, offset, length int64) ([]byte, error) {
	body, err := src.Open(ctx, info, offset, length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// download is what a stage does: all bytes, resumed where it must be, verified.
func download(ctx context.Context, src artifact.Source, info artifact.Info, o artifact.ResumeOptions) ([]byte, error) {
	sums, err := src.Checksums(ctx, info)
	if err != nil {
		return nil, err
	}
	v, err := artifact.NewVerifier(src.String(), info.Size, sums)
	if err != nil {
		return nil, err
	}
	o.Verified = len(sums) > 0
	r := artifact.NewResumingReader(ctx, src, info, o)
	defer r.Close()
	b, err := io.ReadAll(io.TeeReader(r, v))
	if err != nil {
		return b, err
	}
	return b, v.Verify()
}

// wantIs checks that err is want, and what every error must be.
func (h Harness) wantIs(t *testing.T, src artifact.Source, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
	h.checkText(t, src, what, err)
}

// wantOther checks that err is an error but neither absence nor a change: those are facts.
func (h Harness) wantOther(t *testing.T, src artifact.Source, what string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, artifact.ErrNotExist) || errors.Is(err, artifact.ErrChanged) || errors.Is(err, io.EOF) {
		t.Errorf("%s: got error %v, want one that is none of ErrNotExist, ErrChanged, io.EOF", what, err)
	}
	h.checkText(t, src, what, err)
}

// checkText checks that the error names the source and shows no secret.
func (h Harness) checkText(t *testing.T, src artifact.Source, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if !strings.Contains(err.Error(), src.String()) {
		t.Errorf("%s: the error %q does not name %s", what, err, src)
	}
	h.checkSecrets(t, what, err.Error())
}

func (h Harness) checkSecrets(t *testing.T, what, text string) {
	t.Helper()
	for _, s := range h.Secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s: %q shows a secret", what, text)
		}
	}
}

// isDownload is Download with its default.
func (h Harness) isDownload(r *http.Request) bool {
	if h.Download != nil {
		return h.Download(r)
	}
	return r.Method == http.MethodGet
}
