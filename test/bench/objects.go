package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An object is an artifact in the real S3 server.
type object struct {
	bucket, key string
	size        int64
	md5         string // hex
}

// client returns one for the real S3 server.
func (b *bench) client() *s3.Client {
	server := b.set.S3
	return s3.New(s3.Options{
		BaseEndpoint: &server.Endpoint,
		Region:       server.Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(server.AccessKey, server.Secret, ""),
	})
}

// publish puts what write writes into the bucket of this figure, in one request, so that its ETag is its md5.
func (b *bench) publish(ctx context.Context, key string, write func(io.Writer) error) (object, error) {
	o, err := b.put(ctx, key, write)
	if err != nil {
		return object{}, fmt.Errorf("cannot publish %s: %w", key, err)
	}
	return o, nil
}

func (b *bench) put(ctx context.Context, key string, write func(io.Writer) error) (object, error) {
	client := b.client()
	if b.bucket == "" {
		name := fmt.Sprintf("bench-%d-%d", os.Getpid(), time.Now().UnixNano())
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			return object{}, err
		}
		b.bucket = name
	}
	f, err := os.Create(filepath.Join(b.dir, "publish.tmp"))
	if err != nil {
		return object{}, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	hash := md5.New()
	if err := write(io.MultiWriter(f, hash)); err != nil {
		return object{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return object{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return object{}, err
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: f, ContentLength: &size}); err != nil {
		return object{}, err
	}
	b.objects = append(b.objects, key)
	return object{b.bucket, key, size, hex.EncodeToString(hash.Sum(nil))}, nil
}

// cleanUp removes all that the figure left on disk and in the server.
func (b *bench) cleanUp(ctx context.Context) error {
	err := os.RemoveAll(b.dir)
	if b.bucket == "" {
		return err
	}
	client := b.client()
	for _, key := range b.objects {
		_, derr := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: aws.String(key)})
		err = errors.Join(err, derr)
	}
	_, derr := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b.bucket})
	return errors.Join(err, derr)
}

// curl returns a line of shell that writes an object to standard output, as people do who have curl alone.
func (b *bench) curl(o object) string {
	s := b.set.S3
	return fmt.Sprintf("curl -sSf --aws-sigv4 aws:amz:%s:s3 --user %s:%s -H x-amz-content-sha256:UNSIGNED-PAYLOAD %s/%s/%s",
		s.Region, s.AccessKey, s.Secret, s.Endpoint, o.bucket, o.key)
}
