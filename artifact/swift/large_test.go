package swift_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	ncw "github.com/ncw/swift/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
)

// parts are the segments of the large objects here; their sizes differ, as those of a last one do.
var parts = [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_000), bytes.Repeat([]byte("c"), 7)}

// uploadParts stores the segments under prefix and returns their manifest entries.
func (c *cloud) uploadParts(t *testing.T, prefix string, parts [][]byte) []map[string]any {
	t.Helper()
	var manifest []map[string]any
	for i, part := range parts {
		name := fmt.Sprintf("%s/%08d", prefix, i)
		c.put(t, c.segments(), name, part, nil)
		manifest = append(manifest, map[string]any{"path": "/" + c.segments() + "/" + name})
	}
	return manifest
}

// putStatic makes a static large object of the manifest.
func (c *cloud) putStatic(t *testing.T, path string, manifest []map[string]any, header ncw.Headers) {
	t.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	storage, err := c.conn.GetStorageUrl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.conn.Call(t.Context(), storage, ncw.RequestOpts{
		Container: c.bucket, ObjectName: path, Operation: http.MethodPut, NoResponse: true,
		Parameters: map[string][]string{"multipart-manifest": {"put"}},
		Headers:    header, Body: bytes.NewReader(text),
	})
	if err != nil {
		t.Fatalf("cannot put the manifest of %s: %v", path, err)
	}
}

func (c *cloud) putDynamic(t *testing.T, path, prefix string, header ncw.Headers) {
	t.Helper()
	all := ncw.Headers{"X-Object-Manifest": c.segments() + "/" + prefix + "/"}
	for name, value := range header {
		all[name] = value
	}
	c.put(t, c.bucket, path, nil, all)
}

// download gets the bytes as an update does: resumed where it must be, and verified by sums.
func download(ctx context.Context, src artifact.Source, info artifact.Info) ([]byte, []artifact.Checksum, error) {
	sums, err := src.Checksums(ctx, info)
	if err != nil {
		return nil, nil, err
	}
	v, err := artifact.NewVerifier(src.String(), info.Size, sums)
	if err != nil {
		return nil, sums, err
	}
	r := artifact.NewResumingReader(ctx, src, info, artifact.ResumeOptions{BaseDelay: 1})
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.TeeReader(r, v))
	if err != nil {
		return b, sums, err
	}
	return b, sums, v.Verify()
}

func stat(t *testing.T, src artifact.Source) artifact.Info {
	t.Helper()
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestStaticLargeObject(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const path = "big one.tar.gz"
	want := bytes.Join(parts, nil)
	c.putStatic(t, path, c.uploadParts(t, "v1", parts), nil)
	src, proxy := c.via(t, path)

	info := stat(t, src)
	if info.MD5 != "" || info.Size != int64(len(want)) {
		t.Errorf("got md5 %q and size %d, want no md5 and %d", info.MD5, info.Size, len(want))
	}
	proxy.Break(1, faultproxy.Cut(400_000), isDownload)
	got, sums, err := download(t.Context(), src, info)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes and error %v, want the %d bytes uploaded", len(got), err, len(want))
	}
	if len(sums) != 1 || !sums[0].HexParts || !slices.Equal(sums[0].PartSizes, []int64{300_000, 200_000, 7}) {
		t.Errorf("got the checksums %v, want the one over the segments", sums)
	}

	proxy.Break(1, faultproxy.Flip(300_001), isDownload)
	var sum *artifact.ChecksumError
	if _, _, err = download(t.Context(), src, info); !errors.As(err, &sum) {
		t.Errorf("a byte changed in flight: got error %v, want a *ChecksumError", err)
	}

	other := append([][]byte{[]byte(strings.Repeat("x", 300_000))}, parts[1:]...)
	c.putStatic(t, path, c.uploadParts(t, "v2", other), nil)
	for _, offset := range []int64{0, 250_000} {
		if _, err := src.Open(t.Context(), info, offset, -1); !errors.Is(err, artifact.ErrChanged) {
			t.Errorf("open at %d after a change: got error %v, want ErrChanged", offset, err)
		}
	}
	if _, err := src.Checksums(t.Context(), info); !errors.Is(err, artifact.ErrChanged) {
		t.Errorf("checksums after a change: got error %v, want ErrChanged", err)
	}
	if now := stat(t, src); now.Revision == info.Revision {
		t.Errorf("the revision is %q before and after a change", now.Revision)
	}
}

// A manifest of manifests, or of ranges, does not tell the md5s of the bytes that one gets.
func TestStaticLargeObjectWithoutChecksum(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	manifest := c.uploadParts(t, "parts", parts)
	c.putStatic(t, "inner", manifest, nil)
	for name, tt := range map[string]struct {
		manifest []map[string]any
		want     []byte
	}{
		"nested": {[]map[string]any{{"path": "/" + c.bucket + "/inner"}, manifest[2]}, append(bytes.Join(parts, nil), parts[2]...)},
		"range":  {[]map[string]any{manifest[2], {"path": manifest[0]["path"], "range": "0-9"}}, append(slices.Clone(parts[2]), parts[0][:10]...)},
		"inline": {[]map[string]any{manifest[2], {"data": "ZGF0YQ=="}}, append(slices.Clone(parts[2]), "data"...)},
	} {
		c.putStatic(t, name, tt.manifest, nil)
		src := c.source(t, name)
		got, sums, err := download(t.Context(), src, stat(t, src))
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: got %d bytes and error %v, want %d bytes", name, len(got), err, len(tt.want))
		}
		if len(sums) != 0 {
			t.Errorf("%s: got the checksums %v, want none", name, sums)
		}
	}
}

// A segment that is replaced after its manifest was made leaves a large object that cannot be read.
func TestStaticLargeObjectWithLostSegment(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.putStatic(t, "broken", c.uploadParts(t, "parts", parts), nil)
	src := c.source(t, "broken")
	info := stat(t, src)
	c.put(t, c.segments(), "parts/00000000", bytes.Repeat([]byte("z"), 300_000), nil)
	_, err := src.Open(t.Context(), info, 0, -1)
	if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), "segment") {
		t.Errorf("got error %v, want one that speaks of the segment", err)
	}
}

func TestDynamicLargeObject(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const path = "dynamic.tar.gz"
	want := bytes.Join(parts, nil)
	c.uploadParts(t, "d", parts)
	c.putDynamic(t, path, "d", nil)
	src, proxy := c.via(t, path)

	info := stat(t, src)
	if info.MD5 != "" || info.Size != int64(len(want)) {
		t.Errorf("got md5 %q and size %d, want no md5 and %d", info.MD5, info.Size, len(want))
	}
	proxy.Break(1, faultproxy.Cut(400_000), isDownload)
	got, sums, err := download(t.Context(), src, info)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and error %v, want the %d bytes uploaded", len(got), err, len(want))
	}
	if len(sums) != 0 {
		t.Errorf("got the checksums %v, want none", sums)
	}

	// One segment changes; the manifest, and its time, do not.
	c.put(t, c.segments(), "d/00000001", bytes.Repeat([]byte("B"), 200_000), nil)
	if now := stat(t, src); now.Revision == info.Revision {
		t.Errorf("the revision is %q before and after a change of a segment", now.Revision)
	}
	if _, err := src.Open(t.Context(), info, 10, -1); !errors.Is(err, artifact.ErrChanged) {
		t.Errorf("open after a change of a segment: got error %v, want ErrChanged", err)
	}
}

func TestChecksumsInMetadata(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const (
		md5    = "5eb63bbbe01eeed093cb22bb8f5acdc3" // of "hello world"
		sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
	)
	hello := [][]byte{[]byte("hello "), []byte("world")}
	c.uploadParts(t, "d", hello)
	c.putDynamic(t, "dynamic", "d", ncw.Headers{"X-Object-Meta-Md5": md5, "X-Object-Meta-Sha256": strings.ToUpper(sha256)})
	c.put(t, c.bucket, "plain", []byte("hello world"), ncw.Headers{"X-Object-Meta-Sha256": sha256})
	for path, want := range map[string]string{
		"dynamic": "[sha256:" + sha256 + " md5:" + md5 + "]",
		"plain":   "[sha256:" + sha256 + " md5:" + md5 + "]",
	} {
		src := c.source(t, path)
		_, sums, err := download(t.Context(), src, stat(t, src))
		if got := fmt.Sprint(sums); err != nil || got != want {
			t.Errorf("%s: got the checksums %s and error %v, want %s", path, got, err, want)
		}
	}

	c.putDynamic(t, "wrong", "d", ncw.Headers{"X-Object-Meta-Md5": strings.Repeat("0", 32)})
	src := c.source(t, "wrong")
	var sum *artifact.ChecksumError
	if _, _, err := download(t.Context(), src, stat(t, src)); !errors.As(err, &sum) {
		t.Errorf("metadata of other bytes: got error %v, want a *ChecksumError", err)
	}
	c.putDynamic(t, "malformed", "d", ncw.Headers{"X-Object-Meta-Md5": "yes"})
	src = c.source(t, "malformed")
	if _, err := src.Checksums(t.Context(), stat(t, src)); err == nil || !strings.Contains(err.Error(), "X-Object-Meta-Md5") {
		t.Errorf("malformed metadata: got error %v, want one that names the header", err)
	}
}

func isDownload(r *http.Request) bool {
	return r.Method == http.MethodGet && !isLogin(r) && r.URL.RawQuery == ""
}
