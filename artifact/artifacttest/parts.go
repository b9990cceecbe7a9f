package artifacttest

import (
	"bytes"
	"io"
	"net/http/httptrace"
	"sync"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
)

// Parts may be asked for in any order, over several connections at once.
func testParts(t *testing.T, h Harness) {
	const name = "parts.tar.gz"
	want := content(300_000, 15)
	h.Publish(t, name, want)
	src := h.Source(t, name)
	info := stat(t, src)
	var wg sync.WaitGroup
	for _, part := range [][2]int64{{0, 1}, {0, 300_000}, {299_999, 1}, {100_000, 200_000}, {1, 299_998}, {100_000, 100_000}, {0, 100_000}} {
		offset, length := part[0], part[1]
		wg.Go(func() {
			got, err := openPart(t.Context(), src, info, offset, length)
			if err != nil || !bytes.Equal(got, want[offset:offset+length]) {
				t.Errorf("offset %d, length %d: got %d bytes and error %v", offset, length, len(got), err)
			}
		})
	}
	wg.Wait()
}

func testPartChanged(t *testing.T, h Harness) {
	const name = "part-changed.tar.gz"
	h.Publish(t, name, content(1000, 16))
	src := h.Source(t, name)
	info := stat(t, src)
	h.Publish(t, name, content(1000, 17))
	for _, part := range [][2]int64{{0, 1000}, {500, 100}} {
		_, err := openPart(t.Context(), src, info, part[0], part[1])
		h.wantIs(t, src, "Open of a part", err, artifact.ErrChanged)
	}
	h.Remove(t, name)
	_, err := openPart(t.Context(), src, info, 500, 100)
	h.wantIs(t, src, "Open of a part", err, artifact.ErrNotExist)
}

// Whoever asks for a part learns that there are none, and gets no other bytes in its place.
func testNoParts(t *testing.T, h Harness) {
	const name = "no-parts.tar.gz"
	h.Publish(t, name, content(1000, 18))
	src := h.Source(t, name)
	info := stat(t, src)
	for _, part := range [][2]int64{{0, 100}, {500, 100}} {
		got, err := openPart(t.Context(), src, info, part[0], part[1])
		h.wantOther(t, src, "Open of a part", err)
		if len(got) > 0 {
			t.Errorf("got %d bytes of another part", len(got))
		}
	}
}

// Not a byte beyond a part is sent, and the next request goes over the same connection.
func testPartIsBounded(t *testing.T, h Harness) {
	_, src, info := h.via(t, "part-is-bounded.tar.gz", content(500_000, 29))
	if info.Ranges == info.Weak {
		t.Errorf("the source says %v to its parts being fetched by themselves, and %v to their being of different bytes", info.Ranges, info.Weak)
	}
	var reused []bool
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { reused = append(reused, c.Reused) },
	})
	for i := range int64(5) {
		body, err := src.Open(ctx, info, i*100_000, 100_000)
		if err != nil {
			t.Fatalf("cannot open part %d: %v", i, err)
		}
		if n, err := io.Copy(io.Discard, body); err != nil || n != 100_000 {
			t.Errorf("part %d: got %d bytes and error %v", i, n, err)
		}
		body.Close()
	}
	opened := 0
	for _, again := range reused {
		if !again {
			opened++
		}
	}
	if opened > 2 { // net/http gives up a connection whose writer was held up for 50ms
		t.Errorf("the requests opened %d connections, want the one before used again: %v", opened, reused)
	}
	if len(reused) != 5 {
		t.Errorf("five parts took %d requests", len(reused))
	}
}

func testPartCut(t *testing.T, h Harness) {
	p, src, info := h.via(t, "part-cut.tar.gz", content(500_000, 30))
	p.Break(1, faultproxy.Cut(50_000), h.isDownload)
	_, err := openPart(t.Context(), src, info, 100_000, 100_000)
	h.wantOther(t, src, "Read of a cut part", err)

	p.Break(1, faultproxy.Short(50_000), h.isDownload)
	_, err = openPart(t.Context(), src, info, 100_000, 100_000)
	h.wantIs(t, src, "Read of a short part", err, io.ErrUnexpectedEOF)

	// A cache that knows of no parts answers with all there is: those bytes are not the part's.
	p.Break(1, faultproxy.Forge("Content-Range", "bytes 0-499999/500000"), h.isDownload)
	got, err := openPart(t.Context(), src, info, 100_000, 100_000)
	h.wantOther(t, src, "Open of a part that is another", err)
	if len(got) > 0 {
		t.Errorf("got %d bytes of another part", len(got))
	}
}
