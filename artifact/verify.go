package artifact

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

func newHash(a Algorithm) (hash.Hash, error) {
	switch a {
	case MD5:
		return md5.New(), nil
	case SHA1:
		return sha1.New(), nil
	case SHA256:
		return sha256.New(), nil
	case CRC32:
		return crc32.NewIEEE(), nil
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli)), nil
	case CRC64NVME:
		// Every object in S3 has one. The standard library's table takes as long as sha256, and this a thirtieth of it.
		return crc64nvme.New(), nil
	default:
		return nil, fmt.Errorf("the checksum algorithm %q is unknown", string(a))
	}
}

// A Verifier is written all bytes of one artifact, in order, and then says whether they are the ones
// that the repository advertises. It computes everything in that one pass, and always the md5 (the
// artifact's hash) and the sha256, whatever there is to check. Each sum is computed in a goroutine of its own, beside
// whoever writes; they end with the next call of any method but Write and Size, so who may stop in the middle
// calls Stop. It is not safe for concurrent use.
type Verifier struct {
	source string
	want   int64 // -1: unknown
	got    int64
	whole  map[Algorithm]hash.Hash // one each, however many checksums use it
	checks []check
	sums   sums // all of them
}

type check struct {
	want Checksum
	sum  interface{ Sum(b []byte) []byte }
}

// NewVerifier returns a Verifier for size bytes (-1: unknown, then the size is not checked unless
// the parts of a composite checksum give it). The source is named in errors. It is an error if an
// algorithm is unknown, if a sum has not the length of its algorithm, or if part sizes do not add up.
func NewVerifier(source string, size int64, sums []Checksum) (*Verifier, error) {
	v := &Verifier{
		source: source,
		want:   size,
		whole:  map[Algorithm]hash.Hash{MD5: md5.New(), SHA256: sha256.New()},
	}
	for _, c := range sums {
		if err := v.add(c); err != nil {
			return nil, fmt.Errorf("cannot verify %s by %s: %w", source, c, err)
		}
	}
	for _, h := range v.whole {
		v.sums.of = append(v.sums.of, h)
	}
	return v, nil
}

func (v *Verifier) add(c Checksum) error {
	h, err := newHash(c.Algorithm)
	if err != nil {
		return err
	}
	if len(c.Sum) != h.Size() {
		return fmt.Errorf("the sum is %d bytes long and should be %d", len(c.Sum), h.Size())
	}
	if len(c.PartSizes) > 0 {
		var total int64
		for _, n := range c.PartSizes {
			if n < 0 {
				return fmt.Errorf("a part has the size %d", n)
			}
			total += n
		}
		if v.want < 0 {
			v.want = total
		}
		if total != v.want {
			return fmt.Errorf("the parts have %d bytes together and the artifact has %d", total, v.want)
		}
		sums, _ := newHash(c.Algorithm)
		parts := &composite{sizes: c.PartSizes, hex: c.HexParts, part: h, sums: sums}
		v.checks = append(v.checks, check{c, parts})
		v.sums.of = append(v.sums.of, parts)
		return nil
	}
	if v.whole[c.Algorithm] == nil {
		v.whole[c.Algorithm] = h
	}
	v.checks = append(v.checks, check{c, v.whole[c.Algorithm]})
	return nil
}

// Write takes the next bytes. It never fails, and waits only for sums that are far behind.
func (v *Verifier) Write(p []byte) (int, error) {
	v.got += int64(len(p))
	v.sums.write(p)
	return len(p), nil
}

// Stop ends the goroutines, and returns when none is left, within milliseconds. It may be called more than once, and
// the other methods after it.
func (v *Verifier) Stop() { v.sums.end() }

// MD5 returns the md5 of the bytes so far, in lower-case hex.
func (v *Verifier) MD5() string { return v.sum(MD5) }

// SHA256 returns the sha256 of the bytes so far, in lower-case hex.
func (v *Verifier) SHA256() string { return v.sum(SHA256) }

func (v *Verifier) sum(a Algorithm) string {
	v.sums.end()
	return hex.EncodeToString(v.whole[a].Sum(nil))
}

// Size returns how many bytes were written so far.
func (v *Verifier) Size() int64 { return v.got }

// Verify says, after the last byte, whether the bytes are right: nil, a *SizeError or a *ChecksumError.
func (v *Verifier) Verify() error {
	v.sums.end()
	if v.want >= 0 && v.got != v.want {
		return &SizeError{Source: v.source, Want: v.want, Got: v.got}
	}
	for _, c := range v.checks {
		if got := c.sum.Sum(nil); !bytes.Equal(got, c.want.Sum) {
			return &ChecksumError{Source: v.source, Want: c.want, Got: got}
		}
	}
	return nil
}

// A composite computes a checksum of the checksums of parts.
type composite struct {
	sizes []int64   // of the parts not ended yet; the first one is being written
	done  int64     // bytes of that part so far
	hex   bool      // whether the sums of the parts are taken in hex
	part  hash.Hash // over that part
	sums  hash.Hash // over the sums of the parts that have ended
}

// Write implements io.Writer. What is beyond the last part is in no sum: it makes the size wrong.
func (c *composite) Write(p []byte) (int, error) {
	written := len(p)
	for len(c.sizes) > 0 {
		n := min(int64(len(p)), c.sizes[0]-c.done)
		c.part.Write(p[:n])
		c.done += n
		p = p[n:]
		if c.done < c.sizes[0] {
			break
		}
		sum := c.part.Sum(nil)
		if c.hex {
			sum = hex.AppendEncode(nil, sum)
		}
		c.sums.Write(sum)
		c.part.Reset()
		c.sizes, c.done = c.sizes[1:], 0
	}
	return written, nil
}

func (c *composite) Sum(b []byte) []byte {
	_, _ = c.Write(nil) // ends trailing parts of no bytes
	return c.sums.Sum(b)
}
