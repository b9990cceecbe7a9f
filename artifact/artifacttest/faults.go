package artifacttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// What happens when the network or the server breaks.

// quick are the options of a resuming reader that does not make the tests wait.
func quick(onResume func(artifact.Resume)) artifact.ResumeOptions {
	return artifact.ResumeOptions{BaseDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond, OnResume: onResume}
}

// drain reads to the end and returns the error that ended it, io.EOF included.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return io.EOF
}

// via publishes content and returns its source behind a proxy, with one Stat and whatever
// authentication it takes done.
func (h Harness) via(t *testing.T, name string, content []byte) (*faultproxy.Proxy, artifact.Source, artifact.Info) {
	t.Helper()
	h.Publish(t, name, content)
	p := faultproxy.Start(t, h.URL)
	src := h.SourceVia(t, name, p.URL)
	return p, src, stat(t, src)
}

func testUnreachable(t *testing.T, h Harness) {
	const name = "unreachable.tar.gz"
	src := h.SourceVia(t, name, "http://"+servers.Reserve(t))
	_, err := src.Stat(t.Context())
	h.wantOther(t, src, "Stat", err)
	_, err = open(t.Context(), src, artifact.Info{Revision: "00000000000000000000000000000000", Size: 10}, 0)
	h.wantOther(t, src, "Open", err)
}

func testServerErrors(t *testing.T, h Harness) {
	p, src, info := h.via(t, "server-errors.tar.gz", content(1000, 20))
	all := func(*http.Request) bool { return true }
	for _, code := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusForbidden} {
		p.Break(-1, faultproxy.Status(code), all)
		_, err := src.Stat(t.Context())
		h.wantOther(t, src, "Stat with "+faultproxy.Status(code).String(), err)
		_, err = open(t.Context(), src, info, 0)
		h.wantOther(t, src, "Open with "+faultproxy.Status(code).String(), err)
	}
	p.Break(0, faultproxy.Fault{}, nil)
	if again := stat(t, src); again.Revision != info.Revision {
		t.Errorf("the revision is %q after the errors and was %q before", again.Revision, info.Revision)
	}
}

func testCut(t *testing.T, h Harness) {
	want := content(500_000, 21)
	p, src, info := h.via(t, "cut.tar.gz", want)

	p.Break(1, faultproxy.Cut(200_000), h.isDownload)
	_, err := open(t.Context(), src, info, 0)
	h.wantOther(t, src, "Read of a cut body", err)

	p.Forget()
	p.Break(2, faultproxy.Cut(200_000), h.isDownload)
	var resumes []int64
	got, err := download(t.Context(), src, info, quick(func(r artifact.Resume) {
		h.checkText(t, src, "Resume.Cause", r.Cause)
		resumes = append(resumes, r.Offset)
	}))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
	}
	if len(resumes) != 2 {
		t.Errorf("got resumes at %v, want two", resumes)
	}
	// Each connection must begin where the one before was cut: bytes that arrived are not fetched again.
	var ranges []string
	for _, r := range p.Requests() {
		if h.isDownload(r) {
			ranges = append(ranges, r.Header.Get("Range"))
		}
	}
	if len(ranges) != 1+len(resumes) {
		t.Fatalf("got downloads with the ranges %q, want %d of them", ranges, 1+len(resumes))
	}
	for i, offset := range resumes {
		if start := rangeStart(ranges[i+1]); start != offset {
			t.Errorf("resumed at byte %d with the range %q", offset, ranges[i+1])
		}
	}
}

func testCutThenChanged(t *testing.T, h Harness) {
	const name = "cut-then-changed.tar.gz"
	p, src, info := h.via(t, name, content(500_000, 22))
	p.Break(1, faultproxy.Cut(200_000), h.isDownload)
	_, err := download(t.Context(), src, info, quick(func(artifact.Resume) {
		h.Publish(t, name, content(500_000, 23))
	}))
	h.wantIs(t, src, "download", err, artifact.ErrChanged)
}

// What was there before the cut and what is there after it are not put together, or a checksum tells.
func testCutThenSwapped(t *testing.T, h Harness) {
	const name = "cut-then-swapped.tar.gz"
	first, second := content(500_000, 31), content(500_000, 32)
	p, src, info := h.via(t, name, first)
	if !info.Weak {
		t.Error("the source says that it can tell the two apart")
	}
	p.Break(1, faultproxy.Cut(200_000), h.isDownload)
	body := artifact.NewResumingReader(t.Context(), src, info, quick(nil))
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 100_000)); err != nil {
		t.Error(err)
	}
	h.Swap(t, name, second)
	if again := stat(t, src); again.Revision != info.Revision {
		t.Errorf("the revision is %q and was %q: the test shows nothing", again.Revision, info.Revision)
	}
	h.wantOther(t, src, "Read of what was swapped after a cut", drain(body))

	anew := artifact.NewResumingReader(t.Context(), src, info, quick(nil))
	defer anew.Close()
	if got, err := io.ReadAll(anew); err != nil || !bytes.Equal(got, second) {
		t.Errorf("got %d bytes and error %v when all is fetched anew, want the %d bytes that are there", len(got), err, len(second))
	}

	h.Swap(t, name, first)
	p.Break(1, faultproxy.Cut(200_000), h.isDownload)
	_, err := download(t.Context(), src, info, quick(func(artifact.Resume) { h.Swap(t, name, second) }))
	var sum *artifact.ChecksumError
	if !errors.As(err, &sum) {
		t.Errorf("got error %v for bytes of both, want a *artifact.ChecksumError", err)
	}
}

func testShortBody(t *testing.T, h Harness) {
	want := content(10_000, 24)
	p, src, info := h.via(t, "short-body.tar.gz", want)
	p.Break(1, faultproxy.Short(4000), h.isDownload)
	_, err := open(t.Context(), src, info, 0)
	h.wantIs(t, src, "Read of a short body", err, io.ErrUnexpectedEOF)

	p.Break(1, faultproxy.Short(4000), h.isDownload)
	got, err := download(t.Context(), src, info, quick(nil))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
	}
}

func testWrongBytes(t *testing.T, h Harness) {
	p, src, info := h.via(t, "wrong-bytes.tar.gz", content(100_000, 25))
	p.Break(1, faultproxy.Flip(70_000), h.isDownload)
	_, err := download(t.Context(), src, info, quick(nil))
	var sum *artifact.ChecksumError
	if !errors.As(err, &sum) {
		t.Errorf("got error %v, want a *artifact.ChecksumError", err)
	}
	h.checkText(t, src, "Verify", err)
}

func testStalled(t *testing.T, h Harness) {
	want := content(100_000, 26)
	p, src, info := h.via(t, "stalled.tar.gz", want)
	p.Break(1, faultproxy.Stall(30_000), h.isDownload)
	resumes := 0
	o := quick(func(artifact.Resume) { resumes++ })
	o.StallTimeout = 3 * time.Second // longer than a busy machine is silent by itself
	got, err := download(t.Context(), src, info, o)
	if resumes == 0 {
		t.Error("nothing was resumed after the stall")
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
	}
}

// Fault 5 of the 2018 tool: the response body was never closed. Closing it lets go of the connection at once, though
// the answer has not ended and the context goes on.
func testBodyIsClosed(t *testing.T, h Harness) {
	p, src, info := h.via(t, "closed.tar.gz", content(100_000, 27))
	p.Break(1, faultproxy.Stall(30_000), h.isDownload)
	body, err := src.Open(t.Context(), info, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		t.Errorf("cannot read: %v", err)
	}
	if p.Answering() == 0 { // more than one where Stat itself is a GET whose end is still on its way
		t.Error("no answer is under way before the close")
	}
	body.Close()
	deadline := time.Now().Add(time.Minute)
	for p.Answering() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still open long after the body was closed")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func testCancelledWhileStalled(t *testing.T, h Harness) {
	p, src, info := h.via(t, "cancelled-while-stalled.tar.gz", content(100_000, 27))
	p.Break(1, faultproxy.Stall(30_000), h.isDownload)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := src.Open(ctx, info, 0, -1)
	if err != nil {
		t.Fatalf("cannot open: %v", err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 30_000)); err != nil {
		t.Fatalf("cannot read what was sent: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- drain(body) }() // blocks: nothing more is sent
	cancel()
	select {
	case err := <-ended:
		h.wantIs(t, src, "Read", err, context.Canceled)
	case <-time.After(time.Minute):
		t.Error("a read goes on a minute after the end of its context")
	}
}

func testOneRequestPerStat(t *testing.T, h Harness) {
	p, src, _ := h.via(t, "one-request-per-stat.tar.gz", content(100_000, 28))
	p.Forget()
	for range 3 {
		stat(t, src)
	}
	if got := p.Requests(); len(got) != 3 {
		t.Errorf("three Stats made %d requests: %v", len(got), got)
	}
}

// Many services of a machine are checked at once when it starts: each by one request, on a few connections, which are
// kept.
func testManyStatsOnFewConnections(t *testing.T, h Harness) {
	const stats, most = 200, 64 // 32 at a time, and those whose answers are just coming to their ends
	p, src, _ := h.via(t, "many-stats.tar.gz", content(1000, 30))
	connections := func() int {
		all := make(map[string]bool)
		for _, r := range p.Requests() {
			all[r.RemoteAddr] = true
		}
		return len(all)
	}
	p.Forget()
	var wg sync.WaitGroup
	for range stats {
		wg.Go(func() {
			if _, err := src.Stat(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(p.Requests()); got != stats {
		t.Errorf("%d Stats made %d requests", stats, got)
	}
	made := connections()
	if made > most {
		t.Errorf("%d Stats at once made %d connections, want at most %d", stats, made, most)
	}
	for range 3 {
		stat(t, src)
	}
	if got := connections(); got != made {
		t.Errorf("three more Stats made %d connections, want them to use those that there are", got-made)
	}
}

// rangeStart returns the first byte that a Range header asks for; without one that is byte 0.
func rangeStart(header string) int64 {
	var start int64
	if _, err := fmt.Sscanf(header, "bytes=%d-", &start); err != nil {
		return 0
	}
	return start
}
