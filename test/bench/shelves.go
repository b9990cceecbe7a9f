package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/ncw/swift/v2"
)

// s3Shelf is a bucket of the real S3 server.
func s3Shelf(ctx context.Context, b *bench, bucket string) (shelf, error) {
	server, client := b.set.S3, b.client()
	endpoint, err := url.Parse(server.Endpoint)
	if err != nil {
		return shelf{}, err
	}
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return shelf{}, err
	}
	return shelf{
		server: endpoint.Host,
		put: func(ctx context.Context, key string, data []byte) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
			return err
		},
		remove: func(ctx context.Context, keys []string) error {
			all := make([]types.ObjectIdentifier, len(keys))
			for i := range keys {
				all[i].Key = &keys[i]
			}
			_, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: all}})
			_, berr := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
			return errors.Join(err, berr)
		},
		ask:  asking{S3: &server, Bucket: bucket},
		kind: "s3",
		repo: func(address string) string {
			return fmt.Sprintf("  endpoint  = %q\n  name      = %q\n  accessKey = %q\n  secret    = %q\n",
				"http://"+address, server.Region, server.AccessKey, server.Secret)
		},
		where: func(key string) string {
			return fmt.Sprintf("    bucket       = %q\n    path         = %q", bucket, key)
		},
		curl: func(address, key string) []string {
			return []string{
				"--aws-sigv4", "aws:amz:" + server.Region + ":s3", "--user", server.AccessKey + ":" + server.Secret,
				"--header", "x-amz-content-sha256:UNSIGNED-PAYLOAD", "http://" + address + "/" + bucket + "/" + key,
			}
		},
	}, nil
}

// swiftShelf is a container of the real Swift.
func swiftShelf(ctx context.Context, b *bench, container string) (shelf, error) {
	server := b.set.Swift
	auth, err := url.Parse(server.AuthURL)
	if err != nil {
		return shelf{}, err
	}
	conn := &swift.Connection{AuthUrl: server.AuthURL, UserName: server.User, ApiKey: server.Key, AuthVersion: 1}
	if err := conn.Authenticate(ctx); err != nil {
		return shelf{}, err
	}
	storage, err := url.Parse(conn.StorageUrl)
	if err != nil {
		return shelf{}, err
	}
	if err := conn.ContainerCreate(ctx, container, nil); err != nil {
		return shelf{}, err
	}
	return shelf{
		server: auth.Host,
		put: func(ctx context.Context, key string, data []byte) error {
			return conn.ObjectPutBytes(ctx, container, key, data, "application/gzip")
		},
		remove: func(ctx context.Context, keys []string) error {
			err := each(ctx, keys, func(ctx context.Context, key string) error {
				if err := conn.ObjectDelete(ctx, container, key); !errors.Is(err, swift.ObjectNotFound) {
					return err
				}
				return nil
			})
			return errors.Join(err, conn.ContainerDelete(ctx, container))
		},
		ask:  asking{Base: conn.StorageUrl + "/" + container + "/", Token: conn.AuthToken},
		kind: "swift",
		repo: func(address string) string { // Swift names the address where it was asked as that of the storage, too
			return fmt.Sprintf("  authUrl = %q\n  user    = %q\n  key     = %q\n", "http://"+address+auth.Path, server.User, server.Key)
		},
		where: func(key string) string {
			return fmt.Sprintf("    bucket       = %q\n    path         = %q", container, key)
		},
		curl: func(address, key string) []string {
			return []string{"--header", "X-Auth-Token: " + conn.AuthToken, "http://" + address + storage.Path + "/" + container + "/" + key}
		},
	}, nil
}

// httpShelf is a directory behind Go's own web server.
func httpShelf(ctx context.Context, b *bench, name string) (shelf, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return shelf{}, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return shelf{}, err
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // until it is closed
	return shelf{
		server: l.Addr().String(),
		put: func(_ context.Context, key string, data []byte) error {
			return os.WriteFile(filepath.Join(dir, key), data, 0o600)
		},
		remove: func(context.Context, []string) error { return server.Close() },
		ask:    asking{Base: "http://" + l.Addr().String() + "/"},
		kind:   "http",
		repo:   func(address string) string { return fmt.Sprintf("  url = %q\n", "http://"+address) },
		where:  func(key string) string { return fmt.Sprintf("    path         = %q", key) },
		curl:   func(address, key string) []string { return []string{"http://" + address + "/" + key} },
	}, nil
}
