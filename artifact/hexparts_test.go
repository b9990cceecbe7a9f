package artifact_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// Swift makes the Etag of a static large object from the md5s of its segments in hex, S3 that of a
// multipart upload from the same sums in binary.
func TestVerifierCompositeOfHexSums(t *testing.T) {
	segments := []string{"first segment", "second", ""}
	var sums, bytes string
	var sizes []int64
	for _, s := range segments {
		sum := md5.Sum([]byte(s))
		sums += hex.EncodeToString(sum[:])
		bytes += s
		sizes = append(sizes, int64(len(s)))
	}
	want := md5.Sum([]byte(sums))
	check := func(c artifact.Checksum, content string) error {
		t.Helper()
		v, err := artifact.NewVerifier("swift://b/o", int64(len(content)), []artifact.Checksum{c})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []byte(content) { // segments do not end where writes do
			_, _ = v.Write([]byte{b})
		}
		return v.Verify()
	}
	c := artifact.Checksum{Algorithm: artifact.MD5, Sum: want[:], PartSizes: sizes, HexParts: true}
	if err := check(c, bytes); err != nil {
		t.Errorf("the right bytes: got error %v, want none", err)
	}
	sumError := (*artifact.ChecksumError)(nil)
	if err := check(c, "x"+bytes[1:]); !errors.As(err, &sumError) {
		t.Errorf("other bytes: got error %v, want a *ChecksumError", err)
	}
	c.HexParts = false
	if err := check(c, bytes); !errors.As(err, &sumError) {
		t.Errorf("sums in binary: got error %v, want a *ChecksumError", err)
	}
}
