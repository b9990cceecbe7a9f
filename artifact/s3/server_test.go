package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/s3"
	"github.com/dropship/dropship/test/servers"
)

// A server is a real S3 server and a bucket on it that is the test's own.
type server struct {
	servers.S3
	bucket string
	admin  *awss3.Client
}

func newServer(t *testing.T, at servers.S3) *server {
	t.Helper()
	if at.Endpoint == "" {
		t.Fatal("the test servers have no such S3 server")
	}
	s := &server{S3: at, bucket: "s3test-" + strings.ToLower(rand.Text()[:16])}
	s.admin = awss3.New(awss3.Options{
		BaseEndpoint: aws.String(at.Endpoint),
		UsePathStyle: true,
		Region:       at.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(at.AccessKey, at.Secret, ""),
		// Each upload says by itself which checksums are stored.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	if _, err := s.admin.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &s.bucket}); err != nil {
		t.Fatalf("cannot create the bucket %s: %v", s.bucket, err)
	}
	return s
}

func (s *server) put(t testing.TB, key string, content []byte, more ...func(*awss3.PutObjectInput)) {
	t.Helper()
	in := &awss3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(content)}
	for _, f := range more {
		f(in)
	}
	if _, err := s.admin.PutObject(context.WithoutCancel(t.Context()), in); err != nil {
		t.Errorf("cannot put %s: %v", key, err)
	}
}

func (s *server) remove(t testing.TB, key string) {
	t.Helper()
	if _, err := s.admin.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &s.bucket, Key: &key}); err != nil {
		t.Fatalf("cannot delete %s: %v", key, err)
	}
}

// putParts uploads content in parts of these sizes, with stored checksums of algorithm and kind if those are set.
func (s *server) putParts(t *testing.T, key string, content []byte, sizes []int, algorithm types.ChecksumAlgorithm, kind types.ChecksumType, more ...func(*awss3.CreateMultipartUploadInput)) {
	t.Helper()
	ctx := t.Context()
	in := &awss3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key, ChecksumAlgorithm: algorithm, ChecksumType: kind}
	for _, f := range more {
		f(in)
	}
	up, err := s.admin.CreateMultipartUpload(ctx, in)
	if err != nil {
		t.Fatalf("cannot start the upload of %s: %v", key, err)
	}
	var parts []types.CompletedPart
	for i, n := range sizes {
		number := int32(i + 1)
		part, err := s.admin.UploadPart(ctx, &awss3.UploadPartInput{
			Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, PartNumber: &number,
			Body: bytes.NewReader(content[:n]), ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Fatalf("cannot upload part %d of %s: %v", number, key, err)
		}
		content = content[n:]
		parts = append(parts, types.CompletedPart{
			PartNumber: &number, ETag: part.ETag,
			ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C, ChecksumCRC64NVME: part.ChecksumCRC64NVME,
			ChecksumSHA1: part.ChecksumSHA1, ChecksumSHA256: part.ChecksumSHA256,
		})
	}
	_, err = s.admin.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, ChecksumType: kind,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		t.Fatalf("cannot complete the upload of %s: %v", key, err)
	}
}

// source returns the source for key, through the proxy at endpoint if that is not empty.
func (s *server) source(t testing.TB, key, endpoint string) artifact.Source {
	t.Helper()
	if endpoint == "" {
		endpoint = s.Endpoint
	}
	return source(t, fmt.Sprintf("accessKey = %q\nsecret = %q\nname = %q\nendpoint = %q\n", s.AccessKey, s.Secret, s.Region, endpoint), s.bucket, key)
}

func source(t testing.TB, repository, bucket, key string) artifact.Source {
	t.Helper()
	repo, diags := s3.New(body(t, repository), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	src, diags := repo.Source(body(t, "bucket = "+quote(bucket)+"\npath = "+quote(key)+"\n"), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return src
}

// quote writes s as HCL does: "%{" would begin a template.
func quote(s string) string {
	return strings.NewReplacer("%{", "%%{", "${", "$${").Replace(fmt.Sprintf("%q", s))
}

func body(t testing.TB, src string) hcl.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return f.Body
}
