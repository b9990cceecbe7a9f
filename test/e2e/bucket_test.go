package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dropship/dropship/test/servers"
)

// A bucket is a bucket of the test's own on the real S3 server.
type bucket struct {
	t      *testing.T
	name   string
	server servers.S3
	client *s3.Client
}

var buckets atomic.Int64

func newBucket(t *testing.T) *bucket {
	t.Helper()
	server := servers.Get(t).S3
	b := &bucket{t: t, server: server, name: fmt.Sprintf("e2e-%d-%d", time.Now().UnixNano(), buckets.Add(1))}
	b.client = s3.New(s3.Options{
		BaseEndpoint: aws.String(server.Endpoint), Region: server.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(server.AccessKey, server.Secret, ""),
	})
	if _, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	return b
}

// repo returns the repo block for the bucket's server, or for a proxy before it.
func (b *bucket) repo(endpoint string) string {
	return fmt.Sprintf("repo \"s3\" {\n  accessKey = %q\n  secret = %q\n  name = %q\n  endpoint = %q\n}\n",
		b.server.AccessKey, b.server.Secret, b.server.Region, endpoint)
}

// put uploads an object in one piece and returns its md5.
func (b *bucket) put(key string, data []byte) string {
	b.t.Helper()
	if _, err := b.client.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(data)}); err != nil {
		b.t.Fatal(err)
	}
	return md5Hex(data)
}

// putParts uploads an object in parts, as the aws command does above 8 MB.
func (b *bucket) putParts(key string, data []byte, size int) {
	b.t.Helper()
	if err := b.upload(b.t.Context(), key, data, size); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bucket) upload(ctx context.Context, key string, data []byte, size int) error {
	up, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n := int32(1); len(data) > 0; n++ {
		chunk := data[:min(size, len(data))]
		data = data[len(chunk):]
		out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &b.name, Key: &key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(chunk),
		})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: &n})
	}
	_, err = b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

// release returns a tar.gz with these files, packed as little as gzip can: that is not what is tested.
func release(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for name, text := range files {
		mode := int64(0o644)
		if name == "app" {
			mode = 0o755
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func version(t *testing.T, v string) []byte {
	t.Helper()
	return release(t, map[string]string{"VERSION": v})
}

func md5Hex(data []byte) string {
	sum := md5.Sum(data)
	return hex.EncodeToString(sum[:])
}
