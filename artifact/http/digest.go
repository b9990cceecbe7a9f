package http

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	nethttp "net/http"
	"strings"

	"github.com/dropship/dropship/artifact"
)

// sumSizes has the algorithms that are looked for, and how many bytes their sums have.
var sumSizes = map[artifact.Algorithm]int{
	artifact.SHA256: sha256.Size,
	artifact.SHA1:   sha1.Size,
	artifact.MD5:    md5.Size,
}

// digestAlgorithms maps the names in Repr-Digest (RFC 9530) and Digest (RFC 3230), in lower case.
// Others, like sha-512, are not checked.
var digestAlgorithms = map[string]artifact.Algorithm{
	"sha-256": artifact.SHA256,
	"sha":     artifact.SHA1,
	"md5":     artifact.MD5,
}

// digests returns the checksums of the whole file in the headers of an answer. Content-Digest is not
// among them: it is about the bytes of one message, which a HEAD and a range do not have.
func digests(header nethttp.Header) ([]artifact.Checksum, error) {
	var sums []artifact.Checksum
	for _, name := range []string{"Repr-Digest", "Digest"} {
		for entry := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
			alg, value, _ := strings.Cut(strings.TrimSpace(entry), "=")
			known, ok := digestAlgorithms[strings.ToLower(alg)]
			if !ok {
				continue
			}
			value, _, _ = strings.Cut(value, ";")
			if name == "Repr-Digest" {
				value = strings.TrimSuffix(strings.TrimPrefix(value, ":"), ":")
			}
			sum, err := decodeSum(known, value)
			if err != nil {
				return nil, fmt.Errorf("the server's header %s cannot be understood: %w", name, err)
			}
			sums = append(sums, sum)
		}
	}
	if value := header.Get("Content-MD5"); value != "" {
		sum, err := decodeSum(artifact.MD5, value)
		if err != nil {
			return nil, fmt.Errorf("the server's header Content-MD5 cannot be understood: %w", err)
		}
		sums = append(sums, sum)
	}
	for i, sum := range sums {
		for _, other := range sums[:i] {
			if sum.Algorithm == other.Algorithm && !bytes.Equal(sum.Sum, other.Sum) {
				return nil, fmt.Errorf("the server's headers have different checksums: %s and %s", other, sum)
			}
		}
	}
	return sums, nil
}

func decodeSum(alg artifact.Algorithm, value string) (artifact.Checksum, error) {
	sum, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return artifact.Checksum{}, fmt.Errorf("%s %q is not base64", alg, value)
	}
	if len(sum) != sumSizes[alg] {
		return artifact.Checksum{}, fmt.Errorf("%s %q has %d bytes and should have %d", alg, value, len(sum), sumSizes[alg])
	}
	return artifact.Checksum{Algorithm: alg, Sum: sum}, nil
}
