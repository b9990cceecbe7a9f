package artifacttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// What the repository answers when nothing is broken.

func testAbsentArtifact(t *testing.T, h Harness) {
	src := h.Source(t, "absent.tar.gz")
	_, err := src.Stat(t.Context())
	h.wantIs(t, src, "Stat", err, artifact.ErrNotExist)
	_, err = open(t.Context(), src, artifact.Info{Revision: "00000000000000000000000000000000", Size: 10}, 0)
	h.wantIs(t, src, "Open", err, artifact.ErrNotExist)
}

func testAbsentBucket(t *testing.T, h Harness) {
	src := h.AbsentBucket(t, "absent-bucket.tar.gz")
	_, err := src.Stat(t.Context())
	h.wantIs(t, src, "Stat", err, artifact.ErrNotExist)
	_, err = open(t.Context(), src, artifact.Info{Revision: "00000000000000000000000000000000", Size: 10}, 0)
	h.wantIs(t, src, "Open", err, artifact.ErrNotExist)
}

func testRemoved(t *testing.T, h Harness) {
	const name = "removed.tar.gz"
	h.Publish(t, name, content(1000, 1))
	src := h.Source(t, name)
	info := stat(t, src)
	h.Remove(t, name)
	_, err := open(t.Context(), src, info, 0)
	h.wantIs(t, src, "Open", err, artifact.ErrNotExist)
	_, err = src.Stat(t.Context())
	h.wantIs(t, src, "Stat", err, artifact.ErrNotExist)
}

func testDenied(t *testing.T, h Harness) {
	const name = "denied.tar.gz"
	h.Publish(t, name, content(1000, 2))
	info := stat(t, h.Source(t, name))
	src := h.Denied(t, name)
	_, err := src.Stat(t.Context())
	h.wantOther(t, src, "Stat", err)
	_, err = open(t.Context(), src, info, 0)
	h.wantOther(t, src, "Open", err)
	// Who may not look cannot know what is absent.
	absent := h.Denied(t, "denied-and-absent.tar.gz")
	_, err = absent.Stat(t.Context())
	h.wantOther(t, absent, "Stat of an absent artifact", err)
}

func testEmpty(t *testing.T, h Harness) {
	const name = "empty.tar.gz"
	h.Publish(t, name, nil)
	src := h.Source(t, name)
	info := stat(t, src)
	if info.Size != 0 {
		t.Errorf("got size %d, want 0", info.Size)
	}
	got, err := download(t.Context(), src, info, artifact.ResumeOptions{})
	if err != nil || len(got) != 0 {
		t.Errorf("got %d bytes and error %v, want none of both", len(got), err)
	}
}

func testRoundTrip(t *testing.T, h Harness) {
	const name = "deep/er/round-trip.tar.gz"
	want := content(300_000, 3)
	h.Publish(t, name, want)
	src := h.Source(t, name)
	info := stat(t, src)
	if info.Size != int64(len(want)) {
		t.Errorf("got size %d, want %d", info.Size, len(want))
	}
	sums, err := src.Checksums(t.Context(), info)
	if err != nil {
		t.Fatalf("cannot get the checksums: %v", err)
	}
	if len(sums) == 0 {
		t.Errorf("%s has nothing to check the bytes against", src)
	}
	if info.MD5 != "" && !hasMD5(sums, info.MD5) {
		t.Errorf("the md5 %s is not among the checksums %v", info.MD5, sums)
	}
	got, err := download(t.Context(), src, info, artifact.ResumeOptions{})
	if err != nil {
		t.Fatalf("cannot download: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes that are not the %d that were published", len(got), len(want))
	}
}

func hasMD5(sums []artifact.Checksum, md5 string) bool {
	for _, s := range sums {
		if s.Algorithm == artifact.MD5 && len(s.PartSizes) == 0 && fmt.Sprintf("%x", s.Sum) == md5 {
			return true
		}
	}
	return false
}

func testOffsets(t *testing.T, h Harness) {
	const name = "offsets.tar.gz"
	want := content(5000, 4)
	h.Publish(t, name, want)
	src := h.Source(t, name)
	info := stat(t, src)
	for _, offset := range []int64{0, 1, 2500, 4999, 5000} {
		got, err := open(t.Context(), src, info, offset)
		if err != nil || !bytes.Equal(got, want[offset:]) {
			t.Errorf("offset %d: got %d bytes and error %v, want the last %d bytes", offset, len(got), err, 5000-offset)
		}
	}
}

func testRevision(t *testing.T, h Harness) {
	const name = "revision.tar.gz"
	h.Publish(t, name, content(1000, 5))
	src := h.Source(t, name)
	first := stat(t, src)
	if again := stat(t, src); again.Revision != first.Revision {
		t.Errorf("two Stats of the same bytes gave the revisions %q and %q", first.Revision, again.Revision)
	}
	if other := stat(t, h.Source(t, name)); other.Revision != first.Revision {
		t.Errorf("another source for the same bytes gave the revisions %q and %q", first.Revision, other.Revision)
	}
	h.Publish(t, name, content(1000, 6))
	if changed := stat(t, src); changed.Revision == first.Revision {
		t.Errorf("the revision is %q before and after a change", first.Revision)
	}
}

func testChangedBeforeOpen(t *testing.T, h Harness) {
	const name = "changed-before-open.tar.gz"
	h.Publish(t, name, content(1000, 7))
	src := h.Source(t, name)
	info := stat(t, src)
	h.Publish(t, name, content(1000, 8))
	_, err := open(t.Context(), src, info, 0)
	h.wantIs(t, src, "Open", err, artifact.ErrChanged)
}

func testChangedBeforeResume(t *testing.T, h Harness) {
	const name = "changed-before-resume.tar.gz"
	want := content(1000, 9)
	h.Publish(t, name, want)
	src := h.Source(t, name)
	info := stat(t, src)
	got, err := open(t.Context(), src, info, 0)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes and error %v", len(got), err)
	}
	h.Publish(t, name, content(1000, 10))
	_, err = open(t.Context(), src, info, 500)
	h.wantIs(t, src, "Open", err, artifact.ErrChanged)
}

func testCancelledBefore(t *testing.T, h Harness) {
	const name = "cancelled-before.tar.gz"
	h.Publish(t, name, content(1000, 11))
	src := h.Source(t, name)
	info := stat(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := src.Stat(ctx)
	h.wantIs(t, src, "Stat", err, context.Canceled)
	_, err = open(ctx, src, info, 0)
	h.wantIs(t, src, "Open", err, context.Canceled)
}

func testCancelledMidRead(t *testing.T, h Harness) {
	const name = "cancelled-mid-read.tar.gz"
	h.Publish(t, name, content(1<<20, 12))
	src := h.Source(t, name)
	info := stat(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := src.Open(ctx, info, 0, -1)
	if err != nil {
		t.Fatalf("cannot open: %v", err)
	}
	defer body.Close()
	if _, err := body.Read(make([]byte, 100)); err != nil {
		t.Fatalf("cannot read: %v", err)
	}
	cancel()
	h.wantIs(t, src, "Read", drain(body), context.Canceled)
}

func testClosedEarly(t *testing.T, h Harness) {
	const name = "closed-early.tar.gz"
	want := content(1<<20, 14)
	h.Publish(t, name, want)
	src := h.Source(t, name)
	info := stat(t, src)
	for i := range 5 {
		body, err := src.Open(t.Context(), info, 0, -1)
		if err != nil {
			t.Fatalf("open %d: %v", i, err)
		}
		if _, err := io.ReadFull(body, make([]byte, 10*i)); err != nil {
			t.Errorf("open %d: cannot read: %v", i, err)
		}
		body.Close()
	}
	if got, err := download(t.Context(), src, info, artifact.ResumeOptions{}); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
	}
}

func testConcurrentOpens(t *testing.T, h Harness) {
	const name = "concurrent-opens.tar.gz"
	want := content(200_000, 13)
	h.Publish(t, name, want)
	src := h.Source(t, name) // its first use is concurrent too
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			info, err := src.Stat(t.Context())
			if err != nil {
				t.Errorf("cannot stat: %v", err)
				return
			}
			got, err := download(t.Context(), src, info, artifact.ResumeOptions{})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
			}
		})
	}
	wg.Wait()
}

func testNames(t *testing.T, h Harness) {
	for i, name := range []string{
		"with space.tar.gz",
		"dir with space/and more.tar.gz",
		"ünïcödé/日本語.tar.gz",
		"a+b.tar.gz",
		"100%.tar.gz",
		"50%25.tar.gz",
		"hash#tag.tar.gz",
		"question?mark=1&more.tar.gz",
		"quote'\"and(brackets)[1].tar.gz",
		"semi;colon:and@at,comma~tilde.tar.gz",
	} {
		t.Run(name, func(t *testing.T) {
			want := content(100, uint32(100+i))
			h.Publish(t, name, want)
			src := h.Source(t, name)
			h.checkSecrets(t, "String", src.String())
			info := stat(t, src)
			got, err := download(t.Context(), src, info, artifact.ResumeOptions{})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes and error %v, want the %d bytes published", len(got), err, len(want))
			}
		})
	}
}
