package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/dropship/dropship/artifact"
)

const (
	maxParts          = 10_000 // S3's own limit
	simultaneousHeads = 8      // while the sizes of parts are asked for
)

// Checksums implements artifact.Source. In this order: what S3 stored when the object was uploaded
// (SHA-256, CRC64NVME, CRC32C, CRC32, SHA-1), the ETag if it is an md5, or an md5 of md5s of parts,
// and an md5 in the object's metadata. It takes one HEAD request, and where there is no checksum of
// the whole object also one for each part, whose size is found nowhere else.
func (s *source) Checksums(ctx context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	client, err := s.client.get(ctx)
	if err != nil {
		return nil, s.failed(ctx, "get the checksums of", err)
	}
	head, err := s.head(ctx, client, &s3.HeadObjectInput{IfMatch: etagOf(info), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return nil, s.failed(ctx, "get the checksums of", err)
	}
	var whole, composite []artifact.Checksum
	parts := 0
	for _, stored := range []struct {
		algorithm artifact.Algorithm
		value     *string
	}{
		{artifact.SHA256, head.ChecksumSHA256},
		{artifact.CRC64NVME, head.ChecksumCRC64NVME},
		{artifact.CRC32C, head.ChecksumCRC32C},
		{artifact.CRC32, head.ChecksumCRC32},
		{artifact.SHA1, head.ChecksumSHA1},
	} {
		sum, n, ok := parseStored(aws.ToString(stored.value))
		switch {
		case !ok:
		case n == 0:
			whole = append(whole, artifact.Checksum{Algorithm: stored.algorithm, Sum: sum})
		default:
			composite, parts = append(composite, artifact.Checksum{Algorithm: stored.algorithm, Sum: sum}), n
		}
	}
	if sum, n, ok := parseETag(aws.ToString(head.ETag)); ok && s.etagIsOfBytes(head) {
		if n == 0 {
			whole = append(whole, artifact.Checksum{Algorithm: artifact.MD5, Sum: sum})
		} else {
			composite, parts = append(composite, artifact.Checksum{Algorithm: artifact.MD5, Sum: sum}), n
		}
	}
	if len(whole) == 0 && len(composite) > 0 {
		sizes, err := s.partSizes(ctx, client, info, parts)
		if err != nil {
			return nil, s.failed(ctx, "get the part sizes of", err)
		}
		for _, c := range composite {
			if sizes != nil {
				c.PartSizes = sizes
				whole = append(whole, c)
			}
		}
	}
	if sum := metadataMD5(head.Metadata); sum != nil {
		whole = append(whole, artifact.Checksum{Algorithm: artifact.MD5, Sum: sum})
	}
	return whole, nil
}

// parseStored reads a stored checksum: base64, with "-N" behind it if it is one over the sums of N parts.
func parseStored(value string) (sum []byte, parts int, ok bool) {
	value, parts, ok = cutParts(value)
	if !ok {
		return nil, 0, false
	}
	sum, err := base64.StdEncoding.DecodeString(value)
	return sum, parts, err == nil && len(sum) > 0
}

// parseETag reads an ETag that looks like an md5, with "-N" behind it if it is one over the md5s of N parts.
func parseETag(etag string) (sum []byte, parts int, ok bool) {
	value, parts, ok := cutParts(strings.Trim(etag, `"`))
	if !ok {
		return nil, 0, false
	}
	sum, err := hex.DecodeString(value)
	return sum, parts, err == nil && len(sum) == 16
}

func cutParts(s string) (value string, parts int, ok bool) {
	value, n, found := strings.Cut(s, "-")
	if !found {
		return s, 0, true
	}
	parts, err := strconv.Atoi(n)
	return value, parts, err == nil && parts > 0 && parts <= maxParts
}

// partSizes asks for the size of each part. Nil without an error means that the server cannot say.
func (s *source) partSizes(ctx context.Context, client *s3.Client, info artifact.Info, parts int) ([]int64, error) {
	sizes := make([]int64, parts)
	head := func(ctx context.Context, i int) (known bool, err error) {
		out, err := s.head(ctx, client, &s3.HeadObjectInput{IfMatch: etagOf(info), PartNumber: aws.Int32(int32(i + 1))})
		switch status(err) {
		case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusBadRequest:
			return false, nil
		}
		if err != nil {
			return false, err
		}
		sizes[i] = aws.ToInt64(out.ContentLength)
		return int(aws.ToInt32(out.PartsCount)) == parts, nil
	}
	// The first one tells whether the server knows of parts at all.
	if known, err := head(ctx, 0); !known || err != nil {
		return nil, err
	}
	heads, headsCtx := errgroup.WithContext(ctx)
	heads.SetLimit(simultaneousHeads)
	for i := 1; i < parts; i++ {
		heads.Go(func() error {
			_, err := head(headsCtx, i)
			return err
		})
	}
	if err := heads.Wait(); err != nil {
		return nil, err
	}
	var total int64
	for _, n := range sizes {
		total += n
	}
	if total != info.Size {
		return nil, nil
	}
	return sizes, nil
}

// metadataMD5 finds the md5 that a client left in the metadata, in base64 (as rclone does) or in hex.
func metadataMD5(metadata map[string]string) []byte {
	for _, name := range []string{"md5", "md5chksum", "content-md5"} {
		for key, value := range metadata {
			if !strings.EqualFold(key, name) {
				continue
			}
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == 16 {
				return sum
			}
			if sum, err := base64.StdEncoding.DecodeString(value); err == nil && len(sum) == 16 {
				return sum
			}
		}
	}
	return nil
}
