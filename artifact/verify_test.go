package artifact_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifier(t *testing.T) {
	// The check values of the algorithms' own definitions, over "123456789".
	const text = "123456789"
	composite := func(sums ...[]byte) []byte {
		h := md5.New()
		for _, s := range sums {
			h.Write(s)
		}
		return h.Sum(nil)
	}
	part := func(s string) []byte { b := md5.Sum([]byte(s)); return b[:] }
	sha := sha1.Sum([]byte(text))
	sha2 := sha256.Sum256([]byte(text))

	for _, c := range []artifact.Checksum{
		{Algorithm: artifact.MD5, Sum: unhex(t, "25f9e794323b453885f5181f1b624d0b")},
		{Algorithm: artifact.SHA1, Sum: sha[:]},
		{Algorithm: artifact.SHA256, Sum: sha2[:]},
		{Algorithm: artifact.CRC32, Sum: unhex(t, "cbf43926")},
		{Algorithm: artifact.CRC32C, Sum: unhex(t, "e3069283")},
		{Algorithm: artifact.CRC64NVME, Sum: unhex(t, "ae8b14860a799888")},
		{Algorithm: artifact.MD5, Sum: composite(part("1234"), part("5678"), part("9")), PartSizes: []int64{4, 4, 1}},
		{Algorithm: artifact.MD5, Sum: composite(part(text)), PartSizes: []int64{9}},
		{Algorithm: artifact.MD5, Sum: composite(part(""), part(text), part("")), PartSizes: []int64{0, 9, 0}},
	} {
		t.Run(c.String(), func(t *testing.T) {
			for _, chunk := range []int{1, 2, 5, 9} {
				v := verifier(t, 9, c)
				write(v, text, chunk)
				if err := v.Verify(); err != nil {
					t.Errorf("in chunks of %d: %v", chunk, err)
				}
				wrong := verifier(t, 9, c)
				write(wrong, "123456780", chunk)
				var want *artifact.ChecksumError
				if err := wrong.Verify(); !errors.As(err, &want) || want.Want.Algorithm != c.Algorithm {
					t.Errorf("wrong bytes in chunks of %d: got error %v, want a *ChecksumError", chunk, err)
				}
			}
		})
	}
}

func verifier(t *testing.T, size int64, sums ...artifact.Checksum) *artifact.Verifier {
	t.Helper()
	v, err := artifact.NewVerifier("s3://b/k", size, sums)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func write(v *artifact.Verifier, s string, chunk int) {
	for len(s) > 0 {
		n := min(chunk, len(s))
		_, _ = v.Write([]byte(s[:n]))
		s = s[n:]
	}
}

func TestVerifierHashesAlways(t *testing.T) {
	v := verifier(t, -1)
	write(v, "123456789", 4)
	if got, want := v.MD5(), "25f9e794323b453885f5181f1b624d0b"; got != want {
		t.Errorf("got md5 %s, want %s", got, want)
	}
	if got, want := v.SHA256(), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"; got != want {
		t.Errorf("got sha256 %s, want %s", got, want)
	}
	if got := v.Size(); got != 9 {
		t.Errorf("got size %d, want 9", got)
	}
	if err := v.Verify(); err != nil {
		t.Errorf("got error %v without anything to check", err)
	}
}

func TestVerifierSize(t *testing.T) {
	parts := artifact.Checksum{Algorithm: artifact.MD5, Sum: make([]byte, 16), PartSizes: []int64{4, 4}}
	for name, v := range map[string]*artifact.Verifier{
		"one too few":       verifier(t, 10),
		"one too many":      verifier(t, 8),
		"beyond parts":      verifier(t, 8, parts),
		"parts give a size": verifier(t, -1, parts),
	} {
		write(v, "123456789", 9)
		var want *artifact.SizeError
		if err := v.Verify(); !errors.As(err, &want) || want.Got != 9 {
			t.Errorf("%s: got error %v, want a *SizeError", name, err)
		}
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	sum := make([]byte, 16)
	for _, tt := range []struct {
		sum  artifact.Checksum
		want string
	}{
		{artifact.Checksum{Algorithm: "md4", Sum: sum}, `"md4" is unknown`},
		{artifact.Checksum{Algorithm: artifact.MD5, Sum: sum[:15]}, "15 bytes long"},
		{artifact.Checksum{Algorithm: artifact.MD5, Sum: sum, PartSizes: []int64{4, 6}}, "10 bytes together and the artifact has 9"},
		{artifact.Checksum{Algorithm: artifact.MD5, Sum: sum, PartSizes: []int64{10, -1}}, "size -1"},
	} {
		_, err := artifact.NewVerifier("s3://b/k", 9, []artifact.Checksum{tt.sum})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "s3://b/k") {
			t.Errorf("%v: got error %v, want one with %q", tt.sum, err, tt.want)
		}
	}
}
