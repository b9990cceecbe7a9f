package artifact_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/dropship/dropship/artifact"
)

func randomBytes(r *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// However the bytes come, and whatever is asked meanwhile, the sums are of all of them, in order.
func TestVerifierChunks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{1000, 100_000, 128 << 10, 1 << 20, 5 << 20} {
		data := randomBytes(random, 3<<20+random.IntN(1<<20))
		sha := sha256.Sum256(data)
		one, two := md5.Sum(data[:1<<20]), md5.Sum(data[1<<20:])
		parts := md5.Sum(append(one[:], two[:]...))
		nvme := crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
		nvme.Write(data)
		v, err := artifact.NewVerifier("s3://b/k", int64(len(data)), []artifact.Checksum{
			{Algorithm: artifact.SHA256, Sum: sha[:]},
			{Algorithm: artifact.CRC64NVME, Sum: nvme.Sum(nil)},
			{Algorithm: artifact.MD5, Sum: parts[:], PartSizes: []int64{1 << 20, int64(len(data)) - 1<<20}},
		})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, most)
		for done := 0; done < len(data); {
			n := copy(buf[:1+random.IntN(most)], data[done:])
			_, _ = v.Write(buf[:n])
			clear(buf) // it is the caller's again
			done += n
			switch random.IntN(max(2, len(data)/most)) {
			case 0:
				if want := md5.Sum(data[:done]); v.MD5() != hex.EncodeToString(want[:]) {
					t.Errorf("at most %d at once: the md5 of the first %d bytes is wrong", most, done)
				}
			case 1:
				v.Stop()
			}
		}
		if want := md5.Sum(data); v.MD5() != hex.EncodeToString(want[:]) || v.SHA256() != hex.EncodeToString(sha[:]) {
			t.Errorf("at most %d at once: got md5 %s and sha256 %s, want others", most, v.MD5(), v.SHA256())
		}
		if err := v.Verify(); err != nil {
			t.Errorf("at most %d at once: got error %v for the right bytes", most, err)
		}
	}
}

// A bubble of synctest fails if a goroutine that it began is left at its end.
func TestVerifierLeavesNoGoroutine(t *testing.T) {
	data := bytes.Repeat([]byte("123456789"), 100_000)
	other := artifact.Checksum{Algorithm: artifact.MD5, Sum: make([]byte, md5.Size)}
	for name, end := range map[string]func(t *testing.T, v *artifact.Verifier){
		"stopped in the middle": func(_ *testing.T, v *artifact.Verifier) {
			v.Stop()
			v.Stop()
		},
		"asked for a sum": func(_ *testing.T, v *artifact.Verifier) { v.SHA256() },
		"of other bytes": func(t *testing.T, v *artifact.Verifier) {
			if _, ok := errors.AsType[*artifact.ChecksumError](v.Verify()); !ok {
				t.Error("the bytes are not the ones advertised, and pass")
			}
		},
		"of too few bytes": func(t *testing.T, v *artifact.Verifier) {
			_, _ = v.Write(data[1:])
			if _, ok := errors.AsType[*artifact.SizeError](v.Verify()); !ok {
				t.Error("a byte is missing, and they pass")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, err := artifact.NewVerifier("s3://b/k", int64(len(data)), []artifact.Checksum{other})
				if err != nil {
					t.Fatal(err)
				}
				if name != "of too few bytes" {
					_, _ = v.Write(data)
				}
				end(t, v)
			})
		})
	}
}

// BenchmarkVerify is what the hashes take, beside which an artifact is unpacked.
func BenchmarkVerify(b *testing.B) {
	data := randomBytes(rand.New(rand.NewPCG(1, 2)), 16<<20)
	nvme := crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	nvme.Write(data)
	checks := []artifact.Checksum{{Algorithm: artifact.CRC64NVME, Sum: nvme.Sum(nil)}} // what S3 keeps
	const chunk = 256 << 10
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		v, err := artifact.NewVerifier("s3://b/k", int64(len(data)), checks)
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(data); i += chunk {
			_, _ = v.Write(data[i : i+chunk])
		}
		if err := v.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
