package artifacttest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/test/faultproxy"
)

// A download ends with the right bytes whatever happens to one of its connections.
func TestDownloadsOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	for _, k := range kinds(t) {
		want := noise(500_000)
		k.publish("a.tar", want)
		for _, f := range []faultproxy.Fault{
			faultproxy.Refuse(),
			faultproxy.Lose(),
			faultproxy.Silence(),
			faultproxy.Cut(0),
			faultproxy.Cut(200_000),
			faultproxy.Reset(200_000),
			faultproxy.Stall(0),
			faultproxy.Stall(200_000),
			faultproxy.Trickle(10, 200*time.Millisecond),
			faultproxy.Short(200_000),
			faultproxy.Unsized(200_000),
			faultproxy.Status(http.StatusInternalServerError),
			faultproxy.Status(http.StatusBadGateway),
			faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "1"),
			faultproxy.Status(http.StatusTooManyRequests),
			faultproxy.StatusStall(http.StatusServiceUnavailable),
			faultproxy.Loop(http.StatusTemporaryRedirect),
			faultproxy.Raw("HTTP/1.1 200 OK\r\nContent-Le"),
			faultproxy.Raw("\x00\x01\x02"),
		} {
			t.Run(k.name+"/"+f.String(), func(t *testing.T) {
				t.Parallel()
				p := faultproxy.Start(t, k.url)
				src := k.source(t, "a.tar", p.URL)
				info := k.awaitStat(t, src)
				p.Break(1, f, k.isDownload)
				o := quick
				o.OnResume = func(r artifact.Resume) { k.showsNoSecret(t, r.Cause) }
				got, err := artifacttest.Download(t.Context(), src, info, o)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes and error %v, want all %d", len(got), err, len(want))
				}
				// What breaks before its answer, net/http asks again by itself; all else takes a resume.
				if slices.IndexFunc(p.Requests(), k.isDownload) == len(p.Requests())-1 {
					t.Error("it was fetched at once, so nothing broke")
				}
			})
		}
	}
}

// Wrong bytes are refused, whoever says that they are right.
func TestWrongBytesAreRefused(t *testing.T) {
	t.Parallel()
	for _, k := range kinds(t) {
		k.publish("a.tar", noise(100_000))
		for _, f := range []faultproxy.Fault{faultproxy.Flip(0), faultproxy.Flip(99_999)} {
			t.Run(k.name+"/"+f.String(), func(t *testing.T) {
				t.Parallel()
				p := faultproxy.Start(t, k.url)
				src := k.source(t, "a.tar", p.URL)
				info := k.awaitStat(t, src)
				p.Break(1, f, k.isDownload)
				_, err := artifacttest.Download(t.Context(), src, info, quick)
				if _, ok := errors.AsType[*artifact.ChecksumError](err); !ok {
					t.Errorf("got error %v, want a *artifact.ChecksumError", err)
				}
			})
		}
		for _, f := range []faultproxy.Fault{
			faultproxy.Forge("Etag", `"00000000000000000000000000000000"`),
			faultproxy.Forge("Content-Range", "bytes 0-10/100000"),
			faultproxy.Forge("Last-Modified", "Thu, 01 Jan 1970 00:00:01 GMT"),
		} {
			t.Run(k.name+"/"+f.String(), func(t *testing.T) {
				t.Parallel()
				p := faultproxy.Start(t, k.url)
				src := k.source(t, "a.tar", p.URL)
				info := k.awaitStat(t, src)
				p.Break(-1, f, k.isDownload)
				got, err := artifacttest.Download(t.Context(), src, info, quick)
				if err == nil && !bytes.Equal(got, noise(100_000)) {
					t.Errorf("got %d wrong bytes without an error", len(got))
				}
			})
		}
	}
}

// A large download over ten cuts fetches under 1.2 times its size, and over a link that flaps it ends all the same.
func TestLargeDownloadOverTenCuts(t *testing.T) {
	t.Parallel()
	const size, cuts, small = 22 << 20, 10, 3 << 20
	want := noise(size)
	for _, k := range kinds(t) {
		k.publish("a.tar", want)
		k.publish("small.tar", want[:small])
		t.Run(k.name+"/cut", func(t *testing.T) {
			t.Parallel()
			p := faultproxy.Start(t, k.url)
			src := k.source(t, "a.tar", p.URL)
			info := k.awaitStat(t, src)
			p.Forget()
			p.Break(cuts, faultproxy.Cut(2<<20), k.isDownload)
			resumes, o := 0, quick
			o.OnResume = func(artifact.Resume) { resumes++ }
			got, err := artifacttest.Download(t.Context(), src, info, o)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes and error %v, want all %d", len(got), err, size)
			}
			if resumes < cuts { // more where a busy machine was silent for longer than these tests wait
				t.Errorf("got %d resumes, want %d", resumes, cuts)
			}
			sent := p.Sent()
			t.Logf("%d bytes were fetched for %d: %.4f times", sent, size, float64(sent)/size)
			if sent*10 > size*12 || sent < size {
				t.Errorf("%d bytes were fetched for %d, want under 1.2 times", sent, size)
			}
		})
		t.Run(k.name+"/flap", func(t *testing.T) {
			t.Parallel()
			p := faultproxy.Start(t, k.url)
			src := k.source(t, "small.tar", p.URL)
			info := k.awaitStat(t, src)
			// 200ms up and 300ms down; a slow line, so that it takes more than one of these.
			p.Break(-1, faultproxy.Trickle(128<<10, 5*time.Millisecond), k.isDownload)
			resumes, o := 0, quick
			o.Attempts = 50 // of those, some end in the very moment that the link is down
			o.BaseDelay, o.MaxDelay = 50*time.Millisecond, 50*time.Millisecond
			o.OnResume = func(artifact.Resume) { resumes++ }
			o.Verified = true // below
			r := artifact.NewResumingReader(t.Context(), src, info, o)
			defer r.Close()
			p.Flap(200*time.Millisecond, 300*time.Millisecond)
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[:small]) {
				t.Errorf("got %d bytes and error %v, want all %d", len(got), err, small)
			}
			if resumes == 0 {
				t.Error("it was not resumed, so nothing flapped")
			}
			t.Logf("%d resumes", resumes)
		})
	}
}
