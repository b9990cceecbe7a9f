package artifact

import (
	"encoding/hex"
	"fmt"
)

// An Algorithm names a checksum algorithm as S3 and HTTP digests do, in lower case.
type Algorithm string

// The algorithms that a Verifier knows.
const (
	MD5       Algorithm = "md5"
	SHA1      Algorithm = "sha1"
	SHA256    Algorithm = "sha256"
	CRC32     Algorithm = "crc32"     // IEEE
	CRC32C    Algorithm = "crc32c"    // Castagnoli
	CRC64NVME Algorithm = "crc64nvme" // NVM Express polynomial 0x9a6c9329ac4bc9b5, reflected
)

// A Checksum is something an artifact's bytes can be checked against.
type Checksum struct {
	Algorithm Algorithm
	Sum       []byte
	// PartSizes, if not empty, makes the checksum a composite: the bytes are cut into parts of these
	// sizes, and Sum is Algorithm over the concatenated binary sums of the parts. That is what S3 keeps
	// for multipart uploads.
	PartSizes []int64
	// HexParts says that a composite's Sum is over the sums of the parts in lower-case hex instead. That
	// is what Swift keeps for static large objects.
	HexParts bool
}

func (c Checksum) String() string {
	if len(c.PartSizes) > 0 {
		return fmt.Sprintf("%s:%s-%d", c.Algorithm, hex.EncodeToString(c.Sum), len(c.PartSizes))
	}
	return fmt.Sprintf("%s:%s", c.Algorithm, hex.EncodeToString(c.Sum))
}

// A ChecksumError means that the bytes are not the ones that the repository advertises.
type ChecksumError struct {
	Source string
	Want   Checksum
	Got    []byte
}

func (e *ChecksumError) Error() string {
	got := e.Want
	got.Sum = e.Got
	return fmt.Sprintf("cannot trust the bytes of %s: their checksum is %s and should be %s", e.Source, got, e.Want)
}

// A SizeError means that there are more or fewer bytes than the repository advertises.
type SizeError struct {
	Source    string
	Want, Got int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("cannot trust the bytes of %s: there are %d of them and should be %d", e.Source, e.Got, e.Want)
}
