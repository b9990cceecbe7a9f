package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

const mib = 1 << 20

// noise returns n bytes that differ from those of another seed, and in no part alike.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// What is stored with an object depends on how it was uploaded; whichever it is, right bytes must be
// accepted and one wrong bit refused.
func TestChecksums(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	small, large := noise(1000, 1), noise(11*mib, 2)
	even, odd := []int{5 * mib, 5 * mib, mib}, []int{6 * mib, 5 * mib}
	with := func(a types.ChecksumAlgorithm) func(*awss3.PutObjectInput) {
		return func(in *awss3.PutObjectInput) { in.ChecksumAlgorithm = a }
	}
	sum := md5.Sum(small)
	metadata := func(name, value string) func(*awss3.PutObjectInput) {
		return func(in *awss3.PutObjectInput) { in.Metadata = map[string]string{name: value} }
	}

	for _, tt := range []struct {
		name string
		put  func(t *testing.T, key string)
		want []string // in order: the algorithm and the number of parts
		size int
	}{
		{"one request", func(t *testing.T, key string) { s.put(t, key, small) }, []string{"crc64nvme", "md5"}, len(small)},
		{"one request, crc32", func(t *testing.T, key string) { s.put(t, key, small, with("CRC32")) }, []string{"crc32", "md5"}, len(small)},
		{"one request, crc32c", func(t *testing.T, key string) { s.put(t, key, small, with("CRC32C")) }, []string{"crc32c", "md5"}, len(small)},
		{"one request, crc64nvme", func(t *testing.T, key string) { s.put(t, key, small, with("CRC64NVME")) }, []string{"crc64nvme", "md5"}, len(small)},
		{"one request, sha1", func(t *testing.T, key string) { s.put(t, key, small, with("SHA1")) }, []string{"sha1", "md5"}, len(small)},
		{"one request, sha256", func(t *testing.T, key string) { s.put(t, key, small, with("SHA256")) }, []string{"sha256", "md5"}, len(small)},
		{"metadata in base64", func(t *testing.T, key string) {
			s.put(t, key, small, metadata("Md5chksum", base64.StdEncoding.EncodeToString(sum[:])))
		}, []string{"crc64nvme", "md5", "md5"}, len(small)},
		{"metadata in hex", func(t *testing.T, key string) { s.put(t, key, small, metadata("md5", hex.EncodeToString(sum[:]))) }, []string{"crc64nvme", "md5", "md5"}, len(small)},
		{"metadata that is no md5", func(t *testing.T, key string) { s.put(t, key, small, metadata("md5", "see the wiki")) }, []string{"crc64nvme", "md5"}, len(small)},

		{"parts", func(t *testing.T, key string) { s.putParts(t, key, large, even, "", "") }, []string{"crc64nvme"}, len(large)},
		{"parts, crc64nvme", func(t *testing.T, key string) { s.putParts(t, key, large, even, "CRC64NVME", "FULL_OBJECT") }, []string{"crc64nvme"}, len(large)},
		{"parts, crc32 of all", func(t *testing.T, key string) { s.putParts(t, key, large, even, "CRC32", "FULL_OBJECT") }, []string{"crc32"}, len(large)},
		{"parts, crc32 of parts", func(t *testing.T, key string) { s.putParts(t, key, large, even, "CRC32", "COMPOSITE") }, []string{"crc32-3", "md5-3"}, len(large)},
		{"parts, crc32c of parts", func(t *testing.T, key string) { s.putParts(t, key, large, odd, "CRC32C", "COMPOSITE") }, []string{"crc32c-2", "md5-2"}, len(large)},
		{"parts, sha1 of parts", func(t *testing.T, key string) { s.putParts(t, key, large, even, "SHA1", "COMPOSITE") }, []string{"sha1-3", "md5-3"}, len(large)},
		{"parts, sha256 of parts", func(t *testing.T, key string) { s.putParts(t, key, large, even, "SHA256", "COMPOSITE") }, []string{"sha256-3", "md5-3"}, len(large)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := tt.name + ".tar.gz"
			tt.put(t, key)
			proxy := faultproxy.Start(t, s.Endpoint)
			checkChecksums(t, proxy, s.source(t, key, proxy.URL), tt.want, tt.size)
		})
	}
}

// Servers store a checksum of their own with every upload now. What was uploaded before, or to a server
// that does not, has only its ETag; the proxy makes it so by hiding what is stored.
func TestChecksumsOfETagAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	large := noise(17*mib, 4)
	for _, tt := range []struct {
		name  string
		sizes []int // nil: in one request
		want  []string
	}{
		{"one request", nil, []string{"md5"}},
		{"one part", []int{17 * mib}, []string{"md5-1"}},
		{"parts of 8 MiB", []int{8 * mib, 8 * mib, mib}, []string{"md5-3"}},
		{"parts of other sizes", []int{9 * mib, 5*mib + 1, 3*mib - 1}, []string{"md5-3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := tt.name + ".tar.gz"
			if tt.sizes == nil {
				s.put(t, key, large)
			} else {
				s.putParts(t, key, large, tt.sizes, "", "")
			}
			proxy := faultproxy.Start(t, s.Endpoint)
			proxy.Break(-1, faultproxy.Hide("X-Amz-Checksum-"), func(r *http.Request) bool { return r.Method == http.MethodHead })
			checkChecksums(t, proxy, s.source(t, key, proxy.URL), tt.want, len(large))
		})
	}
}

// checkChecksums checks that an object has the checksums want, and that these accept its bytes and no others.
func checkChecksums(t *testing.T, proxy *faultproxy.Proxy, src artifact.Source, want []string, size int) {
	t.Helper()
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sums, err := src.Checksums(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, names(sums)); diff != "" {
		t.Errorf("got other checksums (-want +got):\n%s", diff)
	}
	plain := want[len(want)-1] == "md5"
	if (info.MD5 != "") != plain {
		t.Errorf("got md5 %q of the ETag %s", info.MD5, info.Revision)
	}
	if err := verify(t, src, info, sums); err != nil {
		t.Errorf("the right bytes: %v", err)
	}
	for i, sum := range sums { // each one by itself
		at := int64(i+1) * int64(size-1) / int64(len(sums))
		proxy.Break(1, faultproxy.Flip(at), nil)
		var refused *artifact.ChecksumError
		if err := verify(t, src, info, []artifact.Checksum{sum}); !errors.As(err, &refused) {
			t.Errorf("byte %d flipped, checked by %s: got error %v, want a *ChecksumError", at, sum, err)
		}
	}
}

func names(sums []artifact.Checksum) []string {
	var s []string
	for _, c := range sums {
		name := string(c.Algorithm)
		if len(c.PartSizes) > 0 {
			name += fmt.Sprintf("-%d", len(c.PartSizes))
		}
		s = append(s, name)
	}
	return s
}

func verify(t *testing.T, src artifact.Source, info artifact.Info, sums []artifact.Checksum) error {
	t.Helper()
	v, err := artifact.NewVerifier(src.String(), info.Size, sums)
	if err != nil {
		return err
	}
	r := artifact.NewResumingReader(t.Context(), src, info, artifact.ResumeOptions{})
	defer r.Close()
	if _, err := io.Copy(v, r); err != nil {
		return err
	}
	return v.Verify()
}

// A server that knows no part numbers leaves only what is in the metadata.
func TestChecksumsWithoutPartNumbers(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).SwiftS3)
	large := noise(11*mib, 3)
	sizes := []int{5 * mib, 5 * mib, mib}
	sum := md5.Sum(large)

	s.putParts(t, "none.tar.gz", large, sizes, "", "")
	s.putParts(t, "metadata.tar.gz", large, sizes, "", "", func(in *awss3.CreateMultipartUploadInput) {
		in.Metadata = map[string]string{"md5chksum": base64.StdEncoding.EncodeToString(sum[:])}
	})
	for key, want := range map[string][]string{"none.tar.gz": nil, "metadata.tar.gz": {"md5"}} {
		src := s.source(t, key, "")
		info, err := src.Stat(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.MD5 != "" {
			t.Errorf("%s: got md5 %s of an object in parts", key, info.MD5)
		}
		sums, err := src.Checksums(t.Context(), info)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, names(sums)); diff != "" {
			t.Errorf("%s: got other checksums (-want +got):\n%s", key, diff)
		}
		if err := verify(t, src, info, sums); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestChecksumsOfChangedObject(t *testing.T) {
	t.Parallel()
	s := newServer(t, servers.Get(t).S3)
	s.put(t, "a.tar.gz", bytes.Repeat([]byte("1"), 100))
	src := s.source(t, "a.tar.gz", "")
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "a.tar.gz", bytes.Repeat([]byte("2"), 100))
	if _, err := src.Checksums(t.Context(), info); !errors.Is(err, artifact.ErrChanged) {
		t.Errorf("got error %v, want ErrChanged", err)
	}
}
