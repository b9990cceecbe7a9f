package swift

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
)

// maxManifest is more than the manifest of as many segments as Swift allows has, in bytes.
const maxManifest = 16 << 20

// Checksums implements artifact.Source. Strongest first:
//
//   - a sha256 or md5 of the whole that the uploader put into the metadata, in hex
//     (X-Object-Meta-Sha256, X-Object-Meta-Md5);
//   - the Etag of a plain object, which is its md5;
//   - the Etag of a static large object, which is the md5 of the hex md5s of its segments, with the sizes
//     that the manifest has. If a segment is itself a large object or only a range of an object is
//     meant, the manifest does not tell enough, and there is none. Nor is there one where the server
//     makes the Etag in another way than Swift (Ceph does for some uploads);
//   - for a dynamic large object nothing more, since Swift promises nothing about its segments.
func (s *source) Checksums(ctx context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	sums, err := s.checksums(ctx, info)
	if err != nil {
		return nil, fmt.Errorf("cannot get the checksums of %s: %w", s, err)
	}
	return sums, nil
}

func (s *source) checksums(ctx context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	o, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	if o.info.Revision != info.Revision {
		return nil, artifact.ErrChanged
	}
	sums, err := metadataSums(o.header)
	if err != nil {
		return nil, err
	}
	if o.info.MD5 != "" {
		sum, err := hex.DecodeString(o.info.MD5)
		if err != nil {
			return nil, err
		}
		sums = append(sums, artifact.Checksum{Algorithm: artifact.MD5, Sum: sum})
	}
	if o.static {
		composite, err := s.segmentSums(ctx, info.Revision)
		if err != nil {
			return nil, err
		}
		sums = append(sums, composite...)
	}
	return sums, nil
}

// metadataSums returns what the uploader says about the bytes.
func metadataSums(header http.Header) ([]artifact.Checksum, error) {
	var sums []artifact.Checksum
	for _, m := range []struct {
		name string
		alg  artifact.Algorithm
		size int
	}{{"X-Object-Meta-Sha256", artifact.SHA256, sha256.Size}, {"X-Object-Meta-Md5", artifact.MD5, md5.Size}} {
		value := strings.TrimSpace(header.Get(m.name))
		if value == "" {
			continue
		}
		sum, err := hex.DecodeString(value)
		if err != nil || len(sum) != m.size {
			return nil, fmt.Errorf("the object's metadata %s is %q, which is no %s in hex", m.name, value, m.alg)
		}
		sums = append(sums, artifact.Checksum{Algorithm: m.alg, Sum: sum})
	}
	return sums, nil
}

// segment is an entry of a static large object's manifest, as Swift gives it out.
type segment struct {
	Hash  string `json:"hash"`
	Bytes int64  `json:"bytes"`
	// Any of these makes Hash something else than the md5 of the Bytes that stand in the object.
	Nested bool   `json:"sub_slo"`
	Range  string `json:"range"`
	Inline string `json:"data"`
}

// segmentSums returns the checksum over the segments of the static large object of that revision.
func (s *source) segmentSums(ctx context.Context, revision string) ([]artifact.Checksum, error) {
	segments, err := s.manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest of the static large object: %w", err)
	}
	composite := artifact.Checksum{Algorithm: artifact.MD5, HexParts: true}
	all := md5.New()
	for _, seg := range segments {
		if seg.Nested || seg.Range != "" || seg.Inline != "" {
			return nil, nil
		}
		_, _ = io.WriteString(all, seg.Hash)
		composite.PartSizes = append(composite.PartSizes, seg.Bytes)
	}
	composite.Sum = all.Sum(nil)
	if hex.EncodeToString(composite.Sum) == revision {
		return []artifact.Checksum{composite}, nil
	}
	// Either the manifest is of another state already, or this Etag is not made of these sums.
	o, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	if o.info.Revision != revision {
		return nil, artifact.ErrChanged
	}
	return nil, nil
}

func (s *source) manifest(parent context.Context) ([]segment, error) {
	ctx, cancel := transport.WithDeadline(parent)
	defer cancel()
	resp, err := s.client.do(ctx, http.MethodGet, escape(s.bucket, s.path), url.Values{"multipart-manifest": {"get"}}, http.Header{})
	if err != nil {
		return nil, neterr.Cause(parent, err)
	}
	defer finish(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, failure(resp)
	}
	if !strings.EqualFold(resp.Header.Get("X-Static-Large-Object"), "true") {
		return nil, artifact.ErrChanged // it is a plain object now, perhaps of gigabytes
	}
	var segments []segment
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxManifest)).Decode(&segments); err != nil {
		return nil, neterr.Cause(parent, err)
	}
	return segments, nil
}
